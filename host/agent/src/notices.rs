//! A queue between the threads that serve hook tools and the one that watches
//! the hook: pushing wakes the watcher, which may be waiting for other things
//! at the same time.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::EventfdFlags;

use crate::report::Notice;

/// The queue. Clones are the same queue.
#[derive(Clone)]
pub struct Notices(Arc<Inner>);

struct Inner {
    waiting: Mutex<Vec<Notice>>,
    bell: OwnedFd,
}

impl Notices {
    /// An empty queue.
    pub fn new() -> rustix::io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bell = rustix::event::eventfd(0, flags)?;
        let waiting = Mutex::new(Vec::new());
        Ok(Notices(Arc::new(Inner { waiting, bell })))
    }

    /// Adds to the queue, in order.
    pub fn push(&self, notices: impl IntoIterator<Item = Notice>) {
        let mut waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let was_empty = waiting.is_empty();
        waiting.extend(notices);
        let ring = was_empty && !waiting.is_empty();
        drop(waiting);
        if ring {
            // It can only fail when it has rung more often than can be counted.
            let _ = rustix::io::write(&self.0.bell, &1_u64.to_ne_bytes());
        }
    }

    /// Takes all there is.
    pub fn take(&self) -> Vec<Notice> {
        let mut count = [0; 8];
        // It fails if the bell did not ring, and then there is just nothing.
        let _ = rustix::io::read(&self.0.bell, &mut count);
        let mut waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut waiting)
    }
}

impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.bell.as_fd()
    }
}
