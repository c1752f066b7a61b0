//! YAML in the manner of Juju's own writer: keys in the order that they have, strings plain where
//! that is safe, lists not indented below their key.
//!
//! One difference is meant: long strings are not folded.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::format::number_text;

/// Writes a value, with a newline at the end.
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(&mut out, map, 0),
        Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0),
        scalar => {
            inline(&mut out, scalar, 1);
            out.push('\n');
        }
    }
    out
}

/// Writes a map whose first line is already indented.
fn mapping(out: &mut String, map: &Map<String, Value>, depth: usize) {
    for (place, (key, value)) in map.iter().enumerate() {
        if place > 0 {
            indent(out, depth);
        }
        scalar(out, key);
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                indent(out, depth + 1);
                mapping(out, inner, depth + 1);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                indent(out, depth);
                sequence(out, items, depth);
            }
            plain => {
                out.push(' ');
                inline(out, plain, depth + 1);
                out.push('\n');
            }
        }
    }
}

/// Writes a list whose first line is already indented.
fn sequence(out: &mut String, items: &[Value], depth: usize) {
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            indent(out, depth);
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => mapping(out, map, depth + 1),
            Value::Array(inner) if !inner.is_empty() => sequence(out, inner, depth + 1),
            plain => {
                inline(out, plain, depth + 1);
                out.push('\n');
            }
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn inline(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number, 6)),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
        Value::String(text) if is_block(text) => block(out, text, depth),
        Value::String(text) => scalar(out, text),
    }
}

/// Whether text of several lines can be written as such: everything in it is
/// printable, and no white space would be lost or taken for indentation. Juju
/// loses empty lines at the end; here such text is quoted.
fn is_block(text: &str) -> bool {
    let printable = |c: char| c == '\n' || !c.is_control() && !is_break(c);
    text.contains('\n')
        && text.chars().all(printable)
        && !text.starts_with([' ', '\n'])
        && !text.contains(" \n")
        && !text.ends_with("\n\n")
        && !text.ends_with(' ')
}

fn block(out: &mut String, text: &str, depth: usize) {
    out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(out, depth);
            out.push_str(line);
        }
    }
}

/// Separators that only some readers take for the end of a line.
fn is_break(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn scalar(out: &mut String, text: &str) {
    let special = text.chars().any(|c| c.is_control() || is_break(c));
    // A reader that knows dates would make one of it.
    let date = text.len() >= 8
        && text.bytes().take(4).all(|b| b.is_ascii_digit())
        && text.as_bytes().get(4) == Some(&b'-');
    match charmhost_yaml::parse(text) {
        _ if special || date => quoted(out, text),
        Ok(Value::String(read)) if read == text => out.push_str(text),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_)) if !text.starts_with('#') => {
            quoted(out, text);
        }
        _ => {
            out.push('\'');
            out.push_str(&text.replace('\'', "''"));
            out.push('\'');
        }
    }
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        // Writing to a string cannot fail.
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            _ if !c.is_control() && !is_break(c) => write!(out, "{c}"),
            _ if (c as u32) <= 0xff => write!(out, "\\x{:02x}", c as u32),
            _ => write!(out, "\\u{:04x}", c as u32),
        };
    }
    out.push('"');
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
            ("a, b", "a, b"),
            ("it's", "it's"),
            ("", "\"\""),
            ("8080", "\"8080\""),
            ("yes", "\"yes\""),
            ("null", "\"null\""),
            ("2026-01-02", "\"2026-01-02\""),
            ("a: b", "'a: b'"),
            ("- a", "'- a'"),
            ("#a", "'#a'"),
            ("a #b", "'a #b'"),
            ("'x'", "'''x'''"),
            (" x", "' x'"),
            ("{a}", "'{a}'"),
            ("@a", "'@a'"),
            ("*a", "'*a'"),
            ("a\tb", "\"a\\tb\""),
            ("a\n", "|\n  a"),
            (" a\n", "\" a\\n\""),
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
        // In YAML 1.1 y and n are booleans to some readers and strings to others.
        let got = to_string(&value)
            .replace("- y\n", "- \"y\"\n")
            .replace("  n:", "  \"n\":");
        assert_eq!(got, wanted);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "a\nb",
            "a\n b\n\n",
            " a\nb",
            "a \nb",
            "x: y\n- z",
            "\u{2028}",
            "~",
            "é\u{7f}",
            "%a",
            "a:",
            "? b",
            "0o17",
            "1e3",
            ".inf",
        ] {
            for value in [json!(text), json!({text: text}), json!([[text]])] {
                let written = to_string(&value);
                assert_eq!(charmhost_yaml::parse(&written), Ok(value), "{written:?}");
            }
        }
    }
}
