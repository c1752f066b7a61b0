//! Reading several files whole, in one request (`pebble §10.1`).

use std::collections::VecDeque;

use super::pull::{Pull, Transfer};
use super::{MAX_RESULTS, PathResult};
use crate::multipart::Token;
use crate::{Client, Error, PathFailure};

/// The longest paths of one request together, in bytes. The daemon accepts about
/// 1 MiB, in which a byte may take three (`pebble §1`).
const MAX_PATHS: usize = 256 * 1024;
/// How much the buffer of a file grows at most at once, in bytes.
const GROWTH: usize = 1 << 20;

/// A file that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Its path, as it was asked for.
    pub path: String,
    /// Its content, or why it cannot be read.
    pub content: Result<Vec<u8>, PathFailure>,
}

impl Pulled {
    /// The most bytes that are buffered beside the content, when files are read.
    pub fn capacity(paths: &[String]) -> usize {
        Pull::CAPACITY + results_size(paths)
    }
}

/// The longest results for files, in bytes: messages name their paths.
fn results_size(paths: &[String]) -> usize {
    let paths = paths.iter().map(|path| 1024 + 4 * path.len());
    MAX_RESULTS + paths.sum::<usize>()
}

/// A part of the response: a file, or the beginning of one that cannot be read to
/// its end.
struct Part {
    filename: String,
    content: Vec<u8>,
}

impl Client {
    /// Reads several files whole. A file that cannot be read does not fail the
    /// others. `hold` is asked before memory for content is taken, with the number of
    /// bytes; its error ends the call.
    pub async fn pull_many<E: From<Error>>(
        &self,
        paths: &[String],
        mut hold: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Vec<Pulled>, E> {
        if paths.is_empty() {
            let detail = "cannot read files: name at least one".to_owned();
            return Err(Error::Invalid(detail).into());
        }
        if paths.iter().map(String::len).sum::<usize>() > MAX_PATHS {
            let detail = "cannot read files: their paths are longer than 256 KiB together";
            return Err(Error::Invalid(detail.to_owned()).into());
        }
        let names: Vec<&str> = paths.iter().map(String::as_str).collect();
        let doing = format!("read {} files", paths.len());
        let mut transfer = self.open(&names, doing).await?;
        let mut parts = VecDeque::new();
        loop {
            match transfer.token().await? {
                Token::Part(name) if name == "files" => {
                    let filename = transfer.filename().to_owned();
                    let content = content(&mut transfer, &mut hold).await?;
                    parts.push_back(Part { filename, content });
                }
                Token::Part(name) if name == "response" => break,
                _ => return Err(transfer.malformed("it has a part of another kind").into()),
            }
        }
        let results = transfer
            .results(results_size(paths))
            .await?
            .unwrap_or_default();
        let pulled = assigned(paths, results, parts);
        pulled.map_err(|detail| transfer.malformed(detail).into())
    }
}

/// Reads one part to its end.
async fn content<E: From<Error>>(
    transfer: &mut Transfer,
    hold: &mut impl FnMut(usize) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let mut content = Vec::new();
    loop {
        match transfer.token().await? {
            Token::Data(data) => {
                let free = content.capacity() - content.len();
                if free < data.len() {
                    // Twice the capacity, and a fixed step for a large file.
                    let more = content.capacity().min(GROWTH).max(data.len());
                    hold(more)?;
                    content.reserve_exact(more);
                }
                content.extend_from_slice(&data);
            }
            Token::PartEnd => return Ok(content),
            _ => return Err(transfer.malformed("it ends early").into()),
        }
    }
}

/// Assigns parts to paths, by their order: the header of a part does not always have
/// the exact path. Only a file that fails in the middle has a part and an error.
fn assigned(
    paths: &[String],
    results: Vec<PathResult>,
    mut parts: VecDeque<Part>,
) -> Result<Vec<Pulled>, &'static str> {
    if results.len() != paths.len() {
        return Err("it has not one result for each file");
    }
    let complete = results.iter().filter(|result| result.error.is_none());
    let mut broken = parts
        .len()
        .checked_sub(complete.count())
        .ok_or("a file has no content")?;
    let mut pulled = Vec::new();
    for (path, result) in paths.iter().zip(results) {
        let content = match result.error {
            None => {
                let part = parts.pop_front().ok_or("a file has no content")?;
                Ok(part.content)
            }
            Some(error) => {
                let next = parts.front();
                if broken > 0 && next.is_some_and(|part| part.filename == *path) {
                    parts.pop_front();
                    broken -= 1;
                }
                Err(error.failure())
            }
        };
        pulled.push(Pulled {
            path: path.clone(),
            content,
        });
    }
    match parts.is_empty() {
        true => Ok(pulled),
        false => Err("it has content without a result"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::PathError;
    use super::*;

    fn assign(results: &[bool], files: &[(&str, &str)]) -> Result<String, &'static str> {
        let paths: Vec<String> = ["/a", "/b", "/c"]
            .iter()
            .take(results.len())
            .map(|path| (*path).to_owned())
            .collect();
        let results = results.iter().map(|fails| PathResult {
            error: fails.then(|| PathError {
                message: "no".to_owned(),
                kind: None,
            }),
        });
        let parts = files.iter().map(|(filename, content)| Part {
            filename: (*filename).to_owned(),
            content: content.as_bytes().to_vec(),
        });
        let pulled = assigned(&paths, results.collect(), parts.collect())?;
        let shown = pulled.iter().map(|file| match &file.content {
            Ok(content) => String::from_utf8_lossy(content).into_owned(),
            Err(failure) => failure.message.clone(),
        });
        Ok(shown.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn parts_are_assigned_by_their_order() {
        let (ok, fails) = (false, true);
        for (results, parts, wanted) in [
            (&[ok, ok][..], &[("/a", "1"), ("/b", "2")][..], Ok("1,2")),
            // The name of a part may be another spelling of the path.
            (&[ok, ok], &[("/x", "1"), ("/y", "2")], Ok("1,2")),
            (&[fails, ok], &[("/b", "2")], Ok("no,2")),
            (&[fails, fails], &[], Ok("no,no")),
            // The first file could not be read to its end.
            (&[fails, ok], &[("/a", "half"), ("/b", "2")], Ok("no,2")),
            (
                &[fails, ok, fails],
                &[("/b", "2"), ("/c", "half")],
                Ok("no,2,no"),
            ),
            (&[ok, ok], &[("/a", "1")], Err("a file has no content")),
            (
                &[fails],
                &[("/x", "1")],
                Err("it has content without a result"),
            ),
        ] {
            assert_eq!(
                assign(results, parts).as_deref(),
                wanted.as_ref().map(|w| *w),
                "{results:?}"
            );
        }
        assert!(assigned(&["/a".to_owned()], Vec::new(), VecDeque::new()).is_err());
    }
}
