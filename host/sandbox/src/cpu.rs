//! The limit of a guest's processor time.
//!
//! Compiled code looks at its engine's epoch. A [`CpuTicker`] advances it from
//! another thread, and [`limit_cpu`] reads the clock of the guest's own thread
//! when it has advanced.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::limiter::{Exceeded, Limiter};
use crate::limits::Limits;

/// The shortest time between two looks at the guest's processor time.
pub const TICK: Duration = Duration::from_millis(10);

/// Advances the epoch of engines, so that the processor time of their guests is
/// looked at.
pub trait CpuTicker {
    /// Makes sure that the engine's epoch advances while a guest with these
    /// limits runs: at least once after its processor time is over.
    ///
    /// # Errors
    ///
    /// The system's error if a thread is needed and cannot be started.
    fn start(&mut self, engine: &Engine, limits: &Limits) -> io::Result<()>;
}

/// Stops the guest when it has used up its processor time.
///
/// The time of the calling thread counts, on which guest and host functions
/// run one after the other; time spent asleep is free. The guest is stopped
/// where it runs, but not the host's own work for it.
pub fn limit_cpu<T: 'static>(
    store: &mut Store<T>,
    limiter: impl Fn(&mut T) -> &mut Limiter + Send + Sync + 'static,
) {
    let start = cpu_time(ClockId::ThreadCPUTime);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut context| {
        let limits = limiter(context.data_mut()).limits();
        if cpu_time(ClockId::ThreadCPUTime).saturating_sub(start) < limits.cpu() {
            return Ok(UpdateDeadline::Continue(1));
        }
        let exceeded = Exceeded::Cpu(limits.cpu_seconds);
        Err(wasmtime::Error::new(exceeded))
    });
}

/// Processor time that the process has used, on all of its threads.
pub fn process_cpu_time() -> Duration {
    cpu_time(ClockId::ProcessCPUTime)
}

fn cpu_time(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Advances the epoch of one engine that many guests share. Its thread ends
/// when it is dropped.
#[derive(Debug)]
pub struct SharedTicker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SharedTicker {
    /// Starts the thread.
    pub fn new(engine: &Engine) -> io::Result<Self> {
        let engine = engine.clone();
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new()
            .name("cpu-limit".to_owned())
            .stack_size(64 << 10)
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(TICK) {
                    engine.increment_epoch();
                }
            })?;
        Ok(SharedTicker {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// A reference serves one session; the engine must be the ticker's own.
impl CpuTicker for &SharedTicker {
    fn start(&mut self, _: &Engine, _: &Limits) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for SharedTicker {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // The thread does not panic.
            let _ = thread.join();
        }
    }
}
