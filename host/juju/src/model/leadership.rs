//! Whether this unit leads its application (`is-leader`).
//!
//! Cache (ops §9): an answer is valid for 30 seconds from the moment before the
//! call, the time for which Juju guarantees leadership; a failed call changes
//! nothing.

use std::time::Duration;

use charmhost_hook_tools::ToolError;
use serde_json::Value;

use super::Model;
use super::tool_calls::unexpected;

/// How long Juju guarantees leadership after it has confirmed it.
const GUARANTEED: Duration = Duration::from_secs(30);

/// The last answer and the moment before it was asked for.
#[derive(Debug, Default)]
pub(super) struct LeadershipCache(Option<(Duration, bool)>);

impl Model {
    /// Returns whether this unit leads its application.
    pub fn is_leader(&mut self) -> Result<bool, ToolError> {
        if let Some(leader) = self.cached_leadership() {
            return Ok(leader);
        }
        let asked = self.clock.monotonic();
        let leader = match self.call_json("is-leader", &["--format=json"])? {
            Value::Bool(leader) => leader,
            other => return Err(unexpected("is-leader", "a boolean", &other)),
        };
        self.leadership = LeadershipCache(Some((asked, leader)));
        Ok(leader)
    }

    /// Returns the cached answer, if it is still valid; no tool runs.
    pub(super) fn cached_leadership(&self) -> Option<bool> {
        let (asked, leader) = self.leadership.0?;
        let elapsed = self.clock.monotonic().saturating_sub(asked);
        (elapsed < GUARANTEED).then_some(leader)
    }
}
