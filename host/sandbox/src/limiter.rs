//! Limits of a guest: counts what it has, and finds the limit that ended it.

use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTableError;

use crate::limits::Limits;

/// What wasmtime's error contains, which has no type, if a call passes too much.
const HOST_BUFFER: &str = "fuel allocated for hostcalls has been exhausted";

/// A limit that the guest exceeded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Exceeded {
    /// Processor time.
    #[error("it used more than {0} s of processor time (limits.cpu-seconds in charmhost.toml)")]
    Cpu(f64),
    /// Memory.
    #[error(
        "it asked for {asked_mib} MiB of memory and may have {limit_mib} (limits.memory-mib in charmhost.toml)"
    )]
    Memory {
        /// Its memory after the growth, in MiB.
        asked_mib: usize,
        /// The limit, in MiB.
        limit_mib: u32,
    },
    /// Host resources at one time.
    #[error(
        "it holds more than {0} files, streams and connections (limits.handles in charmhost.toml)"
    )]
    Handles(u32),
    /// Bytes that one call passes.
    #[error("one call passes more than {0} MiB (limits.host-buffer-mib in charmhost.toml)")]
    HostBuffer(u32),
    /// Table elements.
    #[error(
        "it asked for {asked} table elements and may have {limit} (limits.table-elements in charmhost.toml)"
    )]
    Table {
        /// Its table elements after the growth.
        asked: usize,
        /// The limit.
        limit: u32,
    },
}

/// Counts the memory and the table elements of a guest.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    memory: usize,
    tables: usize,
    /// The memory before it last grew.
    memory_before: Option<usize>,
    rejected: Option<Exceeded>,
}

impl Limiter {
    /// A limiter of a guest that has nothing yet.
    pub fn new(limits: Limits) -> Self {
        Limiter {
            limits,
            memory: 0,
            tables: 0,
            memory_before: None,
            rejected: None,
        }
    }

    /// The last growth of memory or of a table that was rejected. The guest may
    /// have coped with that.
    pub fn rejected(&self) -> Option<&Exceeded> {
        self.rejected.as_ref()
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The limit that caused an error: of processor time, of handles, or of
    /// bytes that one call passes.
    pub fn explain(&self, error: &wasmtime::Error) -> Option<Exceeded> {
        if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
            return Some(exceeded.clone());
        }
        if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
            return Some(Exceeded::Handles(self.limits.handles));
        }
        let is_host_buffer = error.root_cause().to_string().contains(HOST_BUFFER);
        is_host_buffer.then_some(Exceeded::HostBuffer(self.limits.host_buffer_mib))
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_sub(current).saturating_add(desired);
        if total > self.limits.memory() {
            self.rejected = Some(Exceeded::Memory {
                asked_mib: total.div_ceil(1 << 20),
                limit_mib: self.limits.memory_mib,
            });
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory_before = Some(self.memory);
        self.memory = total;
        Ok(true)
    }

    /// Uncounts memory that the system could not provide. Other failures happen
    /// before an attempt to grow.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        if is_system_error(&error)
            && let Some(before) = self.memory_before.take()
        {
            self.memory = before;
        }
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.tables.saturating_sub(current).saturating_add(desired);
        if u32::try_from(total).map_or(true, |total| total > self.limits.table_elements) {
            self.rejected = Some(Exceeded::Table {
                asked: total,
                limit: self.limits.table_elements,
            });
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.tables = total;
        Ok(true)
    }
}

fn is_system_error(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("(os error ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> Limiter {
        Limiter::new(Limits {
            memory_mib: 2,
            table_elements: 10,
            ..Limits::default()
        })
    }

    #[test]
    fn memories_count_together() {
        let mut limiter = limiter();
        assert!(limiter.memory_growing(0, 1 << 20, None).unwrap());
        assert!(limiter.memory_growing(0, 1 << 20, None).unwrap());
        assert!(!limiter.memory_growing(1 << 20, 2 << 20, None).unwrap());
        assert_eq!(
            limiter.rejected().unwrap().to_string(),
            "it asked for 3 MiB of memory and may have 2 (limits.memory-mib in charmhost.toml)"
        );
    }

    #[test]
    fn a_memory_that_grows_is_counted_once() {
        let mut limiter = limiter();
        assert!(limiter.memory_growing(0, 1 << 20, None).unwrap());
        assert!(limiter.memory_growing(1 << 20, 2 << 20, None).unwrap());
        assert_eq!(limiter.rejected(), None);
    }

    #[test]
    fn memory_that_the_system_cannot_provide_is_not_counted() {
        let mut limiter = limiter();
        assert!(limiter.memory_growing(0, 1 << 20, None).unwrap());
        let out_of_memory = || std::io::Error::from_raw_os_error(12).into();
        limiter.memory_grow_failed(out_of_memory()).unwrap();
        assert!(limiter.memory_growing(0, 2 << 20, None).unwrap());
        // More than the type of the memory allows: nothing was counted for it.
        let other = wasmtime::Error::msg("memory growth exceeds memory type's limits");
        limiter.memory_grow_failed(other).unwrap();
        assert!(!limiter.memory_growing(0, 1, None).unwrap());
        // Only once for a growth.
        limiter.memory_grow_failed(out_of_memory()).unwrap();
        limiter.memory_grow_failed(out_of_memory()).unwrap();
        assert!(limiter.memory_growing(0, 2 << 20, None).unwrap());
        assert!(!limiter.memory_growing(0, 1, None).unwrap());
    }

    #[test]
    fn only_errors_that_a_limit_caused_are_explained_by_it() {
        let mut limiter = limiter();
        assert!(!limiter.memory_growing(0, 3 << 20, None).unwrap());
        let trap = wasmtime::Error::from(wasmtime::Trap::UnreachableCodeReached);
        assert_eq!(limiter.explain(&trap), None);
        let exceeded = Exceeded::Cpu(1.5);
        let error = wasmtime::Error::new(exceeded.clone()).context("in the guest");
        assert_eq!(limiter.explain(&error), Some(exceeded));
    }

    #[test]
    fn tables_count_together() {
        let mut limiter = limiter();
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!limiter.table_growing(0, 1, None).unwrap());
        assert!(
            limiter
                .rejected()
                .unwrap()
                .to_string()
                .contains("11 table elements")
        );
    }
}
