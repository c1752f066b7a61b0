//! What a hook tool prints, in the formats of Juju (juju §3.1).

use std::cmp::Ordering;
use std::fmt::Write;

use serde_json::Value;

use super::number::number_text;
use super::yaml;

/// What a tool has to say.
#[derive(Debug, PartialEq)]
pub enum ToolOutput {
    /// Any value; null is nothing, but in JSON.
    Value(Value),
    /// A map that was never made: null in JSON, and empty elsewhere.
    NoMap,
    /// A list of names: one a line in the format `smart`.
    Lines(Vec<String>),
    /// Text without a newline.
    Raw(String),
    /// A document whose keys have an order, and which is not the same in both
    /// formats. Times in it are `plain` in YAML.
    Document {
        /// As JSON.
        json: Value,
        /// As YAML.
        yaml: Value,
        /// What is not quoted there.
        plain: Vec<String>,
    },
}

impl ToolOutput {
    /// What the tool prints in a format: `smart`, `yaml` or `json`.
    pub fn print(self, format: &str) -> String {
        match (self, format) {
            (ToolOutput::Lines(lines), "smart") => smart_line(&lines.join("\n")),
            (ToolOutput::Lines(lines), _) => ToolOutput::Value(lines.into()).print(format),
            (ToolOutput::NoMap, "json") => "null\n".to_owned(),
            (ToolOutput::NoMap, _) => "{}\n".to_owned(),
            (ToolOutput::Raw(text), _) => text,
            (ToolOutput::Document { json: value, .. }, "json") => {
                let mut out = String::new();
                json(&mut out, &value);
                out.push('\n');
                out
            }
            (ToolOutput::Document { yaml, plain, .. }, _) => {
                let text = yaml::to_string(&yaml);
                plain
                    .iter()
                    .fold(text, |text, time| text.replace(&format!("{time:?}"), time))
            }
            (ToolOutput::Value(value), format) if has_map(&value) => ToolOutput::Document {
                json: in_order(value.clone(), &|a, b| a.cmp(b)),
                yaml: in_order(value, &yaml::key_order),
                plain: Vec::new(),
            }
            .print(format),
            (ToolOutput::Value(value), "json") => {
                let mut out = String::new();
                json(&mut out, &value);
                out.push('\n');
                out
            }
            (ToolOutput::Value(Value::Null), _) => String::new(),
            (ToolOutput::Value(value), "yaml") => yaml::to_string(&value),
            (ToolOutput::Value(Value::String(text)), _) => smart_line(&text),
            (ToolOutput::Value(Value::Bool(value)), _) => {
                let text = if value { "True\n" } else { "False\n" };
                text.to_owned()
            }
            (ToolOutput::Value(value), _) => yaml::to_string(&value),
        }
    }
}

fn smart_line(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("{text}\n"),
    }
}

fn has_map(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().any(has_map),
        _ => false,
    }
}

/// The value with the keys of its maps sorted, as Go prints maps.
fn in_order(value: Value, order: &dyn Fn(&str, &str) -> Ordering) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_by(|a, b| order(&a.0, &b.0));
            let entries = entries.into_iter();
            let sorted = entries.map(|(key, value)| (key, in_order(value, order)));
            Value::Object(sorted.collect())
        }
        Value::Array(items) => {
            let items = items.into_iter();
            Value::Array(items.map(|item| in_order(item, order)).collect())
        }
        other => other,
    }
}

/// JSON as Go writes it: keys sorted, and what HTML would take for markup
/// escaped.
fn json(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number, 21)),
        Value::String(text) => json_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json_string(out, key);
                out.push(':');
                json(out, value);
            }
            out.push('}');
        }
    }
}

fn json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_print_as_go_prints_them() {
        for (value, smart, yaml, json) in [
            (json!(null), "", "", "null\n"),
            (json!(""), "", "\"\"\n", "\"\"\n"),
            (json!("a b"), "a b\n", "a b\n", "\"a b\"\n"),
            (json!("true"), "true\n", "\"true\"\n", "\"true\"\n"),
            (json!(true), "True\n", "true\n", "true\n"),
            (json!(3.0), "3\n", "3\n", "3\n"),
            (json!(1e6), "1e+06\n", "1e+06\n", "1000000\n"),
            (json!(999_999), "999999\n", "999999\n", "999999\n"),
            (json!(1_000_000), "1e+06\n", "1e+06\n", "1000000\n"),
            (
                json!(12_345_678_901_234_567_i64),
                "1.2345678901234568e+16\n",
                "1.2345678901234568e+16\n",
                "12345678901234568\n",
            ),
            (json!(1e21), "1e+21\n", "1e+21\n", "1e+21\n"),
            (json!(0.00001), "1e-05\n", "1e-05\n", "0.00001\n"),
            (json!(0.0000001), "1e-07\n", "1e-07\n", "1e-7\n"),
            (json!(123456.5), "123456.5\n", "123456.5\n", "123456.5\n"),
            (
                json!({"b": 1, "a": []}),
                "a: []\nb: 1\n",
                "a: []\nb: 1\n",
                "{\"a\":[],\"b\":1}\n",
            ),
            (json!({}), "{}\n", "{}\n", "{}\n"),
            (
                json!("<&\u{1}é"),
                "<&\u{1}é\n",
                "\"<&\\x01é\"\n",
                "\"\\u003c\\u0026\\u0001é\"\n",
            ),
        ] {
            for (format, wanted) in [("smart", smart), ("yaml", yaml), ("json", json)] {
                let got = ToolOutput::Value(value.clone()).print(format);
                assert_eq!(got, wanted, "{value} as {format}");
            }
        }
    }

    #[test]
    fn names_print_one_a_line() {
        let lines = || ToolOutput::Lines(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(lines().print("smart"), "a\nb\n");
        assert_eq!(lines().print("yaml"), "- a\n- b\n");
        assert_eq!(lines().print("json"), "[\"a\",\"b\"]\n");
        assert_eq!(ToolOutput::Lines(vec![]).print("smart"), "");
        assert_eq!(ToolOutput::Lines(vec![]).print("yaml"), "[]\n");
    }
}
