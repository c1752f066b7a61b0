//! `is-leader`.

use super::format::Shown;
use super::{Formats, Refusal, Tool};

pub const GET: Tool = Tool {
    name: "is-leader",
    usage: "[options]",
    purpose: "Print whether this unit leads its application.",
    flags: &[],
    formats: Formats::Smart,
    run: |hook, call| {
        call.arguments.none().map_err(Refusal::Usage)?;
        Ok(Some(Shown::Value(hook.model().leader.into())))
    },
};
