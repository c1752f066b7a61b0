//! The limit of disk space that one session uses in addition.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::denials::DenialLog;

/// Bytes that a directory entry counts by itself: its name, and for a file the
/// inode and the unused rest of a block.
pub(crate) const ENTRY: u64 = 4096;

/// Counts the bytes that a guest adds wherever it may write. Clones share one
/// count.
///
/// Sizes of files count, not blocks: a sparse file counts as if it had no holes,
/// so that filling them adds nothing. Removed bytes are subtracted, but the count
/// never falls below 0.
#[derive(Debug, Clone)]
pub struct DiskQuota(Arc<Counter>);

#[derive(Debug)]
struct Counter {
    limit: u64,
    used: AtomicU64,
    denials: DenialLog,
}

impl DiskQuota {
    /// Creates a quota of `limit` bytes. Exceeding it is logged as a denial.
    pub fn new(limit: u64, denials: DenialLog) -> Self {
        DiskQuota(Arc::new(Counter {
            limit,
            used: AtomicU64::new(0),
            denials,
        }))
    }

    /// Takes bytes from the quota; none if fewer are left.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), QuotaExceeded> {
        let used = self.0.used.load(Ordering::Relaxed);
        match used.checked_add(bytes).filter(|sum| *sum <= self.0.limit) {
            Some(sum) => {
                self.0.used.store(sum, Ordering::Relaxed);
                Ok(())
            }
            None => {
                let line = format!(
                    "Denied adding to disks: one dispatch may add {} MiB (limits.disk-mib in charmhost.toml).",
                    self.0.limit >> 20
                );
                self.0.denials.note(&line);
                Err(QuotaExceeded)
            }
        }
    }

    /// Returns the bytes of a removed file to the quota.
    pub(crate) fn give_back(&self, bytes: u64) {
        let used = self.0.used.load(Ordering::Relaxed);
        self.0
            .used
            .store(used.saturating_sub(bytes), Ordering::Relaxed);
    }
}

/// The quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuotaExceeded;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_bytes_can_be_added_again_and_no_more() {
        let denials = DenialLog::default();
        let quota = DiskQuota::new(100, denials.clone());
        quota.take(60).unwrap();
        assert_eq!(quota.take(41), Err(QuotaExceeded));
        quota.give_back(10);
        quota.take(50).unwrap();
        // Removing files of earlier sessions gives no credit.
        quota.give_back(1000);
        assert_eq!(quota.take(101), Err(QuotaExceeded));
        quota.take(100).unwrap();
        assert_eq!(denials.take().len(), 1);
    }
}
