//! JSON within the limits of stored values.

use serde_json::Value;

use crate::Unreadable;
use crate::limits::Budget;

/// Parses JSON within the depth and the memory of a stored value. Integers may have at
/// most 64 bits: larger ones would silently become floating-point numbers.
pub fn parse(text: &[u8], budget: &mut Budget) -> Result<Value, Unreadable> {
    scan(text, budget)?;
    serde_json::from_slice(text)
        .map_err(|error| Unreadable::new(format!("it is not JSON: {error}")))
}

/// Checks that the data of an event can be read again: JSON within the limits, or any
/// other text, which is stored as a string.
pub fn check_text(text: &str, budget: &mut Budget) -> Result<(), Unreadable> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => scan(text.as_bytes(), budget),
        Err(_) => budget.value(0, text.len()),
    }
}

/// Checks the limits without building a value.
fn scan(text: &[u8], budget: &mut Budget) -> Result<(), Unreadable> {
    let mut depth = 0_usize;
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = match first {
            b'"' => {
                let length = string(after);
                budget.value(depth, length)?;
                after.get(length + 1..).unwrap_or_default()
            }
            b'[' | b'{' => {
                budget.value(depth, 0)?;
                depth += 1;
                after
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                after
            }
            b'-' | b'0'..=b'9' => {
                budget.value(depth, 0)?;
                let (number, after) = split(rest, |byte| {
                    matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
                });
                integer(number)?;
                after
            }
            byte if byte.is_ascii_alphabetic() => {
                budget.value(depth, 0)?;
                split(rest, |byte| byte.is_ascii_alphabetic()).1
            }
            _ => after,
        };
    }
    Ok(())
}

/// The length of a string whose opening quote was read, without its closing
/// quote.
fn string(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}

fn split(text: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !belongs(*byte));
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, &[]))
}

fn integer(number: &[u8]) -> Result<(), Unreadable> {
    let Ok(text) = std::str::from_utf8(number) else {
        return Ok(());
    };
    let is_long = text.len() > 18 && !text.contains(['.', 'e', 'E', '+']);
    if is_long && text.parse::<i64>().is_err() && text.parse::<u64>().is_err() {
        // The text is the charm's: only its start, to identify the number.
        let shown = text
            .get(..40)
            .map_or(text.to_owned(), |start| format!("{start}…"));
        return Err(Unreadable::new(format!(
            "it holds an integer of more than 64 bits, {shown}; save it as text"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        parse(text.as_bytes(), &mut Budget::new(64 << 10)).map_err(|error| error.to_string())
    }

    #[test]
    fn json_within_the_limits_is_parsed() {
        for text in [
            r#"{"a": [1, -2, 1.5, 1e300, null, true], "b\"]": "\\"}"#,
            "\"[[[[\"",
            "18446744073709551615",
            "-9223372036854775808",
        ] {
            assert_eq!(
                read(text),
                Ok(serde_json::from_str(text).unwrap()),
                "{text}"
            );
        }
        let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
        assert!(read(&deep).is_ok());
    }

    #[test]
    fn json_beyond_the_limits_is_rejected() {
        for (text, wanted) in [
            ("[".repeat(102) + &"]".repeat(102), "100 levels"),
            ("{\"a\":".repeat(101) + "1" + &"}".repeat(101), "100 levels"),
            ("18446744073709551616".to_owned(), "more than 64 bits"),
            ("[-9223372036854775809]".to_owned(), "more than 64 bits"),
            (format!("[{}0]", "0,".repeat(2000)), "65536 bytes of memory"),
            (json!("x".repeat(70_000)).to_string(), "65536 bytes"),
            ("[1".to_owned(), "not JSON"),
            ("\"\\".to_owned(), "not JSON"),
            ("[-]".to_owned(), "not JSON"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(wanted), "{text:.40}: {error}");
        }
    }

    #[test]
    fn any_text_that_is_not_json_is_accepted() {
        let check = |text: &str| check_text(text, &mut Budget::new(64 << 10));
        for text in ["", "[".repeat(200).as_str(), "tel 18446744073709551616"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for text in [
            "18446744073709551616",
            &("[".repeat(200) + &"]".repeat(200)),
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
