//! Writes values as pickles.

use serde_json::Value;

use super::PROTO;

/// Encodes a value as a pickle of protocol 4, which every supported Python reads
/// (ops §5.2).
pub fn write(value: &Value) -> Vec<u8> {
    let mut out = vec![PROTO, 4];
    put(&mut out, value);
    out.push(b'.');
    out
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(b'N'),
        Value::Bool(true) => out.push(0x88),
        Value::Bool(false) => out.push(0x89),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => {
                out.extend([0x8a, 8]);
                out.extend(integer.to_le_bytes());
            }
            (None, Some(integer)) => {
                out.extend([0x8a, 9]);
                out.extend(integer.to_le_bytes());
                out.push(0);
            }
            (None, None) => {
                out.push(b'G');
                let float = number.as_f64().unwrap_or_default();
                out.extend(float.to_bits().to_be_bytes());
            }
        },
        Value::String(text) => put_text(out, text),
        Value::Array(items) => {
            out.extend([b']', b'(']);
            items.iter().for_each(|item| put(out, item));
            out.push(b'e');
        }
        Value::Object(map) => {
            out.extend([b'}', b'(']);
            for (key, value) in map {
                put_text(out, key);
                put(out, value);
            }
            out.push(b'u');
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(0x8d);
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
