//! The charm's executable: Juju runs it for every hook and every action.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    ExitCode::from(charmhost_runtime::dispatch(&args, |name| {
        std::env::var_os(name)
    }))
}
