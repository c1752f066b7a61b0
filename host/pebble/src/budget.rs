//! Memory that is held for a caller who does not limit it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Error;

/// Counts the bytes that are held for a caller, up to a limit.
pub trait Budget: Send + Sync {
    /// Counts further bytes.
    ///
    /// # Errors
    ///
    /// If that exceeds the limit, which the text names. Then nothing is counted.
    fn hold(&self, bytes: usize) -> Result<(), String>;

    /// Counts bytes no more.
    fn release(&self, bytes: usize);
}

/// A part of a budget. What it holds is released when it is dropped.
pub struct Account {
    budget: Arc<dyn Budget>,
    held: AtomicUsize,
}

impl Account {
    pub fn new(budget: Arc<dyn Budget>) -> Self {
        Account {
            budget,
            held: AtomicUsize::new(0),
        }
    }

    pub fn hold(&self, bytes: usize) -> Result<(), Error> {
        self.budget.hold(bytes).map_err(Error::Memory)?;
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Releases bytes that it holds.
    pub fn release(&self, bytes: usize) {
        let held = self.held.load(Ordering::Relaxed);
        let bytes = bytes.min(held);
        self.held.store(held - bytes, Ordering::Relaxed);
        self.budget.release(bytes);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.budget.release(*self.held.get_mut());
    }
}
