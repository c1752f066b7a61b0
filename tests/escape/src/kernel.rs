//! Landlock, and a kernel without it.

use std::collections::BTreeMap;

use anyhow::Context;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// `landlock_create_ruleset`, `landlock_add_rule` and `landlock_restrict_self`,
/// which have the same numbers on every architecture.
const LANDLOCK: [i64; 3] = [444, 445, 446];
/// ENOSYS.
const ABSENT: u32 = 38;

/// Answers this thread, and every program that it starts, as a kernel without
/// Landlock does.
pub fn hide_landlock() -> anyhow::Result<()> {
    let rules: BTreeMap<i64, Vec<_>> = LANDLOCK.map(|call| (call, Vec::new())).into();
    let architecture = std::env::consts::ARCH.try_into();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(ABSENT),
        architecture.context("seccomp does not know this architecture")?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program).context("cannot install a filter of system calls")
}
