//! `confine`: makes the worlds of `charmhost-isolation`, and runs programs in
//! them. It has one thread, as a program must that enters a user namespace.
//!
//! ```text
//! confine hold CONFIG                                      makes a world and holds it
//! confine first CONFIG ROLE                                is the world's first process
//! confine enter PID NAMESPACE DIRECTORY PROGRAM [ARG…]     runs a program in a world
//! confine run PIPE DIRECTORY PROGRAM [ARG…]                becomes that program
//! ```

mod adopt;
mod enter;
mod failed;
mod first;
mod hold;
mod machine;
mod network;
mod places;
mod root;

use std::ffi::OsString;
use std::process::ExitCode;

/// What `confine` exits with if it fails itself.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let subcommand = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    match (subcommand.to_str(), arguments.as_slice()) {
        (Some("hold"), [config]) => hold::hold(config),
        (Some("first"), [config, role]) => first::first(config, role),
        (Some("enter"), [pid, namespace, directory, program, rest @ ..]) => {
            enter::enter(pid, namespace, directory, program, rest)
        }
        (Some("run"), [alive, directory, program, rest @ ..]) => {
            enter::run(alive, directory, program, rest)
        }
        _ => {
            failed::print_error("cannot confine: this program is run by charmhost only");
            ExitCode::from(FAILED)
        }
    }
}
