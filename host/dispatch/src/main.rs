//! The charm's executable: Juju runs it for every hook and every action.

use std::process::ExitCode;

use charmhost_sandbox::kernel::restrict;

/// The allocator of musl asks the system for nearly every page by itself, which
/// is felt in a process that lives for two milliseconds.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let variable = |name: &str| std::env::var_os(name);
    ExitCode::from(charmhost_runtime::dispatch(&args, variable, restrict))
}
