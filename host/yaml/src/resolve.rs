//! Types of plain scalars in YAML 1.1 (`archive §4`).

use serde_json::{Number, Value};

/// Resolves a plain scalar as in YAML 1.1: `yes`, `no`, `on` and `off` are booleans,
/// a leading zero means octal, colons mean base 60, numbers may have underscores.
pub fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    let number = integer(text)
        .and_then(Number::from_i128)
        .or_else(|| float(text).and_then(Number::from_f64));
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn unsigned(text: &str) -> (bool, &str) {
    match text.split_at_checked(1) {
        Some(("-", rest)) => (true, rest),
        Some(("+", rest)) => (false, rest),
        _ => (false, text),
    }
}

fn integer(text: &str) -> Option<i128> {
    let (negative, rest) = unsigned(text);
    let magnitude = magnitude(rest)?;
    Some(if negative { -magnitude } else { magnitude })
}

fn magnitude(text: &str) -> Option<i128> {
    let digits = |text: &str, radix: u32| {
        let clean: String = text.chars().filter(|c| *c != '_').collect();
        let valid = !clean.is_empty() && clean.chars().all(|c| c.is_digit(radix));
        if valid {
            i128::from_str_radix(&clean, radix).ok()
        } else {
            None
        }
    };
    if let Some(binary) = text.strip_prefix("0b") {
        return digits(binary, 2);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return digits(hexadecimal, 16);
    }
    if text == "0" {
        return Some(0);
    }
    if let Some(octal) = text.strip_prefix('0') {
        return digits(octal, 8);
    }
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    match text.split_once(':') {
        None => digits(text, 10),
        Some((first, rest)) => base_60(digits(first, 10)?, rest),
    }
}

fn base_60(first: i128, rest: &str) -> Option<i128> {
    rest.split(':').try_fold(first, |value, part| {
        let valid = matches!(part.len(), 1 | 2) && part.chars().all(|c| c.is_ascii_digit());
        let part = part
            .parse::<i128>()
            .ok()
            .filter(|part| valid && *part < 60)?;
        value.checked_mul(60)?.checked_add(part)
    })
}

/// A number with a decimal point; an exponent must have a sign.
fn float(text: &str) -> Option<f64> {
    let (negative, rest) = unsigned(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        None => (rest, None),
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
    };
    if let Some((first, rest)) = mantissa.rsplit_once(':') {
        let minutes = integer(first).filter(|_| exponent.is_none())?;
        let value = minutes as f64 * 60.0 + float(rest).filter(|seconds| *seconds < 60.0)?;
        return Some(if negative { -value } else { value });
    }
    let (whole, fraction) = mantissa.split_once('.')?;
    let numeric = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '_');
    let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    // Without a digit before the point there is no sign either.
    let begins_well = starts_with_digit(whole)
        || (whole.is_empty() && text == rest && starts_with_digit(fraction));
    let well_formed = numeric(whole) && numeric(fraction) && begins_well;
    let exponent_fits = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['+', '-'])
            .is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()))
    });
    if !well_formed || !exponent_fits {
        return None;
    }
    let clean: String = rest.chars().filter(|c| *c != '_').collect();
    let value: f64 = clean.parse().ok()?;
    Some(if negative { -value } else { value }).filter(|value| value.is_finite())
}
