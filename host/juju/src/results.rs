//! The results of an action.

use serde_json::Value;

use charmhost_hook_tools::ToolError;

/// Names that Juju keeps for itself in results, in any part of a key.
const RESERVED: [&str; 4] = ["stdout", "stdout-encoding", "stderr", "stderr-encoding"];

/// Turns a JSON object into the pairs that `action-set` takes: nested objects
/// are joined with dots, strings stay as they are, other values become text as
/// JSON writes them.
///
/// A key is refused if Juju would refuse it, or if it comes up twice.
pub fn flatten_results(results: &Value) -> Result<Vec<(String, String)>, ToolError> {
    let Value::Object(_) = results else {
        return Err(invalid("they are not a JSON object".to_owned()));
    };
    let mut pairs: Vec<(String, String)> = Vec::new();
    flatten("", results, &mut pairs)?;
    for (position, (key, _)) in pairs.iter().enumerate() {
        if pairs
            .iter()
            .take(position)
            .any(|(earlier, _)| earlier == key)
        {
            return Err(invalid(format!("the key {key:?} comes up twice")));
        }
    }
    Ok(pairs)
}

fn invalid(detail: String) -> ToolError {
    ToolError::invalid(
        "action-set",
        format!("cannot set the action's results: {detail}"),
    )
}

fn flatten(
    prefix: &str,
    value: &Value,
    pairs: &mut Vec<(String, String)>,
) -> Result<(), ToolError> {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                check_key(key)?;
                let path = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&path, value, pairs)?;
            }
        }
        Value::String(text) => pairs.push((prefix.to_owned(), text.clone())),
        other => pairs.push((prefix.to_owned(), other.to_string())),
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), ToolError> {
    for part in key.split('.') {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let well_formed = part.starts_with(allowed)
            && part.ends_with(allowed)
            && part.chars().all(|c| allowed(c) || c == '-');
        if !well_formed {
            return Err(invalid(format!(
                "the key {key:?} is malformed; use lower-case letters, digits, hyphens and dots, and begin and end with a letter or digit"
            )));
        }
        if RESERVED.contains(&part) {
            return Err(invalid(format!("Juju keeps the key {part:?} for itself")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_results_are_joined_with_dots() {
        let pairs = flatten_results(&json!({
            "text": "a b", "n": 1, "f": 1.5, "yes": true, "nothing": null, "list": [1, "x"],
            "a": {"b": {"c": "deep"}, "empty": {}}
        }))
        .unwrap();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(
            pairs,
            [
                ("text", "a b"),
                ("n", "1"),
                ("f", "1.5"),
                ("yes", "true"),
                ("nothing", "null"),
                ("list", "[1,\"x\"]"),
                ("a.b.c", "deep")
            ]
        );
    }

    #[test]
    fn keys_that_juju_refuses_are_refused_by_name() {
        for (results, wanted) in [
            (json!({"a_b": 1}), "the key \"a_b\" is malformed"),
            (json!({"A": 1}), "the key \"A\" is malformed"),
            (json!({"a": {"-b": 1}}), "the key \"-b\" is malformed"),
            (json!({"a..b": 1}), "the key \"a..b\" is malformed"),
            (json!({"": 1}), "the key \"\" is malformed"),
            (
                json!({"a": {"stdout": 1}}),
                "Juju keeps the key \"stdout\" for itself",
            ),
            (
                json!({"a": {"b": 1}, "a.b": 2}),
                "the key \"a.b\" comes up twice",
            ),
            (json!([1]), "they are not a JSON object"),
        ] {
            let error = flatten_results(&results).unwrap_err().to_string();
            assert!(error.contains(wanted), "{results} gave {error}");
        }
    }
}
