//! What this process uses of the machine.

use std::fmt;

use anyhow::Context;

#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Anonymous memory, resident or swapped out, in bytes. Pages of files are
    /// the kernel's to keep or to drop.
    pub memory: u64,
    pub descriptors: usize,
    pub threads: u64,
}

impl Usage {
    pub fn measure() -> anyhow::Result<Self> {
        let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
        let status = std::fs::read_to_string("/proc/self/status")?;
        let memory = field(&rollup, "Anonymous:")? + field(&rollup, "Swap:")?;
        Ok(Usage {
            memory: memory * 1024,
            descriptors: std::fs::read_dir("/proc/self/fd")?.count(),
            threads: field(&status, "Threads:")?,
        })
    }
}

fn field(text: &str, name: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.split_whitespace().next());
    let value = value.with_context(|| format!("the kernel does not report {name}"))?;
    Ok(value.parse()?)
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Usage {
            memory,
            descriptors,
            threads,
        } = self;
        write!(
            f,
            "{} KiB of memory, {descriptors} descriptors, {threads} threads",
            memory / 1024
        )
    }
}
