//! Points in time and durations, as the daemon writes them (`pebble §1`).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const MICROS_PER_SECOND: f64 = 1e6;

/// A point in time with a precision of nanoseconds. Displayed as RFC 3339 in UTC,
/// which the daemon reads back exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Reads RFC 3339 with up to nine digits of a second, in any zone.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Timestamp)
    }

    /// Seconds since 1970-01-01 UTC, to within a microsecond.
    pub fn seconds(self) -> f64 {
        self.0.as_duration().as_secs_f64()
    }

    /// The whole microsecond at or after that many seconds since 1970-01-01 UTC:
    /// what happened at a time that [`Timestamp::seconds`] rounded down did not
    /// happen after it. None outside of the years that exist.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let micros = (seconds * MICROS_PER_SECOND).ceil();
        // Larger numbers saturate, and have no year either.
        let micros = (!micros.is_nan()).then_some(micros as i64)?;
        jiff::Timestamp::from_microsecond(micros)
            .ok()
            .map(Timestamp)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse(&text)
            .ok_or_else(|| de::Error::custom(format!("{text:?} is not a time in RFC 3339")))
    }
}

/// The digits after a decimal point, as billionths. Further digits are dropped.
fn decimals(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    format!("{digits:0<9}").get(..9)?.parse().ok()
}

/// A duration for a request.
pub(crate) fn go_duration(duration: Duration) -> String {
    format!("{}.{:09}s", duration.as_secs(), duration.subsec_nanos())
}

/// Reads a duration in the syntax of Go, for example `1h30m0.5s`.
fn parse_go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanos: u64 = 0;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(unit_at)?;
        let (scale, after) = unit(after)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let billionths = decimals(fraction)? * scale / NANOS_PER_SECOND;
        let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
        nanos = nanos.checked_add(whole)?.checked_add(billionths)?;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_nanos(nanos))
}

/// The nanoseconds of a unit, and the text after it.
fn unit(text: &str) -> Option<(u64, &str)> {
    const UNITS: [(&str, u64); 8] = [
        ("ns", 1),
        ("us", 1000),
        ("µs", 1000),
        ("μs", 1000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    UNITS
        .iter()
        .find_map(|(name, scale)| Some((*scale, text.strip_prefix(name)?)))
}

/// Deserializes a duration that may be absent.
pub(crate) fn optional_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    parse_go_duration(&text)
        .map(Some)
        .ok_or_else(|| de::Error::custom(format!("{text:?} is not a duration")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_nanoseconds_in_every_zone() {
        for (text, wanted, seconds) in [
            ("1970-01-01T02:00:00.5+02:00", "1970-01-01T00:00:00.5Z", 0.5),
            ("1969-12-31T23:59:58.25Z", "1969-12-31T23:59:58.25Z", -1.75),
            (
                "2026-01-02T03:04:05.123456789Z",
                "2026-01-02T03:04:05.123456789Z",
                1_767_323_045.123_456_7,
            ),
            (
                "0001-01-01T00:00:00Z",
                "0001-01-01T00:00:00Z",
                -62_135_596_800.0,
            ),
        ] {
            let time = Timestamp::parse(text).unwrap();
            assert_eq!(
                (time.to_string().as_str(), time.seconds()),
                (wanted, seconds)
            );
        }
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn seconds_become_the_next_whole_microsecond() {
        for text in [
            "2026-11-22T01:02:03.123456789Z",
            "2026-11-22T01:02:03.999999999Z",
            "1969-12-31T23:59:59.000000001Z",
        ] {
            let time = Timestamp::parse(text).unwrap();
            let back = Timestamp::from_seconds(time.seconds()).unwrap();
            assert!(back >= time, "{back} is before {time}");
            assert!(back.seconds() - time.seconds() < 2e-6);
        }
        for seconds in [f64::NAN, f64::INFINITY, 1e300, -1e300] {
            assert_eq!(Timestamp::from_seconds(seconds), None);
        }
    }

    #[test]
    fn durations_are_read_in_all_spellings() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("1h30m", 5_400_000_000_000),
            ("1m30s", 90_000_000_000),
            ("168h0m0s", 604_800_000_000_000),
            ("1.5s", 1_500_000_000),
            ("500ms", 500_000_000),
            ("2.25us", 2250),
            ("3µs", 3000),
            ("7ns", 7),
        ] {
            let wanted = Duration::from_nanos(nanos);
            assert_eq!(parse_go_duration(text), Some(wanted), "{text}");
            assert_eq!(parse_go_duration(&go_duration(wanted)), Some(wanted));
        }
        for text in ["", "5", "s", "1x", "1.s", "-1s", "9999999999999999h"] {
            assert_eq!(parse_go_duration(text), None, "{text}");
        }
    }
}
