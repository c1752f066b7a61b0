//! Keeps a guest within its limits, and finds out which one has ended it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::component::ResourceTableError;
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};

use crate::limits::Limits;

/// How often, at most, the guest's processor time is looked at.
const TICK: Duration = Duration::from_millis(10);

/// How long the host may go on working for a guest that has used up its
/// processor time.
const GRACE: Duration = Duration::from_secs(2);

/// What wasmtime says of a call that passes too much; it has no type.
const HOST_BUFFER: &str = "fuel allocated for hostcalls has been exhausted";

/// A limit that the guest ran into.
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
        /// What it would have had, in MiB.
        asked_mib: usize,
        /// What it may have, in MiB.
        limit_mib: u32,
    },
    /// Things of the host.
    #[error(
        "it holds more than {0} files, streams and connections (limits.handles in charmhost.toml)"
    )]
    Handles(u32),
    /// Memory of the host.
    #[error("one call passes more than {0} MiB (limits.host-buffer-mib in charmhost.toml)")]
    HostBuffer(u32),
    /// Table elements.
    #[error(
        "it asked for {asked} table elements and may have {limit} (limits.table-elements in charmhost.toml)"
    )]
    Table {
        /// What it would have had.
        asked: usize,
        /// What it may have.
        limit: u32,
    },
}

/// Counts what a guest has.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    memory: usize,
    tables: usize,
    /// What the memory was before it last grew.
    memory_before: Option<usize>,
    refused: Option<Exceeded>,
}

impl Limiter {
    /// A limiter with nothing used.
    pub fn new(limits: Limits) -> Self {
        Limiter {
            limits,
            memory: 0,
            tables: 0,
            memory_before: None,
            refused: None,
        }
    }

    /// The last growth of memory or of a table that the guest was refused.
    /// It may have coped with that.
    pub fn refused(&self) -> Option<&Exceeded> {
        self.refused.as_ref()
    }

    /// What one call can make the host hold, in bytes.
    pub fn host_buffer(&self) -> usize {
        self.limits.host_buffer()
    }

    /// The limit that an error is: of processor time, handles, or what one
    /// call passes.
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
            self.refused = Some(Exceeded::Memory {
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

    /// Takes back what was counted for memory that the system does not give.
    /// Other failures come without an attempt to grow.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        if is_of_system(&error)
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
            self.refused = Some(Exceeded::Table {
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

/// Whether the system has refused something.
fn is_of_system(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("(os error ")
}

/// Ends the guest when it has used up its processor time.
///
/// The time of the calling thread counts, on which guest and host functions
/// run one after the other: time spent asleep is free, and so is looking at the
/// clock, which is not done before the time can be over. The guest is stopped
/// where it runs; the host's own work for it is not, and if that goes on for
/// two seconds after the limit, `overrun` is called on another thread and has to
/// end the process.
pub fn limit_cpu<T: 'static>(
    store: &mut Store<T>,
    engine: &Engine,
    limiter: impl Fn(&mut T) -> &mut Limiter + Send + Sync + 'static,
    overrun: impl FnOnce(&Exceeded) + Send + 'static,
) -> std::io::Result<()> {
    let start = cpu_time(ClockId::ThreadCPUTime);
    let limits = limiter(store.data_mut()).limits.clone();
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut context| {
        let limiter = limiter(context.data_mut());
        if cpu_time(ClockId::ThreadCPUTime).saturating_sub(start) < limiter.limits.cpu() {
            return Ok(UpdateDeadline::Continue(1));
        }
        let exceeded = Exceeded::Cpu(limiter.limits.cpu_seconds);
        Err(wasmtime::Error::new(exceeded))
    });
    let engine = engine.weak();
    let start = cpu_time(ClockId::ProcessCPUTime);
    let soft = limits.cpu();
    let hard = soft.saturating_add(GRACE);
    std::thread::Builder::new()
        .name("cpu-limit".to_owned())
        .stack_size(64 << 10)
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                let used = cpu_time(ClockId::ProcessCPUTime).saturating_sub(start);
                if used > hard {
                    overrun(&Exceeded::Cpu(limits.cpu_seconds));
                    return;
                }
                // Only the guest's thread uses much: the rest of its time takes
                // at least as long as that.
                std::thread::sleep(soft.saturating_sub(used).max(TICK));
            }
        })?;
    Ok(())
}

fn cpu_time(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
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
            limiter.refused().unwrap().to_string(),
            "it asked for 3 MiB of memory and may have 2 (limits.memory-mib in charmhost.toml)"
        );
    }

    #[test]
    fn a_memory_that_grows_is_counted_once() {
        let mut limiter = limiter();
        assert!(limiter.memory_growing(0, 1 << 20, None).unwrap());
        assert!(limiter.memory_growing(1 << 20, 2 << 20, None).unwrap());
        assert_eq!(limiter.refused(), None);
    }

    #[test]
    fn memory_that_the_system_does_not_give_is_not_counted() {
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
    fn only_an_error_of_a_limit_is_explained_by_it() {
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
                .refused()
                .unwrap()
                .to_string()
                .contains("11 table elements")
        );
    }
}
