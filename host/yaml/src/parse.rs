//! Builds values from the events of the parser.

use std::collections::HashMap;
use std::iter::Peekable;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Value};

use crate::resolve::resolve;

/// The most nodes of a document, including those that aliases repeat; a long text
/// counts as one for every 64 bytes.
const MAX_NODES: usize = 1_000_000;
/// The deepest nesting of a document.
const MAX_DEPTH: usize = 100;

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Error {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// The problem at this position.
    pub message: String,
}

impl Error {
    fn at(mark: &Marker, message: impl Into<String>) -> Self {
        Error {
            line: mark.line(),
            column: mark.col() + 1,
            message: message.into(),
        }
    }
}

/// Parses the first document of a text; an empty one is null.
///
/// Keys must be strings: a key that YAML reads as another type, for example an
/// unquoted `on`, is an error. Infinite numbers and dates are strings. The last
/// value of a repeated key wins.
pub fn parse(text: &str) -> Result<Value, Error> {
    read(text, false)
}

/// Parses a document whose keys may be numbers, which become strings as they are
/// written.
pub fn parse_with_number_keys(text: &str) -> Result<Value, Error> {
    read(text, true)
}

fn read(text: &str, number_keys: bool) -> Result<Value, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut tree = Tree {
        events: Parser::new_from_str(text).peekable(),
        anchors: HashMap::new(),
        nodes: 0,
        last: Marker::new(0, 1, 0),
        number_keys,
    };
    loop {
        match tree.next()? {
            (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
            (Event::StreamEnd | Event::DocumentEnd, _) => return Ok(Value::Null),
            (event, span) => return tree.node(event, span, 0),
        }
    }
}

struct Tree<'input> {
    events: Peekable<Parser<'input, StrInput<'input>>>,
    anchors: HashMap<usize, Value>,
    nodes: usize,
    last: Marker,
    number_keys: bool,
}

impl<'input> Tree<'input> {
    fn next(&mut self) -> Result<(Event<'input>, Span), Error> {
        match self.events.next() {
            Some(Ok((event, span))) => {
                self.last = span.start;
                Ok((event, span))
            }
            Some(Err(error)) => Err(Error::at(error.marker(), error.info())),
            None => Err(Error::at(&self.last, "the document ends too early")),
        }
    }

    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> Result<Value, Error> {
        if depth > MAX_DEPTH {
            return Err(Error::at(&span.start, "it nests too deeply"));
        }
        self.count(1, &span)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref())
                    .map_err(|message| Error::at(&span.start, message))?;
                (value, anchor)
            }
            Event::SequenceStart(anchor, _) => (self.sequence(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, anchor),
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                let value = value
                    .ok_or_else(|| Error::at(&span.start, "it refers to itself or to nothing"))?;
                self.count(size(&value), &span)?;
                return Ok(value);
            }
            _ => return Err(Error::at(&span.start, "a value is missing")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    /// Counts nodes: a few aliases of aliases could be exponentially many.
    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Error> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(Error::at(&span.start, "it has too many values"));
        }
        Ok(())
    }

    fn sequence(&mut self, depth: usize) -> Result<Value, Error> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, Error> {
        let mut map = Map::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = match self.next()? {
                (Event::MappingEnd, _) => break,
                key => key,
            };
            let is_merge = matches!(
                &event,
                Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<"
            );
            let written = match &event {
                Event::Scalar(text, ..) => text.to_string(),
                _ => String::new(),
            };
            let key = self.node(event, span, depth + 1)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            if is_merge {
                merged.extend(merge_sources(value, &span)?);
                continue;
            }
            let key = match key {
                Value::Number(_) if self.number_keys => written,
                key => string_key(key, &written, &span)?,
            };
            map.insert(key, value);
        }
        for source in merged {
            for (key, value) in source {
                map.entry(key).or_insert(value);
            }
        }
        Ok(Value::Object(map))
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(size).sum::<usize>() + 1,
        Value::Object(map) => {
            map.iter()
                .map(|(key, value)| key.len() / 64 + size(value))
                .sum::<usize>()
                + 1
        }
        Value::String(text) => text.len() / 64 + 1,
        _ => 1,
    }
}

fn merge_sources(value: Value, span: &Span) -> Result<Vec<Map<String, Value>>, Error> {
    let sources = match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    let map = |value| match value {
        Value::Object(map) => Ok(map),
        _ => Err(Error::at(&span.start, "`<<` merges maps, and this is none")),
    };
    sources.into_iter().map(map).collect()
}

fn string_key(key: Value, written: &str, span: &Span) -> Result<String, Error> {
    let what = match key {
        Value::String(key) => return Ok(key),
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::Null => "null",
        _ => return Err(Error::at(&span.start, "a key must be a string")),
    };
    Err(Error::at(
        &span.start,
        format!("cannot use the key `{written}`: YAML reads it as {what}; write it in quotes"),
    ))
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    match tag {
        None if style == ScalarStyle::Plain => Ok(resolve(text)),
        None => Ok(Value::String(text.to_owned())),
        Some(tag) if tag.is_yaml_core_schema() => match tag.suffix.as_str() {
            "str" => Ok(Value::String(text.to_owned())),
            "null" | "bool" | "int" | "float" => match resolve(text) {
                Value::String(text) => Err(format!(
                    "cannot read {text:?} as the {} of its tag",
                    tag.suffix
                )),
                value => Ok(value),
            },
            other => Err(format!("cannot read a value of the type !!{other}")),
        },
        Some(tag) if tag.handle == "!" && tag.suffix.is_empty() => {
            Ok(Value::String(text.to_owned()))
        }
        Some(tag) => Err(format!(
            "cannot read a value of the type {}{}",
            tag.handle, tag.suffix
        )),
    }
}
