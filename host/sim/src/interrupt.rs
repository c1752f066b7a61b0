//! Ending a simulation from another thread.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::EventfdFlags;

/// Ends a simulation from another thread, as a signal does. Clones are the same.
///
/// The hook that runs is killed, nothing else is started, and
/// [`run`](crate::run) returns once everything that it made is gone.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Can be read once it was raised.
    raised: OwnedFd,
}

#[derive(Debug, Default)]
struct State {
    signal: Option<i32>,
    is_running: bool,
    /// What an unconfined simulation has put on the machine.
    link: Option<PathBuf>,
}

impl Interrupt {
    /// One that was not raised.
    ///
    /// # Errors
    ///
    /// If the process has too many open files.
    pub fn new() -> std::io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Interrupt(Arc::new(Inner {
            state: Mutex::default(),
            raised: rustix::event::eventfd(0, flags)?,
        })))
    }

    /// Ends the simulation because of a signal. Returns whether one runs, which
    /// will end soon.
    pub fn raise(&self, signal: i32) -> bool {
        let mut state = self.state();
        state.signal = Some(signal);
        // It can only fail when it was raised more often than can be counted.
        let _ = rustix::io::write(&self.0.raised, &1_u64.to_ne_bytes());
        state.is_running
    }

    /// The signal, once it was raised.
    pub fn signal(&self) -> Option<i32> {
        self.state().signal
    }

    /// Removes what the simulation has put on the machine outside of its
    /// directory; for a process that cannot wait for the simulation's end.
    pub fn remove_link(&self) {
        if let Some(link) = self.state().link.take() {
            // It was made here; should it be gone, that is as well.
            let _ = std::fs::remove_file(link);
        }
    }

    pub(crate) fn starts(&self) {
        self.state().is_running = true;
    }

    pub(crate) fn has_link(&self, link: &Path) {
        self.state().link = Some(link.to_path_buf());
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.raised.as_fd()
    }
}
