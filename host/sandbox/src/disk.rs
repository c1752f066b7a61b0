//! A quota on what one dispatch adds to the machine's disks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::denials::DenialLog;

/// What an entry of a directory costs by itself, in bytes: its name, and for a
/// file the inode and the rest of a block.
pub(crate) const ENTRY: u64 = 4096;

/// Counts what a guest adds wherever it may write. Cloned, it is the same one.
///
/// Sizes of files count, not blocks: a file with holes counts as if it had
/// none, so that filling them adds nothing. What is removed is given back, but
/// never more than was added.
#[derive(Debug, Clone)]
pub struct DiskQuota(Arc<Counter>);

#[derive(Debug)]
struct Counter {
    limit: u64,
    used: AtomicU64,
    denials: DenialLog,
}

impl DiskQuota {
    /// A quota of so many bytes; that it is used up is logged as a denial.
    pub fn new(limit: u64, denials: DenialLog) -> Self {
        DiskQuota(Arc::new(Counter {
            limit,
            used: AtomicU64::new(0),
            denials,
        }))
    }

    /// Takes so many bytes of the quota. Without so many left it takes none.
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

    /// Gives back what was removed.
    pub(crate) fn give_back(&self, bytes: u64) {
        let used = self.0.used.load(Ordering::Relaxed);
        self.0
            .used
            .store(used.saturating_sub(bytes), Ordering::Relaxed);
    }
}

/// The dispatch has added as much as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuotaExceeded;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_can_be_added_again_and_no_more() {
        let denials = DenialLog::default();
        let quota = DiskQuota::new(100, denials.clone());
        quota.take(60).unwrap();
        assert_eq!(quota.take(41), Err(QuotaExceeded));
        quota.give_back(10);
        quota.take(50).unwrap();
        // What was there before gives no credit.
        quota.give_back(1000);
        assert_eq!(quota.take(101), Err(QuotaExceeded));
        quota.take(100).unwrap();
        assert_eq!(denials.take().len(), 1);
    }
}
