//! Points in time and durations, which the WIT has as seconds.

use std::time::{Duration, SystemTime};

/// Converts seconds since 1970-01-01 UTC.
pub(crate) fn from_seconds(seconds: f64) -> SystemTime {
    let since = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    SystemTime::UNIX_EPOCH + since
}

/// Converts to seconds since 1970-01-01 UTC; earlier times are negative.
pub(crate) fn to_seconds(time: SystemTime) -> f64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(earlier) => -earlier.duration().as_secs_f64(),
    }
}

/// Converts a number of seconds.
pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
