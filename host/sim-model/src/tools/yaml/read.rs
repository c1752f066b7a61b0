//! The reader of `--file`: a map of strings, as go-yaml fills one.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::plain;
use super::quoted::{self, is_break};

/// How many nodes a document may have, and how deeply it may nest.
const MAX_NODES: usize = 1_000_000;
const MAX_DEPTH: usize = 100;
/// How many characters may lie between the start of a key and its colon,
/// unless `?` stands before it.
const MAX_KEY: usize = 1024;

/// Reads a map from strings to strings: scalars as they are written, null as an
/// empty string. An empty document is an empty map.
///
/// # Errors
///
/// What go-yaml would say; of a document that is no YAML in the parser's own
/// words.
pub fn string_map(bytes: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let invalid = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
        let leads = matches!(invalid, 0xc2..=0xf4);
        format!(
            "yaml: {}",
            match error.error_len() {
                None => "incomplete UTF-8 octet sequence",
                Some(_) if leads => "invalid trailing UTF-8 octet",
                Some(_) => "invalid leading UTF-8 octet",
            }
        )
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.chars().all(is_allowed) {
        return Err("yaml: control characters are not allowed".to_owned());
    }
    let mut reader = Reader {
        source: text.chars().collect(),
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let Some(document) = reader
        .document()
        .map_err(|error| format!("yaml: {error}"))?
    else {
        return Ok(BTreeMap::new());
    };
    let mut map = StringMap::default();
    map.document(&document)
        .map_err(|error| format!("yaml: {error}"))?;
    match map.errors.is_empty() {
        true => Ok(map.entries),
        false => Err(format!(
            "yaml: unmarshal errors:\n  {}",
            map.errors.join("\n  ")
        )),
    }
}

fn is_allowed(c: char) -> bool {
    matches!(
        c,
        '\t' | '\n'
            | '\r'
            | ' '..='~'
            | '\u{85}'
            | '\u{a0}'..='\u{d7ff}'
            | '\u{e000}'..='\u{fffd}'
            | '\u{10000}'..='\u{10ffff}'
    )
}

/// A node, and the line that it begins in, from 1.
struct Node {
    line: usize,
    /// The short form, as `!!int`; of what has no tag, none.
    tag: Option<String>,
    kind: Kind,
}

enum Kind {
    Scalar { text: String, plain: bool },
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
}

struct Reader<'a> {
    source: Vec<char>,
    events: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Rc<Node>>,
    nodes: usize,
}

/// A position as go-yaml shows it: nothing for the first line.
fn at_line(line: usize, text: &str) -> String {
    match line {
        0 | 1 => text.to_owned(),
        line => format!("line {line}: {text}"),
    }
}

/// A parser's complaint in the words of go-yaml, which leaves out what it was
/// at.
fn reworded(info: &str) -> String {
    let (_, what) = info
        .split_once(", ")
        .filter(|(context, _)| context.starts_with("while "))
        .unwrap_or(("", info));
    what.replace("hexadecimal", "hexdecimal")
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), String> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(at_line(error.marker().line(), &reworded(error.info()))),
            None => Err("unexpected end of the document".to_owned()),
        }
    }

    fn document(&mut self) -> Result<Option<Rc<Node>>, String> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd | Event::DocumentEnd, _) => return Ok(None),
                (event, span) => return self.node(event, span, 0).map(Some),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Rc<Node>, String> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err("document contains excessive nesting or too many values".to_owned());
        }
        let (kind, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text = match style {
                    ScalarStyle::SingleQuoted => self.quoted(span, false)?,
                    ScalarStyle::DoubleQuoted => self.quoted(span, true)?,
                    _ => text.into_owned(),
                };
                let plain = style == ScalarStyle::Plain;
                (Kind::Scalar { text, plain }, anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (self.sequence(depth)?, anchor, tag),
            Event::MappingStart(anchor, tag) => (self.mapping(span, depth)?, anchor, tag),
            Event::Alias(anchor) => {
                let itself = || "anchor value contains itself".to_owned();
                return self.anchors.get(&anchor).cloned().ok_or_else(itself);
            }
            _ => return Err(at_line(span.start.line(), "did not find expected node")),
        };
        let node = Rc::new(Node {
            line: span.start.line(),
            tag: tag.as_deref().and_then(short_tag),
            kind,
        });
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    /// Reads a quoted scalar from its source, in which an anchor and a tag may
    /// stand before the quotes.
    fn quoted(&self, span: Span, double: bool) -> Result<String, String> {
        let range = span.start.index()..span.end.index().saturating_sub(1);
        let mut source = self.source.get(range).unwrap_or_default();
        while let ['!' | '&' | ' ' | '\t' | '\n', ..] = source {
            let end = source.iter().position(|c| c.is_whitespace());
            source = source
                .get(end.unwrap_or_default() + 1..)
                .unwrap_or_default();
        }
        let inside = source.get(1..).unwrap_or_default();
        quoted::read(inside, double).map_err(|problem| {
            let line = span.start.line() + problem.lines;
            at_line(line, problem.text)
        })
    }

    fn sequence(&mut self, depth: usize) -> Result<Kind, String> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Kind::Sequence(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, start: Span, depth: usize) -> Result<Kind, String> {
        let flow = self.source.get(start.start.index()) == Some(&'{');
        let mut entries = Vec::new();
        loop {
            let (event, span) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Kind::Mapping(entries)),
                key => key,
            };
            self.check_key(span, flow)?;
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            entries.push((key, self.node(event, span, depth + 1)?));
        }
    }

    /// Refuses a key whose colon is too far away, or not in its line.
    fn check_key(&self, span: Span, flow: bool) -> Result<(), String> {
        let before = self.source.get(..span.start.index()).unwrap_or_default();
        let blank = |c: &&char| c.is_whitespace();
        let explicit = before.iter().rev().find(|c| !blank(c)) == Some(&'?');
        let after = self.source.get(span.end.index()..).unwrap_or_default();
        let gap = after.iter().take_while(|c| matches!(c, ' ' | '\t')).count();
        let length = span.end.index() + gap - span.start.index();
        let key = self.source.get(span.start.index()..span.end.index());
        let one_line = !key.unwrap_or_default().iter().copied().any(is_break);
        if explicit || one_line && length <= MAX_KEY {
            return Ok(());
        }
        // The parser and the scanner count lines from 0 and from 1.
        let line = span.start.line();
        Err(match flow {
            true => at_line(line, "did not find expected ',' or '}'"),
            false if one_line => at_line(line + 1, "could not find expected ':'"),
            false => at_line(line + 1, "mapping values are not allowed in this context"),
        })
    }
}

fn short_tag(tag: &Tag) -> Option<String> {
    match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
        (true, name) => Some(format!("!!{name}")),
        (false, "") => Some("!!str".to_owned()),
        (false, name) => Some(format!("{}{name}", tag.handle)),
    }
}

#[derive(Default)]
struct StringMap {
    entries: BTreeMap<String, String>,
    errors: Vec<String>,
}

impl StringMap {
    fn document(&mut self, node: &Node) -> Result<(), String> {
        if let Kind::Mapping(entries) = &node.kind {
            return self.mapping(entries);
        }
        if self.tag(node)? != "!!null" {
            self.refuse(node, "map[string]string")?;
        }
        Ok(())
    }

    fn mapping(&mut self, entries: &[(Rc<Node>, Rc<Node>)]) -> Result<(), String> {
        for (key, value) in entries {
            let merges = matches!(
                &key.kind,
                Kind::Scalar { text, plain: true } if text == "<<" && key.tag.is_none()
            );
            if merges {
                self.merge(value)?;
                continue;
            }
            if let (Some(key), Some(value)) = (self.string(key)?, self.string(value)?) {
                self.entries.insert(key, value);
            }
        }
        Ok(())
    }

    /// What is merged counts as if it stood here; of several maps, the first.
    fn merge(&mut self, node: &Node) -> Result<(), String> {
        let wrong = || "map merge requires map or sequence of maps as the value".to_owned();
        match &node.kind {
            Kind::Mapping(entries) => self.mapping(entries),
            Kind::Sequence(items) => items.iter().rev().try_for_each(|item| match &item.kind {
                Kind::Mapping(entries) => self.mapping(entries),
                _ => Err(wrong()),
            }),
            Kind::Scalar { .. } => Err(wrong()),
        }
    }

    /// The tag of a node, resolved if it has none.
    fn tag(&self, node: &Node) -> Result<String, String> {
        let (text, resolved) = match &node.kind {
            Kind::Scalar { text, plain: true } => (text, plain::tag(text)),
            Kind::Scalar { text, plain: false } => (text, "!!str"),
            Kind::Sequence(_) => return Ok("!!seq".to_owned()),
            Kind::Mapping(_) => return Ok("!!map".to_owned()),
        };
        let Some(tag) = &node.tag else {
            return Ok(resolved.to_owned());
        };
        let checked = ["!!null", "!!bool", "!!int", "!!float", "!!timestamp"];
        let resolved = plain::tag(text);
        let fits = tag == resolved || tag == "!!float" && resolved == "!!int";
        match checked.contains(&tag.as_str()) && !fits {
            true => Err(format!("cannot decode {resolved} `{text}` as a {tag}")),
            false => Ok(tag.clone()),
        }
    }

    /// A scalar as text; of anything else none, and an error is noted.
    fn string(&mut self, node: &Node) -> Result<Option<String>, String> {
        let tag = self.tag(node)?;
        let Kind::Scalar { text, .. } = &node.kind else {
            self.refuse(node, "string")?;
            return Ok(None);
        };
        Ok(Some(match tag.as_str() {
            "!!null" => String::new(),
            "!!binary" => {
                let base64: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
                let invalid = |_| "!!binary value contains invalid base64 data".to_owned();
                let bytes = BASE64.decode(base64).map_err(invalid)?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => text.clone(),
        }))
    }

    fn refuse(&mut self, node: &Node, wanted: &str) -> Result<(), String> {
        let tag = self.tag(node)?;
        let shown = match &node.kind {
            Kind::Scalar { text, .. } if text.len() > 10 => {
                let start: String = text.chars().take(7).collect();
                format!(" `{start}...`")
            }
            Kind::Scalar { text, .. } => format!(" `{text}`"),
            _ => String::new(),
        };
        let line = node.line;
        self.errors.push(format!(
            "line {line}: cannot unmarshal {tag}{shown} into {wanted}"
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, String>, String> {
        string_map(text.as_bytes())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Result<BTreeMap<String, String>, String> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Ok(pairs.iter().map(owned).collect())
    }

    #[test]
    fn scalars_are_read_as_they_are_written() {
        let text = "a: 0x10\nb: 1.50\nc: yes\n1: one\ntrue: t\nd: ~\ne:\nf: '~'\n\
                    g: !!binary aGVsbG8=\nh: !foo x\ni: !!float 1\na: 2\n";
        let wanted = pairs(&[
            ("a", "2"),
            ("b", "1.50"),
            ("c", "yes"),
            ("1", "one"),
            ("true", "t"),
            ("d", ""),
            ("e", ""),
            ("f", "~"),
            ("g", "hello"),
            ("h", "x"),
            ("i", "1"),
        ]);
        assert_eq!(read(text), wanted);
        for empty in ["", "~\n", "# only this\n", "{}"] {
            assert_eq!(read(empty), pairs(&[]), "{empty:?}");
        }
    }

    #[test]
    fn maps_are_merged_where_they_stand() {
        let merged = read("a: 1\n<<: {a: 2, b: 3}\nb: 4\n\"<<\": x\n");
        assert_eq!(merged, pairs(&[("a", "2"), ("b", "4"), ("<<", "x")]));
        let aliased = read("a: &x v\nb: *x\n");
        assert_eq!(aliased, pairs(&[("a", "v"), ("b", "v")]));
        let several = read("<<: [{a: 1}, {a: 2, b: 2}]\n");
        assert_eq!(several, pairs(&[("a", "1"), ("b", "2")]));
    }

    #[test]
    fn quoted_text_is_folded_by_the_rules_of_libyaml() {
        let folded = read("{\"k\":\"a \u{85} b\",\"l\":\"a \u{2028} b\"}");
        assert_eq!(folded, pairs(&[("k", "a b"), ("l", "a\u{2028}b")]));
        let spans = read("é: &x \"é 🦊\"\n? 'ü''s'\n: !!str \"\\u00fc\"\n");
        assert_eq!(spans, pairs(&[("é", "é 🦊"), ("ü's", "ü")]));
    }

    #[test]
    fn what_go_yaml_refuses_is_refused() {
        let long = "k".repeat(1500);
        for (text, wanted) in [
            ("a: \u{7f}", "yaml: control characters are not allowed"),
            ("a: \u{fffe}", "yaml: control characters are not allowed"),
            ("{\"a\\/b\": 1}", "yaml: found unknown escape character"),
            (
                "a: 1\nb: \"\\xZ\"\n",
                "yaml: line 2: did not find expected hexdecimal number",
            ),
            (
                "- a\n",
                "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into map[string]string",
            ),
            (
                "a long text\n",
                "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `a long ...` into map[string]string",
            ),
            (
                "a: [1]\nb: {c: d}\n",
                "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into string\n  line 2: cannot unmarshal !!map into string",
            ),
            (
                "a: !!binary '!!'\n",
                "yaml: !!binary value contains invalid base64 data",
            ),
            (
                "a: !!int abc\n",
                "yaml: cannot decode !!str `abc` as a !!int",
            ),
            (
                "<<: 1\n",
                "yaml: map merge requires map or sequence of maps as the value",
            ),
            (
                &format!("{{\"{long}\":\"v\"}}"),
                "yaml: did not find expected ',' or '}'",
            ),
        ] {
            assert_eq!(read(text), Err(wanted.to_owned()), "{text:?}");
        }
        let explicit = read(&format!("? \"{long}\"\n: v\n"));
        assert_eq!(explicit, pairs(&[(long.as_str(), "v")]));
        for (bytes, wanted) in [
            (&b"a: \xff"[..], "yaml: invalid leading UTF-8 octet"),
            (b"a: \xc3x", "yaml: invalid trailing UTF-8 octet"),
            (b"a: \xc3", "yaml: incomplete UTF-8 octet sequence"),
        ] {
            assert_eq!(string_map(bytes), Err(wanted.to_owned()));
        }
    }
}
