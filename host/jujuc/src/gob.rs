//! The subset of Go's gob encoding that the hook-tool protocol needs (juju §2.4).
//!
//! A stream is a sequence of messages: a length, a signed type ID, and then
//! either a value (ID above zero) or the definition of a type (ID below zero).
//! Values refer to their types by ID only, so a decoder stores the definitions
//! that it receives; IDs depend on the sender and are never assumed.

use std::collections::HashMap;

/// The longest message that is accepted, in bytes.
pub const MAX_MESSAGE: usize = 64 << 20;
/// How deeply values may nest.
const MAX_DEPTH: usize = 16;

/// An error in a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(crate) String);

fn malformed<T>(text: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(text.into()))
}

const BOOL: i64 = 1;
const INT: i64 = 2;
const UINT: i64 = 3;
const BYTES: i64 = 5;
const STRING: i64 = 6;

/// A decoded value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Uint(u64),
    Bytes(Vec<u8>),
    Slice(Vec<Value>),
    /// Fields by name; those at their zero value are not sent.
    Struct(Vec<(String, Value)>),
}

#[derive(Debug, Clone)]
enum Type {
    Slice(i64),
    Struct(Vec<(String, i64)>),
}

/// Appends gob's primitive forms to a buffer.
pub(crate) struct Writer<'a>(pub &'a mut Vec<u8>);

impl Writer<'_> {
    pub fn uint(&mut self, value: u64) {
        let bytes = value.to_be_bytes();
        let skip = value.leading_zeros() as usize / 8;
        match u8::try_from(value) {
            Ok(small) if small <= 0x7f => self.0.push(small),
            _ => {
                let used = bytes.get(skip..).unwrap_or(&bytes);
                self.0.push((used.len() as u8).wrapping_neg());
                self.0.extend_from_slice(used);
            }
        }
    }

    pub fn int(&mut self, value: i64) {
        let shifted = (value as u64) << 1;
        self.uint(if value < 0 { !shifted } else { shifted });
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.uint(value.len() as u64);
        self.0.extend_from_slice(value);
    }
}

/// Writes one message: its length, then what `content` writes.
pub(crate) fn message(out: &mut Vec<u8>, content: impl FnOnce(&mut Writer)) {
    let mut body = Vec::with_capacity(128);
    content(&mut Writer(&mut body));
    let mut writer = Writer(out);
    writer.uint(body.len() as u64);
    out.extend_from_slice(&body);
}

/// Writes a struct value field by field, leaving out what is zero.
pub(crate) struct StructWriter<'a, 'b> {
    writer: &'a mut Writer<'b>,
    last: i64,
}

impl<'a, 'b> StructWriter<'a, 'b> {
    pub fn new(writer: &'a mut Writer<'b>) -> Self {
        StructWriter { writer, last: -1 }
    }

    pub fn field(&mut self, number: i64) -> &mut Writer<'b> {
        self.writer.uint((number - self.last) as u64);
        self.last = number;
        self.writer
    }

    pub fn string(&mut self, number: i64, value: &[u8]) {
        if !value.is_empty() {
            self.field(number).bytes(value);
        }
    }

    pub fn end(self) {
        self.writer.uint(0);
    }
}

/// Defines a struct type: id, name, and its fields with their type ids.
pub(crate) fn define_struct(out: &mut Vec<u8>, id: i64, name: &str, fields: &[(&str, i64)]) {
    message(out, |writer| {
        writer.int(-id);
        writer.uint(3);
        writer.uint(1);
        let mut common = StructWriter::new(writer);
        common.string(0, name.as_bytes());
        common.field(1).int(id);
        common.end();
        if !fields.is_empty() {
            writer.uint(1);
            writer.uint(fields.len() as u64);
            for (field, ty) in fields {
                let mut description = StructWriter::new(writer);
                description.string(0, field.as_bytes());
                description.field(1).int(*ty);
                description.end();
            }
        }
        writer.uint(0);
        writer.uint(0);
    });
}

/// Defines a slice type: id, name, and the id of its elements.
pub(crate) fn define_slice(out: &mut Vec<u8>, id: i64, name: &str, element: i64) {
    message(out, |writer| {
        writer.int(-id);
        writer.uint(2);
        writer.uint(1);
        let mut common = StructWriter::new(writer);
        common.string(0, name.as_bytes());
        common.field(1).int(id);
        common.end();
        writer.uint(1);
        writer.int(element);
        writer.uint(0);
        writer.uint(0);
    });
}

/// Reads the primitive forms of one message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, Malformed> {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                Ok(*first)
            }
            None => malformed("a message ends too early"),
        }
    }

    fn uint(&mut self) -> Result<u64, Malformed> {
        let first = self.byte()?;
        if first <= 0x7f {
            return Ok(u64::from(first));
        }
        let count = usize::from(first.wrapping_neg());
        if count > 8 {
            return malformed(format!("a number of {count} bytes is too long"));
        }
        let mut value = 0;
        for _ in 0..count {
            value = value << 8 | u64::from(self.byte()?);
        }
        Ok(value)
    }

    fn int(&mut self) -> Result<i64, Malformed> {
        let raw = self.uint()?;
        let half = (raw >> 1) as i64;
        Ok(if raw & 1 == 1 { !half } else { half })
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let count = usize::try_from(self.uint()?).unwrap_or(usize::MAX);
        match self.0.split_at_checked(count) {
            Some((bytes, rest)) => {
                self.0 = rest;
                Ok(bytes)
            }
            None => malformed(format!(
                "{count} bytes are announced and {} follow",
                self.0.len()
            )),
        }
    }

    fn string(&mut self) -> Result<String, Malformed> {
        let bytes = self.bytes()?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => malformed("a name is not UTF-8"),
        }
    }

    /// Returns the number of the next field of a struct; none at its end.
    fn field(&mut self, last: i64) -> Result<Option<i64>, Malformed> {
        match self.uint()? {
            0 => Ok(None),
            delta => match i64::try_from(delta)
                .ok()
                .and_then(|delta| last.checked_add(delta))
            {
                Some(number) => Ok(Some(number)),
                None => malformed(format!("a field number of {delta} is too large")),
            },
        }
    }
}

/// The size limit of all type definitions on a connection, in bytes; those of the
/// protocol have about 200.
const MAX_TYPES: usize = 1 << 20;

/// The types that one direction of a connection has defined so far.
#[derive(Debug, Default)]
pub(crate) struct Types {
    defined: HashMap<i64, Type>,
    /// The size of the definitions, in bytes.
    size: usize,
}

impl Types {
    /// Decodes one message without its length. Returns its value; none if it
    /// defines a type.
    pub fn decode(&mut self, message: &[u8]) -> Result<Option<Value>, Malformed> {
        let mut reader = Reader(message);
        let id = reader.int()?;
        let value = if id < 0 {
            let Some(id) = id.checked_neg() else {
                return malformed("a type id is out of range");
            };
            self.size = self.size.saturating_add(message.len());
            if self.size > MAX_TYPES {
                return malformed("it defines types without end");
            }
            self.define(id, &mut reader)?;
            None
        } else {
            if !matches!(self.defined.get(&id), Some(Type::Struct(_))) {
                return malformed(format!("type {id} is no struct that was defined"));
            }
            Some(self.value(id, &mut reader, 0)?)
        };
        match reader.0.len() {
            0 => Ok(value),
            left => malformed(format!("{left} bytes are left over after a message")),
        }
    }

    fn define(&mut self, id: i64, reader: &mut Reader) -> Result<(), Malformed> {
        let mut defined = None;
        let mut last = -1;
        while let Some(number) = reader.field(last)? {
            defined = Some(match number {
                1 => Type::Slice(slice_type(reader)?),
                2 => Type::Struct(struct_type(reader)?),
                _ => {
                    return malformed(format!(
                        "type {id} is of kind {number}, which is not used here"
                    ));
                }
            });
            last = number;
        }
        match defined {
            Some(defined) => {
                self.defined.insert(id, defined);
                Ok(())
            }
            None => malformed(format!("the definition of type {id} is empty")),
        }
    }

    fn value(&self, id: i64, reader: &mut Reader, depth: usize) -> Result<Value, Malformed> {
        if depth > MAX_DEPTH {
            return malformed("values nest too deeply");
        }
        Ok(match id {
            BOOL => Value::Bool(reader.uint()? != 0),
            INT => Value::Int(reader.int()?),
            UINT => Value::Uint(reader.uint()?),
            BYTES | STRING => Value::Bytes(reader.bytes()?.to_vec()),
            _ => match self.defined.get(&id) {
                Some(Type::Slice(element)) => self.slice(*element, reader, depth)?,
                Some(Type::Struct(fields)) => self.structure(fields, reader, depth)?,
                None => return malformed(format!("type {id} was never defined")),
            },
        })
    }

    fn slice(&self, element: i64, reader: &mut Reader, depth: usize) -> Result<Value, Malformed> {
        let count = reader.uint()?;
        // Every element has at least a byte, so a count that is too large is
        // detected before anything is allocated for it.
        if count > reader.0.len() as u64 {
            return malformed(format!(
                "a list of {count} elements does not fit its message"
            ));
        }
        let elements = (0..count).map(|_| self.value(element, reader, depth + 1));
        Ok(Value::Slice(elements.collect::<Result<_, _>>()?))
    }

    fn structure(
        &self,
        fields: &[(String, i64)],
        reader: &mut Reader,
        depth: usize,
    ) -> Result<Value, Malformed> {
        let mut values = Vec::new();
        let mut last = -1;
        while let Some(number) = reader.field(last)? {
            let Some((name, ty)) = usize::try_from(number).ok().and_then(|n| fields.get(n)) else {
                return malformed(format!("a struct has no field {number}"));
            };
            values.push((name.clone(), self.value(*ty, reader, depth + 1)?));
            last = number;
        }
        Ok(Value::Struct(values))
    }
}

/// Skips the part of a definition that every kind of type has.
fn skip_common(reader: &mut Reader) -> Result<(), Malformed> {
    let mut last = -1;
    while let Some(number) = reader.field(last)? {
        match number {
            0 => drop(reader.bytes()?),
            1 => drop(reader.int()?),
            _ => return malformed("a type's description has an unknown field"),
        }
        last = number;
    }
    Ok(())
}

fn slice_type(reader: &mut Reader) -> Result<i64, Malformed> {
    let (mut element, mut last) = (0, -1);
    while let Some(number) = reader.field(last)? {
        match number {
            0 => skip_common(reader)?,
            1 => element = reader.int()?,
            _ => return malformed("a list's description has an unknown field"),
        }
        last = number;
    }
    Ok(element)
}

fn struct_type(reader: &mut Reader) -> Result<Vec<(String, i64)>, Malformed> {
    let (mut fields, mut last) = (Vec::new(), -1);
    while let Some(number) = reader.field(last)? {
        match number {
            0 => skip_common(reader)?,
            1 => {
                let count = reader.uint()?;
                for _ in 0..count {
                    fields.push(field_type(reader)?);
                }
            }
            _ => return malformed("a struct's description has an unknown field"),
        }
        last = number;
    }
    Ok(fields)
}

fn field_type(reader: &mut Reader) -> Result<(String, i64), Malformed> {
    let (mut name, mut ty, mut last) = (String::new(), 0, -1);
    while let Some(number) = reader.field(last)? {
        match number {
            0 => name = reader.string()?,
            1 => ty = reader.int()?,
            _ => return malformed("a field's description has an unknown field"),
        }
        last = number;
    }
    Ok((name, ty))
}

/// Returns the size of the length of a message and the size of the message, in
/// bytes; none if more bytes are needed.
pub(crate) fn lengths(buffer: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let Some(first) = buffer.first() else {
        return Ok(None);
    };
    let header = if *first <= 0x7f {
        1
    } else {
        1 + usize::from(first.wrapping_neg())
    };
    if header > 9 {
        return malformed("the length of a message is not a number");
    }
    if buffer.len() < header {
        return Ok(None);
    }
    let mut reader = Reader(buffer);
    let length = usize::try_from(reader.uint()?).unwrap_or(usize::MAX);
    Ok(Some((header, length)))
}

/// Splits a buffer that begins with a message: returns the message without its
/// length, and the size of both in bytes; none if more bytes are needed.
pub(crate) fn split(buffer: &[u8]) -> Result<Option<(&[u8], usize)>, Malformed> {
    let Some((header, length)) = lengths(buffer)? else {
        return Ok(None);
    };
    if length > MAX_MESSAGE {
        return malformed(too_long(length));
    }
    let end = header + length;
    Ok(buffer.get(header..end).map(|message| (message, end)))
}

/// Returns the error for a message of more than [`MAX_MESSAGE`] bytes.
pub(crate) fn too_long(length: usize) -> String {
    let most = MAX_MESSAGE >> 20;
    format!("a message of {length} bytes is too long: it may have {most} MiB")
}
