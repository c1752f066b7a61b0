//! Differences between two runs.

use serde_json::Value;

use crate::differences::{Differences, Side, What};
use crate::record::Dispatch;
use crate::run::Pair;

/// The differences that are not listed, each in some lines; none if the two
/// agree.
pub fn compare(scenario: &str, pair: &Pair, listed: &Differences) -> Vec<String> {
    let mut found = Vec::new();
    let events = |dispatches: &[Dispatch]| -> Vec<String> {
        dispatches
            .iter()
            .map(|dispatch| dispatch.event.clone())
            .collect()
    };
    let (ours, theirs) = (&pair.ours.dispatches, &pair.theirs.dispatches);
    differ("events", &events(ours), &events(theirs), &mut found);
    for (number, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let place = |what: &str| format!("{} {}: {what}", number + 1, ours.event);
        let codes = |dispatch: &Dispatch| vec![format!("{:?}", dispatch.exit_code)];
        differ(
            &place("exit code"),
            &codes(ours),
            &codes(theirs),
            &mut found,
        );
        differ(
            &place("deferred"),
            &ours.deferred,
            &theirs.deferred,
            &mut found,
        );
        for what in [What::Call, What::Log] {
            let name = if what == What::Call { "calls" } else { "logs" };
            let ours = lines(scenario, ours, what, Side::Ours, listed);
            let theirs = lines(scenario, theirs, what, Side::Theirs, listed);
            differ(&place(name), &ours, &theirs, &mut found);
        }
    }
    compare_models(&pair.ours.model, &pair.theirs.model, &mut found);
    found
}

fn lines(
    scenario: &str,
    dispatch: &Dispatch,
    what: What,
    side: Side,
    listed: &Differences,
) -> Vec<String> {
    let lines: Vec<String> = match what {
        // What was logged is compared as logs.
        What::Call => dispatch
            .hook_tools
            .iter()
            .filter(|call| call.tool != "juju-log")
            .map(|call| call.line())
            .collect(),
        What::Log => dispatch.logs.iter().map(|line| line.line()).collect(),
    };
    let compared = |line| listed.compared(scenario, side, what, &dispatch.event, line);
    in_some_order(lines.into_iter().filter_map(compared).collect())
}

/// Sorts ports that are opened or closed one after the other: ops takes them
/// from a set, whose order is another one in each run.
fn in_some_order(mut lines: Vec<String>) -> Vec<String> {
    for tool in ["open-port ", "close-port "] {
        let is_port = |line: &String| line.starts_with(tool);
        for group in lines.chunk_by_mut(|a, b| is_port(a) == is_port(b)) {
            if group.iter().all(is_port) {
                group.sort();
            }
        }
    }
    lines
}

/// Adds a difference of two lists of lines, if there is one: the lines from the
/// first to the last that differ.
fn differ(place: &str, ours: &[String], theirs: &[String], found: &mut Vec<String>) {
    if ours == theirs {
        return;
    }
    let same = |a: &[String], b: &[String]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let start = same(ours, theirs);
    let reversed = |lines: &[String]| lines.iter().skip(start).rev().cloned().collect::<Vec<_>>();
    let end = same(&reversed(ours), &reversed(theirs));
    let mut text = format!("  {place}");
    for (mark, lines) in [("ours  ", ours), ("theirs", theirs)] {
        let shown = lines.get(start..lines.len() - end).unwrap_or_default();
        for line in shown {
            text.push_str(&format!("\n    {mark} {line}"));
        }
        if shown.is_empty() {
            text.push_str(&format!("\n    {mark} (nothing)"));
        }
    }
    found.push(text);
}

/// Compares two models key by key, so that the difference is short.
fn compare_models(ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    let (Some(ours), Some(theirs)) = (ours.as_object(), theirs.as_object()) else {
        found.push("  the models are no maps".to_owned());
        return;
    };
    let mut keys: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let text = |model: &serde_json::Map<String, Value>| {
            vec![model.get(key).unwrap_or(&Value::Null).to_string()]
        };
        differ(&format!("model: {key}"), &text(ours), &text(theirs), found);
    }
}
