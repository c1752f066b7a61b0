//! Messages over a socket pair: a length, then fields that each begin with their
//! length.

use std::io::{Error, ErrorKind, Read, Result};

/// The longest message, in bytes: two streams of output of the greatest size, and
/// 1 MiB for other fields.
pub(crate) const MAX_FRAME: usize = 2 * charmhost_jujuc::MAX_MESSAGE + (1 << 20);

fn malformed() -> Error {
    Error::new(ErrorKind::InvalidData, "malformed message")
}

/// Builds a message.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// Adds a field.
    pub fn field(&mut self, bytes: &[u8]) -> Result<()> {
        let length = u32::try_from(bytes.len()).map_err(|_| too_long())?;
        self.0.extend(length.to_be_bytes());
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// Returns the message with its length.
    pub fn finish(self) -> Result<Vec<u8>> {
        let length = u32::try_from(self.0.len()).map_err(|_| too_long())?;
        if self.0.len() > MAX_FRAME {
            return Err(too_long());
        }
        let mut frame = Vec::with_capacity(self.0.len() + 4);
        frame.extend(length.to_be_bytes());
        frame.extend(self.0);
        Ok(frame)
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::InvalidInput, "the message is too long")
}

/// Parses a message, field by field.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub fn of(message: &'a [u8]) -> Self {
        Fields(message)
    }

    /// Returns the next field; none at the end.
    pub fn next(&mut self) -> Result<Option<&'a [u8]>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (length, rest) = self.0.split_first_chunk().ok_or_else(malformed)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (field, rest) = rest.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(Some(field))
    }

    /// Returns the next field; an error at the end.
    pub fn need(&mut self) -> Result<&'a [u8]> {
        self.next()?.ok_or_else(malformed)
    }

    /// Returns the next field as a number.
    pub fn number(&mut self) -> Result<u64> {
        let bytes = self.need()?.try_into().map_err(|_| malformed())?;
        Ok(u64::from_be_bytes(bytes))
    }
}

/// Reads messages; keeps the beginning of one whose rest has not arrived.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    /// Returns the next message; none at the end of the stream.
    pub fn next(&mut self, stream: &mut impl Read) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some((length, rest)) = self.buffer.split_first_chunk() {
                let length = u32::from_be_bytes(*length) as usize;
                if length > MAX_FRAME {
                    return Err(malformed());
                }
                if let Some(message) = rest.get(..length) {
                    let message = message.to_vec();
                    self.buffer.drain(..length + 4);
                    return Ok(Some(message));
                }
            }
            let mut chunk = [0; 16384];
            match stream.read(&mut chunk) {
                Ok(0) if self.buffer.is_empty() => return Ok(None),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.buffer.extend(chunk.iter().take(count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, and now and then none.
    struct Slow<'a>(&'a [u8], bool);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(ErrorKind::WouldBlock.into());
            }
            buffer[..1].copy_from_slice(&self.0[..1]);
            self.0 = &self.0[1..];
            Ok(1)
        }
    }

    #[test]
    fn a_message_that_comes_in_parts_is_read_whole() {
        let mut writer = Writer::default();
        writer.field(b"").unwrap();
        writer.field(&[7; 300]).unwrap();
        writer.field(&3_u64.to_be_bytes()).unwrap();
        let frame = writer.finish().unwrap();
        let mut slow = Slow(&frame, false);
        let mut reader = Reader::default();
        let message = loop {
            match reader.next(&mut slow) {
                Ok(message) => break message.unwrap(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        };
        let mut fields = Fields::of(&message);
        assert_eq!(fields.need().unwrap(), b"");
        assert_eq!(fields.need().unwrap(), [7; 300]);
        assert_eq!(fields.number().unwrap(), 3);
        assert!(fields.next().unwrap().is_none());
        assert!(fields.need().is_err());
    }

    #[test]
    fn a_length_that_is_wrong_is_an_error() {
        assert!(Reader::default().next(&mut &[0xff; 8][..]).is_err());
        assert!(Reader::default().next(&mut &[0, 0, 0, 9, 1][..]).is_err());
        assert!(Reader::default().next(&mut &[][..]).unwrap().is_none());
        assert!(Fields::of(&[0, 0, 0, 9, 1]).need().is_err());
        assert!(Fields::of(&[0, 0]).need().is_err());
    }
}
