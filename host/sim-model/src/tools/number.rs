//! Numbers as the agent prints them (juju §3.1).

use serde_json::Number;

/// A number as Go writes it: it came over the API as a float, so beyond 2^53
/// digits are lost. Without a fraction there is no point, and from ten to the
/// power of `exponent_from` on there is an exponent of at least two digits (in
/// JSON: of as few as possible).
pub fn number_text(number: &Number, exponent_from: i32) -> String {
    let Some(float) = number.as_f64() else {
        return number.to_string();
    };
    let is_json = exponent_from == 21;
    let scientific = format!("{float:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let smallest = if is_json { -6 } else { -4 };
    if float == 0.0 || (smallest..exponent_from).contains(&exponent) {
        return format!("{float}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    match is_json {
        true => format!("{mantissa}e{sign}{}", exponent.abs()),
        false => format!("{mantissa}e{sign}{:02}", exponent.abs()),
    }
}
