//! Python's pickles of plain values (ops §5.2, ops §5.6).
//!
//! Only the opcodes for None, booleans, integers, floats, strings, lists, tuples,
//! sets, and dicts with strings as keys are known. A pickle can make the reader
//! do nothing but build values, within limits.

mod reader;
mod writer;

use serde_json::Value;

use crate::limits::Budget;
use crate::{Unreadable, json};
pub use writer::write;

/// The first byte of every pickle of a known protocol, and of no JSON text.
const PROTO: u8 = 0x80;

/// Decodes a stored value: a pickle of ops, or JSON. Charges the budget for the
/// memory that the value takes.
pub fn decode(bytes: &[u8], budget: &mut Budget) -> Result<Value, Unreadable> {
    match bytes.first() == Some(&PROTO) {
        true => reader::read(bytes, budget),
        false => json::parse(bytes, budget),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::limits::check;

    fn read(bytes: &[u8]) -> Result<Value, Unreadable> {
        decode(bytes, &mut Budget::new(1 << 20))
    }

    #[test]
    fn a_written_value_can_be_read() {
        for value in [
            json!(null),
            json!(true),
            json!(0),
            json!(-1),
            json!(i64::MIN),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1.5),
            json!(""),
            json!("ä\n"),
            json!([]),
            json!({}),
            json!({"a": [1, {"b": null}], "c": {"d": "e"}}),
        ] {
            assert_eq!(read(&write(&value)), Ok(value.clone()), "{value}");
        }
    }

    #[test]
    fn pickles_of_python_are_read() {
        // pickle.dumps({'a': [1, -2, 300, 70000, 2**40], 't': (1, 2.5), 's': 'ä'}, 4)
        let bytes = b"\x80\x04\x95:\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94]\x94(K\x01J\xfe\xff\xff\xffM,\x01Jp\x11\x01\0\x8a\x06\0\0\0\0\0\x01e\x8c\x01t\x94K\x01G@\x04\0\0\0\0\0\0\x86\x94\x8c\x01s\x94\x8c\x02\xc3\xa4\x94u.";
        let wanted =
            json!({"a": [1, -2, 300, 70000, 1_099_511_627_776_i64], "t": [1, 2.5], "s": "ä"});
        assert_eq!(read(bytes), Ok(wanted));
        // x = [1]; pickle.dumps({'a': x, 'b': x}, 4): one list in two places.
        let bytes =
            b"\x80\x04\x95\x12\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94]\x94K\x01a\x8c\x01b\x94h\x02u.";
        assert_eq!(read(bytes), Ok(json!({"a": [1], "b": [1]})));
    }

    #[test]
    fn other_objects_are_rejected() {
        for (bytes, wanted) in [
            (&b"\x80\x04cos\nsystem\n."[..], "an object of Python"),
            (b"\x80\x04C\x01x.", "bytes"),
            (b"\x80\x09.", "protocol 9"),
            (b"\x80\x04}", "cut off"),
            (b"\x80\x04\x8c\xff", "cut off"),
            (b"\x80\x04u.", "malformed"),
            (b"\x80\x04}K\x01K\x02s.", "a key that is not a string"),
        ] {
            let error = read(bytes).unwrap_err().to_string();
            assert!(error.contains(wanted), "{bytes:?} gave {error}");
        }
        // A list in itself, many times over.
        let mut bomb = b"\x80\x04]\x94".to_vec();
        bomb.extend(b"h\x00a");
        bomb.push(b'.');
        assert!(
            read(&bomb)
                .unwrap_err()
                .to_string()
                .contains("nests more than 100 levels")
        );
    }

    #[test]
    fn saving_and_loading_have_the_same_limits() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |value, _| json!([value]));
        let mapped = |levels: usize| (0..levels).fold(json!(1), |value, _| json!({"k": value}));
        let long = |length: usize| json!({"k": "x".repeat(length)});
        let many = |count: usize| json!(vec![0; count]);
        let most = 1 << 20;
        for (value, fits) in [
            (nested(100), true),
            (nested(101), false),
            (mapped(100), true),
            (mapped(101), false),
            (long(most - 200), true),
            (long(most), false),
            (many(most / 64 - 1), true),
            (many(most / 64), false),
        ] {
            let mut saving = Budget::new(most);
            assert_eq!(check(&value, &mut saving).is_ok(), fits);
            let mut loading = Budget::new(most);
            let read = decode(&write(&value), &mut loading);
            assert_eq!(read.is_ok(), fits, "{:?}", read.err());
            if fits {
                assert_eq!(read, Ok(value));
                assert_eq!(loading.used(), saving.used());
            }
        }
    }

    #[test]
    fn every_reference_to_a_value_is_charged() {
        let text = "x".repeat(10_000);
        let mut start = b"\x80\x04](X".to_vec();
        start.extend(10_000_u32.to_le_bytes());
        start.extend(text.as_bytes());
        start.push(0x94);
        let list = [&start[..], &b"h\0".repeat(400), b"e."].concat();
        let keys = b"}(".iter().chain(b"h\0Nu").copied().collect::<Vec<_>>();
        let maps = [&start[..], &keys.repeat(400), b"e."].concat();
        for bomb in [list, maps] {
            let error = read(&bomb).unwrap_err().to_string();
            assert_eq!(error, "it takes more than 1 MiB of memory");
        }
    }

    #[test]
    fn opcodes_without_a_value_are_charged() {
        for opcodes in ["(", "N", "]", "N0", "Nh\0"] {
            let bomb = [b"\x80\x04N\x94", opcodes.repeat(200_000).as_bytes(), b"."].concat();
            assert!(read(&bomb).is_err(), "{opcodes}");
        }
        assert!(read(&[b"\x80\x04N", &[0x94; 200_000][..], b"."].concat()).is_err());
    }
}
