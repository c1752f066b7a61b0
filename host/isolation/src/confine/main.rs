//! `confine`: sets up isolated roots for `charmhost-isolation` and runs programs
//! in them. It is single-threaded, because only such a program may enter a user
//! namespace.
//!
//! ```text
//! confine supervise CONFIG                                 sets up and supervises namespaces
//! confine init CONFIG ROLE                                 first process inside
//! confine enter PID NAMESPACE DIRECTORY PROGRAM [ARG…]     enters the namespaces
//! confine run PIPE DIRECTORY PROGRAM [ARG…]                executes the program, inside
//! ```

mod arguments;
mod copy_up;
mod enter;
mod host_mounts;
mod init;
mod network;
mod report;
mod root;
mod special_dirs;
mod supervise;
mod users;

use std::ffi::OsString;
use std::process::ExitCode;

/// Exit code for failures of `confine` itself.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let subcommand = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    match (subcommand.to_str(), arguments.as_slice()) {
        (Some("supervise"), [config]) => supervise::supervise(config),
        (Some("init"), [config, role]) => init::init(config, role),
        (Some("enter"), [pid, namespace, directory, program, rest @ ..]) => {
            enter::enter(pid, namespace, directory, program, rest)
        }
        (Some("run"), [alive, directory, program, rest @ ..]) => {
            enter::run(alive, directory, program, rest)
        }
        _ => {
            report::print_error("cannot run confine: only charmhost may start it");
            ExitCode::from(FAILED)
        }
    }
}
