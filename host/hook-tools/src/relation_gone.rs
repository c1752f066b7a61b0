//! Error messages of hook tools for a relation that is gone (ops §8).

use crate::table::{self, Subject};

/// Returns whether a tool reports in lower case that a relation of the charm is
/// gone: `relation not found` or `relation 7 not found`, from a tool that is about
/// relations, or about a secret and a relation. Of the latter, ops makes a secret
/// that does not exist.
pub(crate) fn is_reported(tool: &str, lower: &str) -> bool {
    let names_relation = table::tool(tool).is_some_and(|tool| match tool.subject {
        Subject::Relation => true,
        Subject::Secret => tool.flags.contains(&table::RELATION),
        Subject::State | Subject::Log | Subject::Other => false,
    });
    if !names_relation {
        return false;
    }
    lower.contains("relation not found")
        || lower.split("relation ").skip(1).any(|rest| {
            let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            after.len() < rest.len() && after.starts_with(" not found")
        })
}

/// Returns whether a message, in lower case, denies access as Juju does for a
/// relation that is gone.
pub(crate) fn is_denied(lower: &str) -> bool {
    lower.contains("permission denied")
}
