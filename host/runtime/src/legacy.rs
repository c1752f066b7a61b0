//! Hooks from before `dispatch`: `hooks/<name>` programs in the charm, which
//! run first and beside the charm's own handlers.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use charmhost_juju::{Environment, Level, Model};

/// Set for everything a dispatch starts, so that a charm that starts itself
/// does nothing the second time.
const REENTRY_GUARD: &str = "OPERATOR_DISPATCH";

/// Runs the legacy hook of this dispatch, if there is one. Gives the exit code
/// that ends the dispatch, or none to go on. A hook is no guest and knows no
/// sandbox, so it only runs if that is granted.
pub(crate) fn run(
    environment: &Environment,
    model: &mut Model,
    args: &[String],
    is_granted: bool,
) -> Option<u8> {
    let path = &environment.dispatch_path;
    if path.is_empty() {
        return None;
    }
    let hook = environment.charm_dir.join(path);
    let metadata = std::fs::metadata(&hook).ok()?;
    if metadata.is_dir() {
        return None;
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        model.log(
            Level::Warning,
            &format!("Legacy {path} exists but is not executable."),
        );
        return None;
    }
    if is_this_program(&hook, &environment.charm_dir, args) {
        model.log(
            Level::Debug,
            &format!("Legacy {path} is just a link to ourselves."),
        );
        return None;
    }
    if !is_granted {
        let line = format!(
            "Denied running legacy {path}; to allow it, write legacy-hooks = true under [grants] in charmhost.toml."
        );
        model.log(Level::Warning, &line);
        return None;
    }
    model.log(Level::Info, &format!("Running legacy {path}."));
    let mut command = Command::new(&hook);
    command.args(args.iter().skip(1)).env(REENTRY_GUARD, "1");
    let (level, told, code) = match command.status() {
        Ok(status) if status.success() => (Level::Debug, "exited with status 0.".into(), None),
        Ok(status) => {
            let (shown, code) = exit(&status);
            let told = format!("exited with status {shown}.");
            (Level::Warning, told, Some(code))
        }
        Err(error) => {
            let line = format!("Unable to run legacy {path}: {error}");
            model.log(Level::Warning, &line);
            return Some(1);
        }
    };
    model.log(level, &format!("Legacy {path} {told}"));
    code
}

/// What is said of a failure, and the exit code that tells it on: a signal S
/// is shown as -S and told as 256 - S.
fn exit(status: &std::process::ExitStatus) -> (i32, u8) {
    match (status.code(), status.signal()) {
        (Some(code), _) => (code, u8::try_from(code).unwrap_or(1)),
        (None, Some(signal)) => (-signal, u8::try_from(256 - signal).unwrap_or(1)),
        (None, None) => (1, 1),
    }
}

/// Charms that support both ways link their hooks to `dispatch`.
fn is_this_program(hook: &Path, charm_dir: &Path, args: &[String]) -> bool {
    let Ok(hook) = hook.canonicalize() else {
        return false;
    };
    let started = args.first().map(|program| charm_dir.join(program));
    let programs = started.into_iter().chain([charm_dir.join("dispatch")]);
    programs
        .filter_map(|program| program.canonicalize().ok())
        .any(|program| program == hook)
}
