//! Reading and writing `multipart/form-data`, chunk by chunk (`pebble §10.1`,
//! `pebble §10.2`).
//!
//! The reader is not `multer`'s: that has no limit for the headers of a part, only
//! one for the whole body, and a file may have any size.

use std::hash::{BuildHasher, RandomState};

use bytes::{Bytes, BytesMut};
use memchr::memmem;

/// The largest headers of a part, in bytes.
pub const MAX_HEADERS: usize = 64 * 1024;
/// The longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY: usize = 70;

/// A random boundary.
pub fn boundary() -> String {
    let part = || RandomState::new().hash_one(0_u8);
    format!("{:016x}{:016x}", part(), part())
}

/// The boundary in a content type.
pub fn boundary_of(content_type: &str) -> Option<String> {
    let (kind, rest) = content_type.split_once(';')?;
    if kind.trim() != "multipart/form-data" {
        return None;
    }
    let mut parameters = rest.split(';').map(str::trim);
    let value = parameters.find_map(|parameter| parameter.strip_prefix("boundary="))?;
    let value = value.trim_matches('"');
    (1..=MAX_BOUNDARY)
        .contains(&value.len())
        .then(|| value.to_owned())
}

/// The header line that names a file, for any path.
pub fn disposition(path: &str) -> String {
    if path.contains(['\r', '\n']) {
        let encoded = crate::http::encoded(path);
        return format!(
            "Content-Disposition: form-data; name=\"files\"; filename*=UTF-8''{encoded}"
        );
    }
    let quoted = path.replace('\\', "\\\\").replace('"', "\\\"");
    format!("Content-Disposition: form-data; name=\"files\"; filename=\"{quoted}\"")
}

/// The name of a file in the headers of its part.
fn filename(head: &str) -> String {
    let Some((_, rest)) = head.split_once(" filename=\"") else {
        return String::new();
    };
    let mut name = String::new();
    let mut rest = rest.chars();
    while let Some(char) = rest.next() {
        match char {
            '"' => break,
            '\\' => name.extend(rest.next()),
            char => name.push(char),
        }
    }
    name
}

/// A token of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Token {
    /// The beginning of a part of this name.
    Part(String),
    /// Content of the part.
    Data(Bytes),
    /// The end of the part.
    PartEnd,
    /// The end of the body.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    Boundary,
    Content,
    End,
}

/// Splits a body into its parts, wherever its chunks begin and end. It buffers one
/// chunk and at most [`MAX_HEADERS`].
#[derive(Debug)]
pub struct Parser {
    /// `\r\n--BOUNDARY`.
    mark: Vec<u8>,
    buffer: BytesMut,
    expects: Expects,
    /// How many bytes of the buffer have no end of the headers.
    searched: usize,
    filename: String,
}

impl Parser {
    pub fn new(boundary: &str) -> Self {
        Parser {
            mark: format!("\r\n--{boundary}").into_bytes(),
            // The first boundary has no line before it.
            buffer: BytesMut::from("\r\n"),
            expects: Expects::Boundary,
            searched: 0,
            filename: String::new(),
        }
    }

    /// The name of the file in the part that began last; empty if it has none.
    pub fn filename(&self) -> &str {
        &self.filename
    }

    pub fn feed(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Returns the next token; none until there is more of the body. The error
    /// says what is malformed.
    pub fn next(&mut self) -> Result<Option<Token>, &'static str> {
        match self.expects {
            Expects::End => Ok(Some(Token::End)),
            Expects::Boundary => self.boundary(),
            Expects::Content => Ok(self.content()),
        }
    }

    fn take(&mut self, count: usize) -> Bytes {
        let count = count.min(self.buffer.len());
        self.buffer.split_to(count).freeze()
    }

    /// Reads a boundary, with the headers of the part after it.
    fn boundary(&mut self) -> Result<Option<Token>, &'static str> {
        let length = self.mark.len();
        if self.buffer.len() < length + 2 {
            return Ok(None);
        }
        if !self.buffer.starts_with(&self.mark) {
            return Err("a part does not begin with a boundary");
        }
        let rest = self.buffer.get(length..).unwrap_or_default();
        if rest.starts_with(b"--") {
            self.expects = Expects::End;
            return Ok(Some(Token::End));
        }
        let from = self.searched.min(rest.len());
        let found = rest
            .get(from..)
            .and_then(|new| memmem::find(new, b"\r\n\r\n"));
        let Some(end) = found.map(|end| from + end) else {
            self.searched = rest.len().saturating_sub(3);
            return match rest.len() > MAX_HEADERS {
                true => Err("the headers of a part are longer than 64 KiB"),
                false => Ok(None),
            };
        };
        self.searched = 0;
        if end > MAX_HEADERS {
            return Err("the headers of a part are longer than 64 KiB");
        }
        let head = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
        let name = head.split(" name=\"").nth(1);
        let name = name.and_then(|rest| rest.split('"').next());
        let name = name.ok_or("a part has no name")?.to_owned();
        self.filename = filename(&head);
        self.take(length + end + 4);
        self.expects = Expects::Content;
        Ok(Some(Token::Part(name)))
    }

    /// Reads content up to the next boundary, without a possible beginning of one.
    fn content(&mut self) -> Option<Token> {
        let (count, ends) = match memmem::find(&self.buffer, &self.mark) {
            Some(0) => {
                self.expects = Expects::Boundary;
                return Some(Token::PartEnd);
            }
            Some(count) => (count, true),
            None => (self.buffer.len().saturating_sub(self.mark.len()), false),
        };
        if count == 0 && !ends {
            return None;
        }
        Some(Token::Data(self.take(count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "--B\r\nContent-Disposition: form-data; name=\"files\"; filename=\"/a\"\r\nContent-Type: application/octet-stream\r\n\r\none\r\n--C\r\n\r\n-\r\n--B\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--B--\r\n";

    fn tokens(chunks: &[&[u8]]) -> Vec<Token> {
        let mut parser = Parser::new("B");
        let mut tokens: Vec<Token> = Vec::new();
        for chunk in chunks {
            parser.feed(chunk);
            while let Some(token) = parser.next().unwrap() {
                match (tokens.last_mut(), token) {
                    (Some(Token::End), Token::End) => break,
                    (Some(Token::Data(all)), Token::Data(more)) => {
                        *all = [&all[..], &more[..]].concat().into();
                    }
                    (_, token) => tokens.push(token),
                }
            }
        }
        tokens
    }

    #[test]
    fn chunks_of_a_body_may_end_anywhere() {
        let wanted = [
            Token::Part("files".to_owned()),
            Token::Data(Bytes::from_static(b"one\r\n--C\r\n\r\n-")),
            Token::PartEnd,
            Token::Part("empty".to_owned()),
            Token::PartEnd,
            Token::End,
        ];
        let body = BODY.as_bytes();
        for cut in 0..=body.len() {
            let (start, rest) = body.split_at(cut);
            assert_eq!(tokens(&[start, rest]), wanted, "cut at {cut}");
        }
        let single: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(tokens(&single), wanted);
    }

    #[test]
    fn headers_without_an_end_are_an_error() {
        for chunk in [1, 1000, 1 << 20] {
            let mut parser = Parser::new("B");
            parser.feed(b"--B\r\n");
            let mut fed = 0;
            let error = loop {
                assert!(fed <= MAX_HEADERS + chunk, "no error after {fed} bytes");
                parser.feed(&vec![b'x'; chunk]);
                fed += chunk;
                match parser.next() {
                    Ok(token) => assert_eq!(token, None),
                    Err(error) => break error,
                }
            };
            assert!(error.contains("64 KiB"), "{error}");
        }
    }

    #[test]
    fn boundaries_are_read_with_and_without_quotes() {
        for text in [
            "multipart/form-data; boundary=ab",
            "multipart/form-data;boundary=\"ab\"",
        ] {
            assert_eq!(boundary_of(text).as_deref(), Some("ab"));
        }
        assert_eq!(boundary_of("application/json"), None);
        assert_eq!(boundary_of("multipart/form-data; boundary="), None);
        let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
        assert_eq!(boundary_of(&long), None);
        assert_eq!(boundary().len(), 32);
    }

    #[test]
    fn the_name_of_a_file_is_read_as_it_was_written() {
        for path in ["/a", "/a\"b\\", "/\\\"", "/ä =;"] {
            assert_eq!(filename(&disposition(path)), path);
        }
        assert_eq!(
            filename("Content-Disposition: form-data; name=\"response\""),
            ""
        );
    }

    #[test]
    fn a_name_may_have_any_characters() {
        assert!(disposition("/a\"b\\").ends_with("filename=\"/a\\\"b\\\\\""));
        assert!(disposition("/a\nb").ends_with("filename*=UTF-8''%2Fa%0Ab"));
    }
}
