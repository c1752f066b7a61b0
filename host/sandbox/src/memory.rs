//! One count of everything that a guest makes the host hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts bytes that the host holds, or has written to the log, on behalf of
/// the guest: state, notices, definitions, listings, queued process input, log
/// lines. Cloned, it is the same one.
///
/// The linear memory of the guest counts elsewhere, as does what one call
/// passes, which lives no longer than the call.
#[derive(Debug, Clone)]
pub struct HostMemory(Arc<Counter>);

#[derive(Debug)]
struct Counter {
    limit: usize,
    held: AtomicUsize,
}

/// The guest makes the host hold more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot hold {asked} more bytes for the charm: all that the host holds for it is limited to {} MiB (limits.host-memory-mib in charmhost.toml)",
    limit >> 20
)]
pub struct HostMemoryExceeded {
    /// How many bytes were to be held.
    pub asked: usize,
    /// How many may be held, all together.
    pub limit: usize,
}

impl HostMemory {
    /// A count that ends at so many bytes.
    pub fn new(limit: usize) -> Self {
        HostMemory(Arc::new(Counter {
            limit,
            held: AtomicUsize::new(0),
        }))
    }

    /// Counts bytes that are held from now on.
    pub fn hold(&self, bytes: usize) -> Result<(), HostMemoryExceeded> {
        let Counter { limit, held } = &*self.0;
        let sum = held.load(Ordering::Relaxed).checked_add(bytes);
        match sum.filter(|sum| sum <= limit) {
            Some(sum) => {
                held.store(sum, Ordering::Relaxed);
                Ok(())
            }
            None => Err(HostMemoryExceeded {
                asked: bytes,
                limit: *limit,
            }),
        }
    }

    /// Counts bytes that are no longer held.
    pub fn release(&self, bytes: usize) {
        let held = self.0.held.load(Ordering::Relaxed);
        self.0
            .held
            .store(held.saturating_sub(bytes), Ordering::Relaxed);
    }

    /// Counts bytes until the guard is dropped.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, HostMemoryExceeded> {
        self.hold(bytes)?;
        Ok(Reservation {
            memory: self.clone(),
            bytes,
        })
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }
}

/// Bytes that count as held for as long as this lives.
#[derive(Debug)]
pub struct Reservation {
    memory: HostMemory,
    bytes: usize,
}

impl Reservation {
    /// Counts more bytes with the others.
    pub fn grow(&mut self, bytes: usize) -> Result<(), HostMemoryExceeded> {
        self.memory.hold(bytes)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_counts_together_until_it_is_released() {
        let memory = HostMemory::new(100);
        memory.hold(40).unwrap();
        let reserved = memory.clone().reserve(50).unwrap();
        assert_eq!(memory.hold(11).map_err(|e| e.asked), Err(11));
        assert_eq!(memory.held(), 90);
        drop(reserved);
        memory.hold(60).unwrap();
        memory.release(1000);
        assert_eq!(memory.held(), 0);
        assert!(memory.hold(usize::MAX).is_err());
    }
}
