//! Reads values from pickles.

use serde_json::{Map, Number, Value};

use super::PROTO;
use crate::Unreadable;
use crate::limits::{Budget, VALUE_BYTES};

fn unreadable<T>(reason: impl Into<String>) -> Result<T, Unreadable> {
    Err(Unreadable::new(reason))
}

const LARGE: &str = "it holds an integer of more than 64 bits";
/// Bytes charged for a mark, and for each reference to an earlier value.
const REFERENCE_BYTES: usize = 16;

/// A value that is being built. Containers have the positions of their values in the
/// list of all values, so that a value can be in several containers (ops §5.2).
#[derive(Debug)]
enum Node<'a> {
    Scalar(Value),
    Text(&'a str),
    List(Vec<usize>),
    Dict(Vec<(usize, usize)>),
}

struct Reader<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node<'a>>,
    stack: Vec<usize>,
    marks: Vec<usize>,
    memo: Vec<Option<usize>>,
    /// For the lists above, which are freed at the end.
    budget: Budget,
}

/// Reads a pickle. Tuples and sets become lists.
pub(super) fn read(bytes: &[u8], budget: &mut Budget) -> Result<Value, Unreadable> {
    let mut reader = Reader {
        bytes,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
        budget: budget.scaffolding(),
    };
    let root = reader.run()?;
    reader.value(root, 0, budget)
}

impl<'a> Reader<'a> {
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
                b'(' => {
                    self.budget.charge(REFERENCE_BYTES)?;
                    self.marks.push(self.stack.len());
                }
                b'0' => drop(self.pop()?),
                _ => match self.scalar(opcode)? {
                    Some(node) => self.push(node)?,
                    None => self.container(opcode)?,
                },
            }
        }
    }

    fn scalar(&mut self, opcode: u8) -> Result<Option<Node<'a>>, Unreadable> {
        Ok(Some(Node::Scalar(match opcode {
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
                    None => return unreadable("it holds a number that is infinite or NaN"),
                }
            }
            _ => return self.text(opcode),
        })))
    }

    fn text(&mut self, opcode: u8) -> Result<Option<Node<'a>>, Unreadable> {
        let length = match opcode {
            0x8c => usize::from(self.byte()?),
            b'X' => self.length(4)?,
            0x8d => self.length(8)?,
            _ => return Ok(None),
        };
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(Some(Node::Text(text))),
            Err(_) => unreadable("it holds text that is not UTF-8"),
        }
    }

    fn container(&mut self, opcode: u8) -> Result<(), Unreadable> {
        match opcode {
            b'}' => self.push(Node::Dict(Vec::new()))?,
            b']' | b')' | 0x8f => self.push(Node::List(Vec::new()))?,
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
                self.push(Node::List(items))?;
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let start = self.stack.len().checked_sub(count);
                let start = start.ok_or_else(|| Unreadable::new("it is cut off"))?;
                let items = self.stack.split_off(start);
                self.push(Node::List(items))?;
            }
            0x94 => self.memoize(self.memo.len())?,
            b'q' => {
                let position = usize::from(self.byte()?);
                self.memoize(position)?;
            }
            b'r' => {
                let position = self.length(4)?;
                self.memoize(position)?;
            }
            b'h' => {
                let position = usize::from(self.byte()?);
                self.recall(position)?;
            }
            b'j' => {
                let position = self.length(4)?;
                self.recall(position)?;
            }
            b'C' | b'B' | 0x8e | 0x96 => return unreadable("it holds bytes"),
            b'c' | 0x93 | b'R' | b'b' => return unreadable("it holds an object of Python"),
            other => return unreadable(format!("it holds something unknown ({other:#04x})")),
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
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

    /// A little-endian number.
    fn unsigned(&mut self, count: usize) -> Result<u64, Unreadable> {
        let bytes = self.take(count)?.iter().rev();
        Ok(bytes.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn length(&mut self, count: usize) -> Result<usize, Unreadable> {
        let length = self.unsigned(count)?;
        usize::try_from(length).or_else(|_| unreadable("it is cut off"))
    }

    /// A little-endian number in two's complement, of any length.
    fn long(&mut self, length: usize) -> Result<Value, Unreadable> {
        if length > 9 {
            return unreadable(LARGE);
        }
        let bits = self.unsigned(length.min(8))?;
        // An unsigned number of 64 bits has one more byte, which is zero.
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

    fn push(&mut self, node: Node<'a>) -> Result<(), Unreadable> {
        self.budget.charge(VALUE_BYTES)?;
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    fn pop(&mut self) -> Result<usize, Unreadable> {
        self.stack
            .pop()
            .ok_or_else(|| Unreadable::new("it is cut off"))
    }

    fn since_mark(&mut self) -> Result<Vec<usize>, Unreadable> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => unreadable("it is malformed"),
        }
    }

    fn top(&mut self) -> Option<&mut Node<'a>> {
        let position = *self.stack.last()?;
        self.nodes.get_mut(position)
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

    fn memoize(&mut self, position: usize) -> Result<(), Unreadable> {
        self.budget.charge(REFERENCE_BYTES)?;
        let top = self.stack.last().copied();
        if position > self.memo.len() + 1 {
            return unreadable("it is malformed");
        }
        if position >= self.memo.len() {
            self.memo.resize(position + 1, None);
        }
        if let Some(slot) = self.memo.get_mut(position) {
            *slot = top;
        }
        Ok(())
    }

    fn recall(&mut self, position: usize) -> Result<(), Unreadable> {
        match self.memo.get(position).copied().flatten() {
            Some(node) => {
                self.budget.charge(REFERENCE_BYTES)?;
                self.stack.push(node);
                Ok(())
            }
            None => unreadable("it is malformed"),
        }
    }

    /// The value at a position. A value in several containers is copied, and charged
    /// each time.
    fn value(
        &self,
        position: usize,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<Value, Unreadable> {
        match self.nodes.get(position) {
            Some(Node::Scalar(value)) => {
                budget.value(depth, 0)?;
                Ok(value.clone())
            }
            Some(Node::Text(text)) => {
                budget.value(depth, text.len())?;
                Ok(Value::from(*text))
            }
            Some(Node::List(items)) => {
                budget.value(depth, 0)?;
                let values = items
                    .iter()
                    .map(|item| self.value(*item, depth + 1, budget));
                values.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Some(Node::Dict(pairs)) => {
                budget.value(depth, 0)?;
                let mut map = Map::new();
                for (key, value) in pairs {
                    let Value::String(key) = self.value(*key, depth + 1, budget)? else {
                        return unreadable("it has a key that is not a string");
                    };
                    map.insert(key, self.value(*value, depth + 1, budget)?);
                }
                Ok(Value::Object(map))
            }
            None => unreadable("it is malformed"),
        }
    }
}
