//! Documents have the values that Python's safe loader reads: `pyyaml.json` was
//! written by PyYAML 6, except infinite numbers and dates, which are strings.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use charmhost_yaml::{parse, quote, quote_key, to_string};
use serde_json::{Value, json};

fn table() -> Value {
    serde_json::from_str(include_str!("pyyaml.json")).unwrap()
}

#[test]
fn plain_scalars_resolve_as_with_pyyaml() {
    for row in table()["scalars"].as_array().unwrap() {
        let text = row[0].as_str().unwrap();
        let read = parse(&format!("k: {text}")).unwrap();
        assert_eq!(read["k"], row[1], "{text}");
    }
}

#[test]
fn documents_are_read_as_with_pyyaml() {
    for row in table()["documents"].as_array().unwrap() {
        let text = row[0].as_str().unwrap();
        assert_eq!(parse(text).unwrap(), row[1], "{text}");
    }
}

#[test]
fn written_values_can_be_read() {
    let strings = [
        "y",
        "no",
        "on",
        "null",
        "~",
        "",
        " ",
        "1e3",
        "0o17",
        "1:30",
        "=",
        "<<",
        "a/b",
        "ö",
        "日本",
        "😀",
        "\"quoted\"",
        "back\\slash",
        "line\nbreak",
        "tab\t",
        "\u{2028}",
        "\u{85}",
        "\u{feff}",
        "\u{7f}",
        "\0",
        "# no comment",
        "- no list",
        "key: value",
        "{",
        "[",
        "%",
        "@",
        "`",
        "!x",
    ];
    for text in strings {
        let value = json!({ text: text, "list": [text, {"nested": text}], "empty": {} });
        assert_eq!(parse(&to_string(&value)).unwrap(), value, "{text:?}");
    }
    for number in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(1e-7),
        json!(i64::MAX),
    ] {
        let value = json!({ "n": number });
        assert_eq!(parse(&to_string(&value)).unwrap(), value);
    }
    for value in [
        json!(null),
        json!([]),
        json!({}),
        json!([[], [[]], {"a": null}]),
        json!(true),
    ] {
        assert_eq!(parse(&to_string(&value)).unwrap(), value);
    }
}

#[test]
fn every_string_is_written_in_quotes() {
    let text = to_string(&json!({"a": "b", "n": 1, "l": ["x"]}));
    assert_eq!(text, "\"a\": \"b\"\n\"n\": 1\n\"l\":\n  - \"x\"\n");
}

#[test]
fn long_keys_are_on_separate_lines() {
    let [short, long, longest] = [998, 999, 20_000].map(|length| "k".repeat(length));
    let escaped = "\u{1f600}".repeat(101);
    let value = json!({&short: 1, &long: {&longest: [{&escaped: "a"}], "b": {}}});
    let text = to_string(&value);
    assert_eq!(parse(&text), Ok(value), "{text}");
    let first = |line: &str| line.trim_start().chars().next();
    let marks: String = text.lines().filter_map(first).collect();
    assert_eq!(marks, "\"?:?:-?:\"", "{text}");
    assert_eq!(quote_key("a:"), "\"a:\":");
    assert_eq!(quote_key(&long), format!("? \"{long}\"\n:"));
    assert_eq!(quote("\u{85}\u{2028}é<<\0"), "\"\\x85\\u2028é<<\\x00\"");
}

#[test]
fn errors_have_a_position_and_advice() {
    for (text, wanted) in [
        (
            "on: 1",
            "line 1, column 1: cannot use the key `on`: YAML reads it as a boolean; write it in quotes",
        ),
        (
            "a: 1\n8080: x",
            "line 2, column 1: cannot use the key `8080`: YAML reads it as a number",
        ),
        ("~: x", "cannot use the key `~`: YAML reads it as null"),
        ("? [a]\n: 1", "a key must be a string"),
        ("a: [1", "line "),
        ("a: b: c", "line 1"),
        ("a: *nothing", "line 1"),
        ("a: !!int x", "cannot read \"x\" as the int of its tag"),
        (
            "a: !!python/object:os.system x",
            "cannot read a value of the type",
        ),
        ("a: !custom x", "cannot read a value of the type !custom"),
        ("a: {<<: 1}", "`<<` merges maps"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?} gave {error:?}");
    }
}

#[test]
fn aliases_and_nesting_are_limited() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let previous = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{previous}]\n"));
    }
    assert!(
        parse(&bomb)
            .unwrap_err()
            .to_string()
            .contains("too many values")
    );
    let text = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(100_000),
        vec!["*a"; 50_000].join(", ")
    );
    assert!(
        parse(&text)
            .unwrap_err()
            .to_string()
            .contains("too many values")
    );
    let deep = "[".repeat(10_000);
    assert!(parse(&deep).is_err());
}

#[test]
fn keys_may_be_numbers_if_allowed() {
    let text = "units: {0: {port: 1}, 10: {}}";
    let value = charmhost_yaml::parse_with_number_keys(text).unwrap();
    assert_eq!(
        value,
        serde_json::json!({"units": {"0": {"port": 1}, "10": {}}})
    );
    assert!(charmhost_yaml::parse(text).is_err());
}
