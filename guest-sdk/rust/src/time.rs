//! Points in time and durations, which the WIT has as seconds.

use std::time::{Duration, SystemTime};

/// Converts seconds since 1970-01-01 UTC.
pub(crate) fn from_seconds(seconds: f64) -> SystemTime {
    let since = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    SystemTime::UNIX_EPOCH + since
}
