//! Points in time as hook tools read and print them: RFC 3339, also with a blank
//! in place of the `T` (ops §12). Elsewhere they are seconds since 1970-01-01 UTC.

use std::time::Duration;

use jiff::Timestamp;

/// Microseconds of a second.
const MICROS: i64 = 1_000_000;

/// Reads a time, rounded to microseconds; none for another form.
pub(super) fn parse(text: &str) -> Option<f64> {
    let nanos = text.parse::<Timestamp>().ok()?.as_nanosecond();
    let micros = (nanos + 500).div_euclid(1000);
    Some(micros as f64 / MICROS as f64)
}

/// Returns a time in UTC, with microseconds unless they are zero (ops §7); none
/// for one before 1970 or after the year 9999.
pub(super) fn rfc3339(seconds: f64) -> Option<String> {
    if seconds.is_nan() || seconds < 0.0 {
        return None;
    }
    let micros = (seconds * MICROS as f64).round() as i64;
    let time = Timestamp::from_microsecond(micros).ok()?;
    Some(match micros % MICROS {
        0 => format!("{time:.0}"),
        _ => format!("{time:.6}"),
    })
}

/// Returns a time of the clock in UTC as Python prints it, with microseconds; the
/// latest possible one for a clock that is far beyond it.
pub(super) fn python_iso(since_1970: Duration) -> String {
    let micros = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
    let time = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX);
    format!("{time:.6}").replace('Z', "+00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_of_juju() {
        for (text, wanted) in [
            ("1970-01-01T00:00:00Z", Some(0.0)),
            ("2026-01-02 03:04:05Z", Some(1_767_323_045.0)),
            ("2026-01-02T05:04:05+02:00", Some(1_767_323_045.0)),
            ("2026-01-02T01:34:05-01:30", Some(1_767_323_045.0)),
            ("2026-01-02T03:04:05.1234567Z", Some(1_767_323_045.123_457)),
            (
                "2026-01-02T03:04:05.123456789+00:00",
                Some(1_767_323_045.123_457),
            ),
            ("2026-01-02T03:04:05", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
    }

    #[test]
    fn times_are_written_as_by_ops() {
        for (seconds, wanted) in [
            (0.0, Some("1970-01-01T00:00:00Z")),
            (1_767_323_045.0, Some("2026-01-02T03:04:05Z")),
            (1_767_323_045.25, Some("2026-01-02T03:04:05.250000Z")),
            (0.999_999_9, Some("1970-01-01T00:00:01Z")),
            (-1.0, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (253_402_300_800.0, None),
        ] {
            assert_eq!(rfc3339(seconds).as_deref(), wanted, "{seconds}");
        }
        assert_eq!(
            python_iso(Duration::from_micros(1_500_000)),
            "1970-01-01T00:00:01.500000+00:00"
        );
    }
}
