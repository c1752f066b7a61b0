//! The secrets of the recorded contexts, and the lines about secrets.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{Content, Grant, SecretOwner, SecretView, UnitView};

/// What runs before lines about secrets: `{"lines": [n…], "before": [call…]}`.
const SETUP: &str = include_str!("../../../tests/real-answers/secret-setup.jsonl");
/// Lines about secrets that are meant to differ:
/// `{"lines": [n…], "answer": …, "reason": "…"}`.
pub const EXCEPTIONS: &str = include_str!("../../../tests/real-answers/secret-exceptions.jsonl");

/// Adds the secrets of a context to its model.
pub fn add(model: &mut UnitView) {
    let uni = "zażółć 🦊\nsecond line\n\ttab";
    let content = |pairs: &[(&str, &str)]| Content::text(pairs.iter().copied());
    let mut app = SecretView::new(
        "9m4e2mr0ui3e8a215n4g",
        SecretOwner::App,
        content(&[("user", "u1"), ("password", "p1")]),
    );
    app.add_revision(content(&[("user", "u2"), ("password", "p2")]));
    app.label = "mine".to_owned();
    app.description = "d".to_owned();
    app.rotate = Some("daily".to_owned());
    app.expire = Some("2027-01-01T00:00:00Z".to_owned());
    app.grants = vec![Grant {
        relation: 7,
        unit: None,
    }];
    let mut unit = SecretView::new(
        "9m4e2mr0ui3e8a215n60",
        SecretOwner::Unit,
        content(&[("key", "v")]),
    );
    unit.label = "unitsec".to_owned();
    let mut remote = SecretView::new(
        "9m4e2mr0ui3e8a215n50",
        SecretOwner::Remote("mysql".to_owned()),
        content(&[("key", "old"), ("uni", uni)]),
    );
    remote.add_revision(content(&[("key", "new"), ("uni", uni)]));
    remote.consumer_label = Some("lab".to_owned());
    for secret in [app, unit, remote] {
        model.secrets.insert(secret.id.clone(), secret);
    }
}

/// What an answer prints around ids, the ids in their order, and how many more
/// there are that the hook itself gave out: `secret-ids` lists them at random.
pub fn comparable(text: &str) -> Value {
    let is_of_id = |c: char| c.is_ascii_alphanumeric();
    let around: Vec<&str> = text
        .split(is_of_id)
        .filter(|part| !part.is_empty())
        .collect();
    let words = text
        .split(|c: char| !is_of_id(c))
        .filter(|word| !word.is_empty());
    let (made, others): (BTreeSet<&str>, BTreeSet<&str>) =
        words.partition(|word| word.len() == 20 && word.starts_with("d0000"));
    json!([around, others, made.len()])
}

#[test]
fn the_secret_tools_answer_as_those_of_a_real_agent() {
    super::replay(true, SETUP, EXCEPTIONS);
}
