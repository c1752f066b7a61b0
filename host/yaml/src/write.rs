//! Writes values as text that every reader of YAML 1.1 reads the same way.

use std::fmt::Write;

use serde_json::{Map, Value};

/// The longest key, in written characters, on one line with its colon: readers
/// accept at most 1,024 characters (YAML 1.1 §7.4.2).
const SIMPLE_KEY: usize = 1000;

/// Writes a value as YAML: one item per line, keys in their order, every string in
/// double quotes. Escapes characters that a reader may reject or fold.
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(&mut out, map, 0),
        Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0),
        scalar => {
            inline(&mut out, scalar);
            out.push('\n');
        }
    }
    out
}

/// Quotes a text as [`to_string`] does, without a line break.
pub fn quote(text: &str) -> String {
    let mut out = String::new();
    quoted(&mut out, text);
    out
}

/// Writes a text as a key of the outermost mapping, up to its colon.
pub fn quote_key(text: &str) -> String {
    let mut out = String::new();
    key(&mut out, text, 0);
    out
}

fn mapping(out: &mut String, map: &Map<String, Value>, depth: usize) {
    for (name, value) in map {
        indent(out, depth);
        key(out, name, depth);
        nested(out, value, depth);
    }
}

fn key(out: &mut String, text: &str, depth: usize) {
    let text = quote(text);
    if text.len() > SIMPLE_KEY {
        out.push_str("? ");
        out.push_str(&text);
        out.push('\n');
        indent(out, depth);
    } else {
        out.push_str(&text);
    }
    out.push(':');
}

fn sequence(out: &mut String, items: &[Value], depth: usize) {
    for item in items {
        indent(out, depth);
        out.push('-');
        nested(out, item, depth);
    }
}

/// Writes the value after a key or a dash.
fn nested(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            mapping(out, map, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            sequence(out, items, depth + 1);
        }
        scalar => {
            out.push(' ');
            inline(out, scalar);
            out.push('\n');
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn inline(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => number_text(out, number),
        Value::String(text) => quoted(out, text),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// Writes a number. In YAML 1.1 a number with an exponent is a string unless it has
/// a decimal point and the exponent has a sign.
fn number_text(out: &mut String, number: &serde_json::Number) {
    let text = number.to_string();
    match text.split_once('e') {
        None => out.push_str(&text),
        Some((mantissa, exponent)) => {
            out.push_str(mantissa);
            if !mantissa.contains('.') {
                out.push_str(".0");
            }
            out.push('e');
            if !exponent.starts_with(['+', '-']) {
                out.push('+');
            }
            out.push_str(exponent);
        }
    }
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            ' '..='~' => out.push(c),
            // Letters stay readable; characters that a reader may reject or fold
            // (control characters, line separators, byte order marks) are escaped.
            _ if c.is_alphanumeric() && (c as u32) < 0x1_0000 => out.push(c),
            _ => escape(out, c as u32),
        }
    }
    out.push('"');
}

fn escape(out: &mut String, code: u32) {
    // Writing to a string cannot fail.
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}
