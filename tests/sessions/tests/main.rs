//! Runs 1,000 sessions of two charms in memory, on two threads of one process.
//! From the 100th to the last, memory grows by at most 1 MiB, and descriptors
//! and threads do not increase.

mod model;
mod pebble;
mod unit;
mod usage;

use std::path::PathBuf;
use std::sync::{Arc, Barrier};

use anyhow::ensure;
use charmhost_juju::Metadata;
use charmhost_runtime::{COMPILED_NAME, CompiledCharm, Definition, Settings, engine};
use charmhost_sandbox::SharedTicker;

use unit::Unit;
use usage::Usage;

/// Threads that run sessions at the same time.
const THREADS: usize = 2;
/// Sessions of each thread, half of them of each charm.
const SESSIONS: usize = 1000 / THREADS;
/// Sessions of each thread before the first measurement.
const WARM_UP: usize = 100 / THREADS;
/// Allowed growth of memory, in bytes.
const GROWTH: u64 = 1 << 20;

const QUEUE: &str = "name: queue
requires: {db: {interface: pg}}
storage: {data: {type: filesystem}}
";
const WEB: &str = "name: web
containers: {web: {resource: web-image}}
peers: {ring: {interface: web-ring}}
";

const QUEUE_HOOKS: &[&str] = &["config-changed", "start", "leader-elected"];
const WEB_HOOKS: &[&str] = &["config-changed", "leader-elected", "update-status"];

/// A charm that was loaded once for all sessions.
struct LoadedCharm {
    definition: Definition,
    code: CompiledCharm,
    dir: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let engine = engine().map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let load =
        |project: &str, name: &str, metadata: &str, actions: &str| -> anyhow::Result<LoadedCharm> {
            let dir = charmhost_tests::build(project, name)?;
            std::fs::write(dir.join("metadata.yaml"), metadata)?;
            std::fs::write(dir.join("actions.yaml"), actions)?;
            let definition = Definition {
                metadata: Arc::new(Metadata::load(&dir)?),
                settings: Settings::default(),
            };
            let code = CompiledCharm::load(&engine, &dir.join(COMPILED_NAME))?;
            Ok(LoadedCharm {
                definition,
                code,
                dir,
            })
        };
    let queue = load("tests/guests/queue", "sessions-queue", QUEUE, "{}")?;
    let web = load("charms/web", "sessions-web", WEB, "fetch: {}")?;
    let ticker = SharedTicker::new(&engine)?;
    // All threads are between two sessions at both measurements.
    let barrier = Barrier::new(THREADS + 1);
    let [first, last] = std::thread::scope(|scope| -> anyhow::Result<_> {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| run(&queue, &web, &ticker, &barrier)))
            .collect();
        let mut measured = [Usage::default(); 2];
        for usage in &mut measured {
            barrier.wait();
            *usage = Usage::measure()?;
            barrier.wait();
        }
        for thread in threads {
            thread.join().expect("a thread panicked")?;
        }
        Ok(measured)
    })?;
    println!("after {} sessions: {first}", WARM_UP * THREADS);
    println!("after {} sessions: {last}", SESSIONS * THREADS);
    let growth = last.memory.saturating_sub(first.memory);
    ensure!(growth <= GROWTH, "memory has grown by {growth} bytes");
    ensure!(last.descriptors == first.descriptors, "descriptors leak");
    ensure!(last.threads == first.threads, "threads leak");
    Ok(())
}

/// Runs the sessions of one thread, on a unit of each charm.
fn run(
    queue: &LoadedCharm,
    web: &LoadedCharm,
    ticker: &SharedTicker,
    barrier: &Barrier,
) -> anyhow::Result<()> {
    let mut queue = Unit::new(queue, "queue/0", QUEUE_HOOKS);
    let mut web = Unit::new(web, "web/0", WEB_HOOKS);
    let mut result = Ok(());
    for sessions in [0..WARM_UP, WARM_UP..SESSIONS] {
        let mut run = |number: usize| match number % 2 {
            0 => queue.run(number / 2, ticker),
            _ => web.run(number / 2, ticker),
        };
        result = result.and_then(|()| sessions.into_iter().try_for_each(&mut run));
        // Also after a failure: the other threads wait here.
        barrier.wait();
        barrier.wait();
    }
    result?;
    queue.check_queue()?;
    web.check_web()
}
