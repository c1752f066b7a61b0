//! Error messages of hook tools for a relation that is gone (ops §8).

/// Returns whether a message, in lower case, is `relation not found` or
/// `relation 7 not found`. Only tools that are about relations mean a relation of
/// the charm by that.
pub(crate) fn is_not_found(lower: &str) -> bool {
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
