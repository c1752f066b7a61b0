//! A queue between the threads that serve hook tools and the one that watches
//! the hook: pushing wakes the watcher, which may be waiting for other things
//! at the same time.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::EventfdFlags;

use crate::sim_event::SimEvent;

/// The queue. Clones are the same queue.
#[derive(Clone)]
pub struct SimEventQueue(Arc<Inner>);

struct Inner {
    waiting: Mutex<Vec<SimEvent>>,
    wakeup: OwnedFd,
}

impl SimEventQueue {
    /// An empty queue.
    pub fn new() -> rustix::io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let wakeup = rustix::event::eventfd(0, flags)?;
        let waiting = Mutex::new(Vec::new());
        Ok(SimEventQueue(Arc::new(Inner { waiting, wakeup })))
    }

    /// Adds to the queue, in order.
    pub fn push(&self, events: impl IntoIterator<Item = SimEvent>) {
        let mut waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let was_empty = waiting.is_empty();
        waiting.extend(events);
        let wake = was_empty && !waiting.is_empty();
        drop(waiting);
        if wake {
            // It can only fail if the counter overflows.
            let _ = rustix::io::write(&self.0.wakeup, &1_u64.to_ne_bytes());
        }
    }

    /// Takes all there is.
    pub fn take(&self) -> Vec<SimEvent> {
        let mut count = [0; 8];
        // It fails if the wakeup did not wake, and then there is just nothing.
        let _ = rustix::io::read(&self.0.wakeup, &mut count);
        let mut waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut waiting)
    }
}

impl AsFd for SimEventQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.wakeup.as_fd()
    }
}
