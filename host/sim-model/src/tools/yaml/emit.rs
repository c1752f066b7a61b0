//! The writer: go-yaml's block style, folded at 80 characters.

use std::fmt::Write;

use serde_json::Value;

use super::plain;
use super::quoted::is_break;
use crate::tools::number::number_text;

/// The column behind which a line is folded at the next blank.
const WIDTH: usize = 80;
/// How many bytes a key may have that stands before its colon.
const MAX_SIMPLE_KEY: usize = 128;

/// Writes a value, its keys in the order that they have, with one newline at
/// the end: as a real agent, it drops the empty lines of a last text.
pub fn to_string(value: &Value) -> String {
    let mut emitter = Emitter::default();
    emitter.node(value, Place::Root, None);
    let text = emitter.out.trim_end_matches('\n');
    format!("{text}\n")
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Item,
    Key,
    Value,
}

/// What there is before and behind the next character, as libyaml tracks it.
struct Emitter {
    out: String,
    column: usize,
    /// The last character was a blank, or nothing is on the line.
    whitespace: bool,
    /// Nothing but indentation and indicators is on the line.
    indention: bool,
}

impl Default for Emitter {
    fn default() -> Self {
        Emitter {
            out: String::new(),
            column: 0,
            whitespace: true,
            indention: true,
        }
    }
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}

impl Emitter {
    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn put_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
    }

    fn indicator(&mut self, text: &str, spaced: bool, is_whitespace: bool, is_indention: bool) {
        if spaced && !self.whitespace {
            self.put(' ');
        }
        text.chars().for_each(|c| self.put(c));
        self.whitespace = is_whitespace;
        self.indention = self.indention && is_indention;
    }

    fn indent(&mut self, indent: usize) {
        let is_there = self.column == indent && self.whitespace;
        if !self.indention || self.column >= indent && !is_there {
            self.put_break('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    /// Writes a node; `indent` is that of the collection around it.
    fn node(&mut self, value: &Value, place: Place, indent: Option<usize>) {
        let number;
        let (text, is_text) = match value {
            Value::Object(map) if !map.is_empty() => {
                return self.mapping(map, indent.map_or(0, |indent| indent + 2));
            }
            Value::Array(items) if !items.is_empty() => {
                let indentless = place == Place::Value && !self.indention;
                let indent = match indent {
                    Some(indent) if !indentless => indent + 2,
                    other => other.unwrap_or_default(),
                };
                return self.sequence(items, indent);
            }
            Value::Object(_) => return self.indicator("{}", true, false, false),
            Value::Array(_) => return self.indicator("[]", true, false, false),
            Value::Null => ("null", false),
            Value::Bool(true) => ("true", false),
            Value::Bool(false) => ("false", false),
            Value::Number(value) => {
                number = number_text(value, 6);
                (number.as_str(), false)
            }
            Value::String(text) => (text.as_str(), true),
        };
        let indent = indent.unwrap_or_default() + 2;
        self.scalar(text, is_text, place == Place::Key, indent);
    }

    fn mapping(&mut self, map: &serde_json::Map<String, Value>, indent: usize) {
        for (key, value) in map {
            self.indent(indent);
            let simple = key.len() <= MAX_SIMPLE_KEY && !key.contains(is_break);
            if simple {
                self.scalar(key, true, true, indent + 2);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, true);
                self.scalar(key, true, false, indent + 2);
                self.indent(indent);
                self.indicator(":", true, false, true);
            }
            self.node(value, Place::Value, Some(indent));
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize) {
        for item in items {
            self.indent(indent);
            self.indicator("-", true, false, true);
            self.node(item, Place::Item, Some(indent));
        }
    }

    fn scalar(&mut self, text: &str, is_text: bool, simple_key: bool, indent: usize) {
        let allowed = Allowed::of(text);
        let style = match text {
            _ if is_text && text.contains('\n') && !simple_key && allowed.block => Style::Literal,
            _ if is_text && text.contains('\n') => Style::Double,
            _ if is_text && !plain::is_string(text) => Style::Double,
            _ if allowed.plain => Style::Plain,
            _ if allowed.single => Style::Single,
            _ => Style::Double,
        };
        let folds = (!simple_key).then_some(indent);
        match style {
            Style::Plain => self.plain(text, folds),
            Style::Single => self.single(text, folds, indent),
            Style::Double => self.double(text, folds),
            Style::Literal => self.literal(text, indent),
        }
    }

    fn plain(&mut self, text: &str, folds: Option<usize>) {
        if !self.whitespace {
            self.put(' ');
        }
        self.folded(text, folds, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn single(&mut self, text: &str, folds: Option<usize>, indent: usize) {
        self.indicator("'", true, false, false);
        let mut breaks = false;
        let lines = text.split_inclusive(is_break);
        for line in lines {
            let content = line.trim_end_matches(is_break);
            if !content.is_empty() {
                if breaks {
                    self.indent(indent);
                }
                self.folded(content, folds, true);
                breaks = false;
            }
            for c in line.chars().filter(|c| is_break(*c)) {
                if !breaks && c == '\n' {
                    self.put_break('\n');
                }
                self.put_break(c);
                self.indention = true;
                breaks = true;
            }
        }
        self.indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    /// Writes text of one line, folded at single blanks inside it.
    fn folded(&mut self, text: &str, folds: Option<usize>, quotes: bool) {
        let mut spaces = false;
        let mut chars = text.char_indices().peekable();
        while let Some((place, c)) = chars.next() {
            if c == ' ' {
                let inside = place > 0 && chars.peek().is_some_and(|(_, next)| *next != ' ');
                match folds {
                    Some(indent) if inside && !spaces && self.column > WIDTH => self.indent(indent),
                    _ => self.put(' '),
                }
                spaces = true;
                continue;
            }
            if quotes && c == '\'' {
                self.put('\'');
            }
            self.put(c);
            self.indention = false;
            spaces = false;
        }
    }

    fn double(&mut self, text: &str, folds: Option<usize>) {
        self.indicator("\"", true, false, false);
        // With a byte order mark in front, libyaml escapes all.
        let all = text.starts_with('\u{feff}');
        let mut spaces = false;
        let mut chars = text.char_indices().peekable();
        while let Some((place, c)) = chars.next() {
            if all || !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                self.escape(c);
                spaces = false;
            } else if c == ' ' {
                let next = chars.peek().map(|(_, next)| *next);
                match folds.zip(next) {
                    Some((indent, next)) if !spaces && self.column > WIDTH && place > 0 => {
                        self.indent(indent);
                        if next == ' ' {
                            self.put('\\');
                        }
                    }
                    _ => self.put(' '),
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn escape(&mut self, c: char) {
        let code = u32::from(c);
        let short = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' | '\\' => c,
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let mut text = String::new();
                // Writing to a string cannot fail.
                let _ = match code {
                    0..=0xff => write!(text, "\\x{code:02X}"),
                    0x100..=0xffff => write!(text, "\\u{code:04X}"),
                    _ => write!(text, "\\U{code:08X}"),
                };
                text.chars().for_each(|c| self.put(c));
                return;
            }
        };
        self.put('\\');
        self.put(short);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.indicator("|", true, false, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator("2", false, false, false);
        }
        let mut from_end = text.chars().rev();
        match (from_end.next(), from_end.next()) {
            (Some(last), _) if !is_break(last) => self.indicator("-", false, false, false),
            (_, None) => self.indicator("+", false, false, false),
            (_, Some(before)) if is_break(before) => self.indicator("+", false, false, false),
            _ => {}
        }
        self.put_break('\n');
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for c in text.chars() {
            if is_break(c) {
                self.put_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.indent(indent);
                }
                self.put(c);
                self.indention = false;
                breaks = false;
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// The styles in which a text would be read back as it is.
struct Allowed {
    plain: bool,
    single: bool,
    block: bool,
}

impl Allowed {
    fn of(text: &str) -> Self {
        if text.is_empty() {
            return Allowed {
                plain: true,
                single: true,
                block: false,
            };
        }
        let chars: Vec<char> = text.chars().collect();
        let pairs = || chars.iter().zip(chars.iter().skip(1));
        let break_space = pairs().any(|(a, b)| is_break(*a) && *b == ' ');
        let space_break = pairs().any(|(a, b)| *a == ' ' && is_break(*b));
        let special = !chars.iter().all(|c| is_printable(*c)) || space_break;
        let outer = |c: char| c == ' ' || is_break(c);
        let plain = !text.starts_with(outer)
            && !text.ends_with(outer)
            && !text.contains(is_break)
            && !has_indicator(&chars);
        Allowed {
            plain: plain && !special,
            single: !break_space && !special,
            block: !text.ends_with(' ') && !special,
        }
    }
}

/// Whether something in a text has a meaning outside of flow collections.
fn has_indicator(chars: &[char]) -> bool {
    let blank = |c: Option<&char>| c.is_none_or(|c| matches!(c, ' ' | '\t'));
    let leads = match chars {
        ['-', '-', '-', ..] | ['.', '.', '.', ..] => true,
        [
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
            | '@' | '`',
            ..,
        ] => true,
        ['?' | '-', rest @ ..] => blank(rest.first()),
        _ => false,
    };
    let colon = (chars.iter().enumerate()).any(|(i, c)| *c == ':' && blank(chars.get(i + 1)));
    let comment = chars.windows(2).any(
        |pair| matches!(pair, [before, '#'] if matches!(before, ' ' | '\t') || is_break(*before)),
    );
    leads || colon || comment
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strings_are_plain_where_that_is_safe() {
        for (text, wanted) in [
            ("blog", "blog"),
            ("http://a/b?c=d", "http://a/b?c=d"),
            ("9000-9005/udp", "9000-9005/udp"),
            ("a, b", "a, b"),
            ("it's", "it's"),
            ("<<", "<<"),
            ("1e3", "1e3"),
            ("", "\"\""),
            ("8080", "\"8080\""),
            ("yes", "\"yes\""),
            ("null", "\"null\""),
            (".inf", "\".inf\""),
            ("2026-01-02", "\"2026-01-02\""),
            ("a: b", "'a: b'"),
            ("- a", "'- a'"),
            ("#a", "'#a'"),
            ("a #b", "'a #b'"),
            ("'x'", "'''x'''"),
            (" x", "' x'"),
            (" ", "' '"),
            ("{a}", "'{a}'"),
            ("@a", "'@a'"),
            ("*a", "'*a'"),
            ("a\tb", "\"a\\tb\""),
            ("a\n", "|\n  a"),
            (" a\n", "|2\n   a"),
            ("\n", "|2+"),
            ("a\u{1}b\u{85}c\u{2028}d", "\"a\\x01b\\Nc\\Ld\""),
            ("\u{1f98a}", "\"\\U0001F98A\""),
            ("\u{feff}a", "\"\\uFEFF\\x61\""),
        ] {
            assert_eq!(to_string(&json!(text)), format!("{wanted}\n"), "{text:?}");
        }
    }

    #[test]
    fn collections_nest_without_indented_lists() {
        let value = json!({
            "m": {"b": 1, "a": {}},
            "l": [["x", "y"], {"k": "v", "n": null}, []],
            "t": "one\n\ntwo\n",
        });
        let wanted = "m:\n  b: 1\n  a: {}\nl:\n- - x\n  - \"y\"\n- k: v\n  \"n\": null\n- []\nt: |\n  one\n\n  two\n";
        assert_eq!(to_string(&value), wanted);
    }

    #[test]
    fn long_text_is_folded_and_long_keys_are_marked() {
        let words = "word ".repeat(20);
        let folded = format!("k: '{}word\n  word word word word '\n", "word ".repeat(15));
        assert_eq!(to_string(&json!({ "k": words })), folded);
        let key = "k".repeat(129);
        let written = to_string(&json!({ (key.as_str()): ["v"] }));
        assert_eq!(written, format!("? {key}\n: - v\n"));
    }
}
