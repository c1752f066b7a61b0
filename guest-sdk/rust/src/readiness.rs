//! Waiting for several streams at once.

use std::time::Duration;

use crate::bindings::readiness as wit;

/// Something that becomes ready: a stream of a command, a file, a connection, a
/// reader of logs.
///
/// It is ready when the call that it stands for would not block, also because that
/// would fail, or return the end.
#[derive(Debug)]
pub struct Pollable(wit::Pollable);

impl Pollable {
    pub(crate) fn new(pollable: wit::Pollable) -> Self {
        Pollable(pollable)
    }

    /// Whether it is ready now.
    pub fn is_ready(&self) -> bool {
        self.0.ready()
    }
}

/// Waits until at least one source is ready, or until the time has passed. Returns
/// the indices of those that are ready, in ascending order; none without sources.
///
/// A command is fed while it prints:
///
/// ```
/// # use charmhost::prelude::*;
/// # use charmhost::{StandardStream, poll};
/// # fn handler(input: &[u8]) -> Result<Vec<u8>> {
/// let process = unit().container("app").exec(["sort"]).start()?;
/// let (mut rest, mut is_open, mut output) = (input, true, Vec::new());
/// let stdout = process.subscribe(StandardStream::Stdout);
/// let stdin = process.subscribe(StandardStream::Stdin);
/// loop {
///     if is_open && rest.is_empty() {
///         process.close_stdin()?;
///         is_open = false;
///     }
///     let sources = if is_open { &[&stdout, &stdin][..] } else { &[&stdout] };
///     for index in poll(sources, None) {
///         if index == 1 {
///             rest = &rest[process.write_stdin(rest)?..];
///             continue;
///         }
///         let chunk = process.read_stdout(65536)?;
///         if chunk.is_empty() {
///             return Ok(output);
///         }
///         output.extend(chunk);
///     }
/// }
/// # }
/// ```
pub fn poll(sources: &[&Pollable], timeout: Option<Duration>) -> Vec<usize> {
    let sources: Vec<&wit::Pollable> = sources.iter().map(|source| &source.0).collect();
    let timeout = timeout.map(|timeout| timeout.as_secs_f64());
    let ready = wit::poll(&sources, timeout).into_iter();
    ready.map(|index| index as usize).collect()
}
