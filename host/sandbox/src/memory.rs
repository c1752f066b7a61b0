//! The limit of memory that the host holds for a guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts bytes that the host holds, or has written to the log, on behalf of
/// the guest: state, notices, definitions, listings, queued process input, log
/// lines. Clones share one count.
///
/// The linear memory of the guest is limited by [`Limiter`](crate::Limiter), and
/// so are the bytes that one call passes, which are released after the call.
#[derive(Debug, Clone)]
pub struct HostMemory(Arc<Counter>);

#[derive(Debug)]
struct Counter {
    limit: usize,
    held: AtomicUsize,
}

/// The guest needs more memory of the host than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot hold {asked} more bytes for the charm: all that the host holds for it is limited to {} MiB (limits.host-memory-mib in charmhost.toml)",
    limit >> 20
)]
pub struct HostMemoryExceeded {
    /// The bytes of the rejected request.
    pub asked: usize,
    /// The limit in bytes.
    pub limit: usize,
}

impl HostMemory {
    /// Creates a count with a limit in bytes.
    pub fn new(limit: usize) -> Self {
        HostMemory(Arc::new(Counter {
            limit,
            held: AtomicUsize::new(0),
        }))
    }

    /// Adds bytes to the count. If that exceeds the limit, the count is unchanged.
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

    /// Subtracts bytes from the count.
    pub fn release(&self, bytes: usize) {
        let held = self.0.held.load(Ordering::Relaxed);
        self.0
            .held
            .store(held.saturating_sub(bytes), Ordering::Relaxed);
    }

    /// Adds bytes to the count until the reservation is dropped.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, HostMemoryExceeded> {
        self.hold(bytes)?;
        Ok(Reservation {
            memory: self.clone(),
            bytes,
        })
    }

    /// The count in bytes.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }
}

/// Bytes that count until it is dropped.
#[derive(Debug)]
pub struct Reservation {
    memory: HostMemory,
    bytes: usize,
}

impl Reservation {
    /// Adds bytes to the reservation.
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
