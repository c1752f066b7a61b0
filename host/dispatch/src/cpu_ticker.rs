//! The thread that limits processor time, for as long as the process lives.

use std::io;
use std::time::Duration;

use charmhost_hook_tools::Stderr;
use charmhost_sandbox::{CpuTicker, Exceeded, Limits, TICK, process_cpu_time};
use wasmtime::Engine;

use crate::FAILED;

/// How long the host may go on working for a guest that has used up its
/// processor time.
const GRACE: Duration = Duration::from_secs(2);

/// Advances the epoch of the only engine from a thread of its own. If the host
/// works on for a guest that has used up its processor time, which cannot be
/// stopped, it ends the process: nothing was committed yet.
pub struct ProcessTicker {
    /// Where the end of the process is reported.
    pub stderr: Stderr,
}

impl CpuTicker for ProcessTicker {
    fn start(&mut self, engine: &Engine, limits: &Limits) -> io::Result<()> {
        let engine = engine.weak();
        let stderr = self.stderr.clone();
        let start = process_cpu_time();
        let cpu_seconds = limits.cpu_seconds;
        let soft = limits.cpu();
        let hard = soft.saturating_add(GRACE);
        std::thread::Builder::new()
            .name("cpu-limit".to_owned())
            .stack_size(64 << 10)
            .spawn(move || {
                while let Some(engine) = engine.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    let used = process_cpu_time().saturating_sub(start);
                    if used > hard {
                        let exceeded = Exceeded::Cpu(cpu_seconds);
                        stderr.write_line(&format!("ERROR {exceeded}"));
                        std::process::exit(FAILED.into());
                    }
                    // Only the guest's thread uses much: the rest of its time
                    // takes at least as long as that.
                    std::thread::sleep(soft.saturating_sub(used).max(TICK));
                }
            })?;
        Ok(())
    }
}
