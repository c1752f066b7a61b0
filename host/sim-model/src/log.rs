//! Messages in the model's log.

use charmhost_hook_tools::Level;
use serde::{Serialize, Serializer};

/// A message in the model's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Its level.
    #[serde(serialize_with = "name")]
    pub level: Level,
    /// Its text.
    pub message: String,
}

fn name<S: Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(level.as_str())
}
