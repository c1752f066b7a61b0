//! The order in which go-yaml writes keys.

use std::cmp::Ordering;

/// Compares keys: letters come after all else, and runs of digits count as
/// numbers.
pub fn key_order(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let differs = a.iter().zip(&b).position(|(a, b)| a != b);
    let Some(place) = differs else {
        return a.len().cmp(&b.len());
    };
    let (Some(first), Some(second)) = (a.get(place), b.get(place)) else {
        return Ordering::Equal;
    };
    match (first.is_alphabetic(), second.is_alphabetic()) {
        (true, true) => return first.cmp(second),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // A zero behind another digit is no leading one.
    let shared = a.get(..place).unwrap_or_default().iter().rev();
    let mut digits = shared.take_while(|c| c.is_ascii_digit());
    let inside = (*first == '0' || *second == '0') && digits.any(|c| *c != '0');
    let (number_a, digits_a) = number(&a, place, inside);
    let (number_b, digits_b) = number(&b, place, inside);
    number_a
        .cmp(&number_b)
        .then(digits_a.cmp(&digits_b))
        .then(first.cmp(second))
}

/// The number from a place on, and how many digits it has.
fn number(text: &[char], place: usize, inside: bool) -> (i64, usize) {
    let digits = text.get(place..).unwrap_or_default().iter();
    let digits = digits.map_while(|c| c.to_digit(10));
    let start = (i64::from(inside), 0);
    digits.fold(start, |(value, count), digit| {
        let next = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        (next, count + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_by_letters_and_numbers() {
        let mut keys = [
            "b", "a10", "a2", "a", "-k", "1", "z", "a b", "10", "9", "a02",
        ];
        keys.sort_by(|a, b| key_order(a, b));
        let wanted = [
            "-k", "1", "9", "10", "a", "a b", "a2", "a02", "a10", "b", "z",
        ];
        assert_eq!(keys, wanted);
    }
}
