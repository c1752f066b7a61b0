//! Points in time (`pebble §1`).

use serde::Deserialize;

/// A point in time, in RFC 3339 with up to nine digits of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Timestamp(jiff::Timestamp);

impl TryFrom<String> for Timestamp {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse().map(Timestamp)
    }
}

impl Timestamp {
    /// Returns the seconds since 1970-01-01 UTC.
    pub fn seconds(self) -> f64 {
        self.0.as_duration().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_any_zone_and_fraction() {
        for (text, seconds) in [
            ("1970-01-01T00:00:01Z", 1.0),
            ("1970-01-01T02:00:00.5+02:00", 0.5),
            ("1969-12-31T23:59:58.25Z", -1.75),
            ("2026-01-02T03:04:05.123456789Z", 1_767_323_045.123_456_7),
        ] {
            let time = Timestamp::try_from(text.to_owned()).unwrap();
            assert_eq!(time.seconds(), seconds, "{text}");
        }
        assert!(Timestamp::try_from("yesterday".to_owned()).is_err());
    }
}
