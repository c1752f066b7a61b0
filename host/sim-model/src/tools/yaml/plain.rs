//! What plain scalars are to go-yaml. It writes without quotes what it would
//! read back as a string.

/// Whether a string can be written plain: it is taken for nothing else, also
/// not by readers that know numbers of base 60.
pub fn is_string(text: &str) -> bool {
    tag(text) == "!!str" && !is_base_60(text)
}

/// The tag of a plain scalar.
pub fn tag(text: &str) -> &'static str {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => "!!null",
        _ if is_boolean(text) => "!!bool",
        _ if is_special_float(text) => "!!float",
        _ => match text.bytes().next() {
            // Here an exponent needs no sign.
            Some(b'.') if is_finite(text) => "!!float",
            Some(b'0'..=b'9' | b'+' | b'-') => number_tag(text),
            _ => "!!str",
        },
    }
}

fn number_tag(text: &str) -> &'static str {
    let clean = text.replace('_', "");
    match text {
        _ if is_timestamp(text) => "!!timestamp",
        _ if is_integer(&clean) => "!!int",
        _ if is_float(&clean) => "!!float",
        _ => "!!str",
    }
}

fn is_boolean(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "true"
            | "True"
            | "TRUE"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "false"
            | "False"
            | "FALSE"
            | "off"
            | "Off"
            | "OFF"
    )
}

fn is_special_float(text: &str) -> bool {
    matches!(
        text,
        ".nan"
            | ".NaN"
            | ".NAN"
            | ".inf"
            | ".Inf"
            | ".INF"
            | "+.inf"
            | "+.Inf"
            | "+.INF"
            | "-.inf"
            | "-.Inf"
            | "-.INF"
    )
}

/// An integer as Go writes them: `0b`, `0o`, `0x` or a leading zero for the
/// base, within 64 bits.
fn is_integer(text: &str) -> bool {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let prefixes = [
        ("0b", 2),
        ("0B", 2),
        ("0o", 8),
        ("0O", 8),
        ("0x", 16),
        ("0X", 16),
    ];
    let based = prefixes
        .iter()
        .find_map(|(prefix, base)| Some((digits.strip_prefix(prefix)?, *base)));
    let (digits, base) = based.unwrap_or(match digits.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => (octal, 8),
        _ => (digits, 10),
    });
    if !digits.chars().all(|c| c.is_digit(base)) {
        return false;
    }
    let unsigned_fits = text.len() == digits.len() || !text.starts_with(['+', '-']);
    match u64::from_str_radix(digits, base) {
        Ok(_) if unsigned_fits => true,
        Ok(value) if negative => value <= i64::MIN.unsigned_abs(),
        Ok(value) => i64::try_from(value).is_ok(),
        Err(_) => false,
    }
}

/// A decimal number whose exponent, if it has one, has a sign.
fn is_float(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let well_formed = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole.is_empty() || all_digits(whole)) && all_digits(fraction),
        None => all_digits(mantissa),
    };
    let signed = |exponent: &str| exponent.strip_prefix(['+', '-']).is_some_and(all_digits);
    well_formed && exponent.is_none_or(signed) && is_finite(text)
}

fn is_finite(text: &str) -> bool {
    let digit = text.bytes().any(|b| b.is_ascii_digit());
    digit && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// `2026-01-02`, the same with a time after `T`, `t` or a blank.
fn is_timestamp(text: &str) -> bool {
    let Some((year, rest)) = text.split_once('-') else {
        return false;
    };
    if year.len() != 4 || !year.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let (date, time) = match rest.find(['T', 't', ' ']) {
        Some(place) => (rest.get(..place), rest.get(place..)),
        None => (Some(rest), None),
    };
    let Some((month, day)) = date.and_then(|date| date.split_once('-')) else {
        return false;
    };
    let year = year.parse().unwrap_or_default();
    let (Some(month), Some(day)) = (number(month, 12), number(day, 31)) else {
        return false;
    };
    if month == 0 || day == 0 || day > days(year, month) {
        return false;
    }
    time.is_none_or(is_time)
}

/// ` 15:04:05.6`, or the same after `T` with `Z` or an offset behind it.
fn is_time(text: &str) -> bool {
    let clock = match text.strip_prefix(' ') {
        Some(clock) => Some(clock),
        None => text.get(1..).and_then(without_zone),
    };
    let Some(clock) = clock else { return false };
    let mut parts = clock.splitn(3, ':');
    let (hour, minute, second) = (parts.next(), parts.next(), parts.next());
    let (Some(hour), Some(minute), Some(second)) = (hour, minute, second) else {
        return false;
    };
    let (second, fraction) = match second.split_once(['.', ',']) {
        Some((second, fraction)) => (second, Some(fraction)),
        None => (second, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    number(hour, 23).is_some()
        && number(minute, 59).is_some()
        && number(second, 59).is_some()
        && fraction.is_none_or(digits)
}

fn without_zone(text: &str) -> Option<&str> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some(clock);
    }
    let (clock, zone) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    let fits = hours.len() == 2 && minutes.len() == 2;
    (fits && number(hours, 24).is_some() && number(minutes, 60).is_some()).then_some(clock)
}

/// One or two digits, up to a maximum.
fn number(text: &str, max: u32) -> Option<u32> {
    let fits = matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| fits && *number <= max)
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `12:30:45`, which other readers take for a number of base 60.
fn is_base_60(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (digits, fraction) = match digits.split_once('.') {
        Some((digits, fraction)) => (digits, fraction),
        None => (digits, ""),
    };
    let loose = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let Some((first, rest)) = digits.split_once(':') else {
        return false;
    };
    first.starts_with(|c: char| c.is_ascii_digit())
        && loose(first)
        && loose(fraction)
        && rest.split(':').all(|part| number(part, 59).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_told_from_other_types() {
        for text in [
            "blog",
            "<<",
            "=",
            "1e3",
            "0o8",
            "0xZ",
            "9000-9005/udp",
            "2026-13-01",
            "2026-02-29",
            "2026-01-02T10:00:00",
            "2026-01-02 03:04:05Z",
            "1.2.3",
            "12:61",
            ".",
            "-",
            "+",
            "1:2:x",
            "99999999999999999999999x",
        ] {
            assert!(is_string(text), "{text}");
        }
        for text in [
            "",
            "~",
            "y",
            "On",
            ".inf",
            "-.INF",
            ".5",
            ".5e3",
            "0",
            "0123",
            "089",
            "0o17",
            "0x1F",
            "-0b11",
            "1_000",
            "18446744073709551615",
            "99999999999999999999",
            "1e+06",
            "+1.5E-3",
            "2026-01-02",
            "2026-1-2 3:4:5.6",
            "2024-02-29T10:00:00Z",
            "2026-01-02t10:00:00+01:00",
            "12:30:45",
            "-1:30.5",
        ] {
            assert!(!is_string(text), "{text}");
        }
    }
}
