//! Python's pickles, as far as they hold plain values.
//!
//! Only the opcodes for None, booleans, integers, floats, text, lists, tuples,
//! sets and dicts with text as keys are known. Nothing in a pickle can make the
//! reader do anything but build values.

use serde_json::{Map, Number, Value};

/// Why a pickle cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Unreadable {
    pub(crate) fn new(reason: String) -> Self {
        Unreadable(reason)
    }
}

fn unreadable<T>(reason: impl Into<String>) -> Result<T, Unreadable> {
    Err(Unreadable(reason.into()))
}

/// What every pickle of a known protocol begins with.
const PROTO: u8 = 0x80;
const LARGE: &str = "it holds a number of more than 64 bits";
/// How deeply values may nest.
const MAX_DEPTH: usize = 100;

/// A value that is being built. Containers hold places in the list of all
/// values, so that one may stand in several.
#[derive(Debug, Clone)]
enum Node {
    Plain(Value),
    List(Vec<usize>),
    Dict(Vec<(usize, usize)>),
}

struct Reader<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
    stack: Vec<usize>,
    marks: Vec<usize>,
    memo: Vec<Option<usize>>,
}

/// Whether bytes are a pickle and not JSON.
fn is_pickle(bytes: &[u8]) -> bool {
    bytes.first() == Some(&PROTO)
}

/// Reads what is kept: a pickle of ops, or JSON.
pub fn decode(bytes: &[u8]) -> Result<Value, Unreadable> {
    match is_pickle(bytes) {
        true => read(bytes),
        false => serde_json::from_slice(bytes).map_err(|error| Unreadable::new(error.to_string())),
    }
}

/// Reads a pickle. Tuples and sets become lists.
fn read(bytes: &[u8]) -> Result<Value, Unreadable> {
    let mut reader = Reader {
        bytes,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
    };
    let root = reader.run()?;
    let mut budget = bytes.len().saturating_mul(64).max(4096);
    reader.value(root, 0, &mut budget)
}

impl Reader<'_> {
    fn run(&mut self) -> Result<usize, Unreadable> {
        loop {
            let opcode = self.byte()?;
            match opcode {
                b'.' => return self.pop(),
                PROTO => {
                    let protocol = self.byte()?;
                    if protocol > 5 {
                        return unreadable(format!("it is of protocol {protocol}"));
                    }
                }
                0x95 => drop(self.take(8)?),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                _ => match self.scalar(opcode)? {
                    Some(value) => self.push(Node::Plain(value)),
                    None => self.container(opcode)?,
                },
            }
        }
    }

    fn scalar(&mut self, opcode: u8) -> Result<Option<Value>, Unreadable> {
        Ok(Some(match opcode {
            b'N' => Value::Null,
            0x88 => true.into(),
            0x89 => false.into(),
            b'K' => self.byte()?.into(),
            b'M' => (self.unsigned(2)?).into(),
            b'J' => {
                let bits = u32::try_from(self.unsigned(4)?).unwrap_or_default();
                bits.cast_signed().into()
            }
            0x8a => {
                let length = usize::from(self.byte()?);
                self.long(length)?
            }
            b'G' => {
                let bytes = self.take(8)?;
                let bits = bytes
                    .iter()
                    .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
                match Number::from_f64(f64::from_bits(bits)) {
                    Some(number) => Value::Number(number),
                    None => return unreadable("it holds a number that is none"),
                }
            }
            0x8c => {
                let length = usize::from(self.byte()?);
                self.text(length)?
            }
            b'X' => {
                let length = self.length(4)?;
                self.text(length)?
            }
            0x8d => {
                let length = self.length(8)?;
                self.text(length)?
            }
            _ => return Ok(None),
        }))
    }

    fn container(&mut self, opcode: u8) -> Result<(), Unreadable> {
        match opcode {
            b'}' => self.push(Node::Dict(Vec::new())),
            b']' | b')' | 0x8f => self.push(Node::List(Vec::new())),
            b'a' => {
                let item = self.pop()?;
                self.list()?.push(item);
            }
            b'e' | 0x90 => {
                let items = self.since_mark()?;
                self.list()?.extend(items);
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.dict()?.push((key, value));
            }
            b'u' => {
                let items = self.since_mark()?;
                let pairs = items.chunks_exact(2).filter_map(|pair| match pair {
                    [key, value] => Some((*key, *value)),
                    _ => None,
                });
                let pairs: Vec<_> = pairs.collect();
                self.dict()?.extend(pairs);
            }
            b't' | 0x91 => {
                let items = self.since_mark()?;
                self.push(Node::List(items));
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let start = self.stack.len().checked_sub(count);
                let start = start.ok_or_else(|| Unreadable("it is cut off".to_owned()))?;
                let items = self.stack.split_off(start);
                self.push(Node::List(items));
            }
            0x94 => self.memoize(self.memo.len())?,
            b'q' => {
                let place = usize::from(self.byte()?);
                self.memoize(place)?;
            }
            b'r' => {
                let place = self.length(4)?;
                self.memoize(place)?;
            }
            b'h' => {
                let place = usize::from(self.byte()?);
                self.recall(place)?;
            }
            b'j' => {
                let place = self.length(4)?;
                self.recall(place)?;
            }
            b'C' | b'B' | 0x8e | 0x96 => return unreadable("it holds bytes"),
            b'c' | 0x93 | b'R' | b'b' => return unreadable("it holds an object of Python"),
            other => return unreadable(format!("it holds something unknown ({other:#04x})")),
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&[u8], Unreadable> {
        match self.bytes.split_at_checked(count) {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(taken)
            }
            None => unreadable("it is cut off"),
        }
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    /// A number, its lowest byte first.
    fn unsigned(&mut self, count: usize) -> Result<u64, Unreadable> {
        let bytes = self.take(count)?.iter().rev();
        Ok(bytes.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn length(&mut self, count: usize) -> Result<usize, Unreadable> {
        let length = self.unsigned(count)?;
        usize::try_from(length).or_else(|_| unreadable("it is cut off"))
    }

    fn text(&mut self, length: usize) -> Result<Value, Unreadable> {
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(text.into()),
            Err(_) => unreadable("it holds text that is not UTF-8"),
        }
    }

    /// A number of any length in two's complement.
    fn long(&mut self, length: usize) -> Result<Value, Unreadable> {
        if length > 9 {
            return unreadable(LARGE);
        }
        let bits = self.unsigned(length.min(8))?;
        // One byte more is what a number needs that has no sign but 64 bits.
        if length == 9 {
            return match self.byte()? {
                0 => Ok(bits.into()),
                _ => unreadable(LARGE),
            };
        }
        let unused = 64 - 8 * u32::try_from(length).unwrap_or_default();
        Ok(match length {
            0 => 0.into(),
            // Sign-extended from the highest byte.
            _ => ((bits << unused).cast_signed() >> unused).into(),
        })
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
    }

    fn pop(&mut self) -> Result<usize, Unreadable> {
        self.stack
            .pop()
            .ok_or_else(|| Unreadable("it is cut off".to_owned()))
    }

    fn since_mark(&mut self) -> Result<Vec<usize>, Unreadable> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => unreadable("it is malformed"),
        }
    }

    fn top(&mut self) -> Option<&mut Node> {
        let place = *self.stack.last()?;
        self.nodes.get_mut(place)
    }

    fn list(&mut self) -> Result<&mut Vec<usize>, Unreadable> {
        match self.top() {
            Some(Node::List(items)) => Ok(items),
            _ => unreadable("it is malformed"),
        }
    }

    fn dict(&mut self) -> Result<&mut Vec<(usize, usize)>, Unreadable> {
        match self.top() {
            Some(Node::Dict(pairs)) => Ok(pairs),
            _ => unreadable("it is malformed"),
        }
    }

    fn memoize(&mut self, place: usize) -> Result<(), Unreadable> {
        let top = self.stack.last().copied();
        if place > self.memo.len() + 1 {
            return unreadable("it is malformed");
        }
        if place >= self.memo.len() {
            self.memo.resize(place + 1, None);
        }
        if let Some(slot) = self.memo.get_mut(place) {
            *slot = top;
        }
        Ok(())
    }

    fn recall(&mut self, place: usize) -> Result<(), Unreadable> {
        match self.memo.get(place).copied().flatten() {
            Some(node) => {
                self.stack.push(node);
                Ok(())
            }
            None => unreadable("it is malformed"),
        }
    }

    /// The value at a place. What stands in several places is repeated, within
    /// bounds.
    fn value(&self, place: usize, depth: usize, budget: &mut usize) -> Result<Value, Unreadable> {
        if depth > MAX_DEPTH {
            return unreadable("it nests too deeply");
        }
        *budget = match budget.checked_sub(1) {
            Some(left) => left,
            None => return unreadable("it is too large"),
        };
        match self.nodes.get(place) {
            Some(Node::Plain(value)) => Ok(value.clone()),
            Some(Node::List(items)) => {
                let values = items
                    .iter()
                    .map(|item| self.value(*item, depth + 1, budget));
                values.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Some(Node::Dict(pairs)) => {
                let mut map = Map::new();
                for (key, value) in pairs {
                    let Value::String(key) = self.value(*key, depth + 1, budget)? else {
                        return unreadable("it has a key that is no text");
                    };
                    map.insert(key, self.value(*value, depth + 1, budget)?);
                }
                Ok(Value::Object(map))
            }
            None => unreadable("it is malformed"),
        }
    }
}

/// Writes a value as a pickle that every supported Python reads.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
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
    fn what_is_not_plain_is_refused() {
        for (bytes, wanted) in [
            (&b"\x80\x04cos\nsystem\n."[..], "an object of Python"),
            (b"\x80\x04C\x01x.", "bytes"),
            (b"\x80\x09.", "protocol 9"),
            (b"\x80\x04}", "cut off"),
            (b"\x80\x04\x8c\xff", "cut off"),
            (b"\x80\x04u.", "malformed"),
            (b"\x80\x04}K\x01K\x02s.", "a key that is no text"),
            (b"", "cut off"),
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
                .contains("nests too deeply")
        );
    }
}
