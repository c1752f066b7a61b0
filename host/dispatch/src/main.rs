//! The charm's executable: Juju runs it for every hook and every action.

mod assemble;
mod cpu_ticker;
mod legacy_hooks;

use std::process::ExitCode;

/// The exit code of a dispatch that fails (ops §2.2).
const FAILED: u8 = 1;

/// The allocator of musl asks the system for nearly every page by itself, which
/// is felt in a process that lives for two milliseconds.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    ExitCode::from(assemble::dispatch(args))
}
