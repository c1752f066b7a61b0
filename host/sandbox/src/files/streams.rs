//! Streams that read and write files.
//!
//! They block the calling thread, on which the guest waits anyway: files are
//! always ready.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustix::io::{Errno, ReadWriteFlags};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use crate::disk::DiskQuota;

/// Size of one read or write, in bytes.
pub(super) const CHUNK: usize = 64 * 1024;

/// Reads a file from an offset.
pub(super) struct FileInput {
    pub file: Arc<File>,
    pub position: u64,
}

impl InputStream for FileInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let mut buffer = BytesMut::zeroed(size.min(CHUNK));
        let count = retry(|| self.file.read_at(&mut buffer, self.position)).map_err(failed)?;
        if count == 0 {
            return Err(StreamError::Closed);
        }
        buffer.truncate(count);
        self.position += count as u64;
        Ok(buffer.freeze())
    }
}

#[async_trait]
impl Pollable for FileInput {
    async fn ready(&mut self) {}
}

/// The position at which a stream writes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Position {
    At(u64),
    End,
}

/// Writes a file, within the disk quota.
pub(super) struct FileOutput {
    pub file: Arc<File>,
    pub position: Position,
    pub quota: DiskQuota,
}

#[async_trait]
impl OutputStream for FileOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let count = write(&self.file, &bytes, self.position, &self.quota).map_err(failed)?;
        if let Position::At(position) = &mut self.position {
            *position += count as u64;
        }
        // Only a full disk or a signal causes a short write.
        match bytes.get(count..) {
            Some([]) | None => Ok(()),
            Some(_) if count == 0 => Err(failed(io::ErrorKind::WriteZero.into())),
            Some(rest) => self.write(Bytes::copy_from_slice(rest)),
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
    }
}

#[async_trait]
impl Pollable for FileOutput {
    async fn ready(&mut self) {}
}

fn failed(error: io::Error) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}

fn retry<T>(mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match work() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Writes with one system call, and counts the growth of the file.
pub(super) fn write(
    file: &File,
    bytes: &[u8],
    position: Position,
    quota: &DiskQuota,
) -> io::Result<usize> {
    let size = file.metadata()?.len();
    let start = match position {
        Position::At(start) => start,
        Position::End => size,
    };
    let end = start
        .checked_add(bytes.len() as u64)
        .ok_or_else(|| io::Error::from(Errno::FBIG))?;
    let growth = end.saturating_sub(size);
    quota
        .take(growth)
        .map_err(|_| io::Error::from(Errno::DQUOT))?;
    let written = retry(|| match position {
        Position::At(start) => file.write_at(bytes, start),
        Position::End => {
            let slices = [io::IoSlice::new(bytes)];
            Ok(rustix::io::pwritev2(
                file,
                &slices,
                0,
                ReadWriteFlags::APPEND,
            )?)
        }
    });
    let count = *written.as_ref().unwrap_or(&0) as u64;
    // Unwritten bytes do not count.
    let reached = start.saturating_add(count).saturating_sub(size);
    quota.give_back(growth.saturating_sub(reached));
    written
}

/// Changes the size of a file, and counts the difference.
pub(super) fn resize(file: &File, size: u64, quota: &DiskQuota) -> io::Result<()> {
    let before = file.metadata()?.len();
    let growth = size.saturating_sub(before);
    quota
        .take(growth)
        .map_err(|_| io::Error::from(Errno::DQUOT))?;
    match retry(|| file.set_len(size)) {
        Ok(()) => {
            quota.give_back(before.saturating_sub(size));
            Ok(())
        }
        Err(error) => {
            quota.give_back(growth);
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_grows_by_counts_once() {
        let file = tempfile::tempfile().unwrap();
        let quota = DiskQuota::new(100, crate::DenialLog::default());
        assert_eq!(write(&file, &[1; 60], Position::At(0), &quota).unwrap(), 60);
        assert_eq!(write(&file, &[2; 60], Position::At(0), &quota).unwrap(), 60);
        assert_eq!(write(&file, &[3; 40], Position::End, &quota).unwrap(), 40);
        for (position, what) in [(Position::End, "append"), (Position::At(1000), "hole")] {
            let rejected = write(&file, &[4], position, &quota).unwrap_err();
            assert_eq!(
                rejected.raw_os_error(),
                Some(Errno::DQUOT.raw_os_error()),
                "{what}"
            );
        }
        resize(&file, 50, &quota).unwrap();
        assert!(resize(&file, 101, &quota).is_err());
        resize(&file, 100, &quota).unwrap();
        assert!(write(&file, &[5; 101], Position::At(0), &quota).is_err());
        assert_eq!(file.metadata().unwrap().len(), 100);
    }
}
