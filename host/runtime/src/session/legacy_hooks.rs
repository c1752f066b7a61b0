//! Legacy hooks: programs `hooks/<name>` of the charm from before `dispatch`,
//! which run first and in addition to the charm's own handlers (ops §2.4).

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use charmhost_juju::{Environment, Level, Model};
use charmhost_sandbox::Grants;

use super::ending::Ending;
use super::host::LegacyHooks;

/// Runs the legacy hook of the event, if there is one. A hook is not confined
/// to the sandbox, so it only runs if that is granted. If it fails, the session
/// ends.
pub(super) fn run(
    environment: &Environment,
    model: &mut Model,
    hooks: &mut dyn LegacyHooks,
    grants: &Grants,
) -> Result<(), Ending> {
    let path = &environment.dispatch_path;
    if path.is_empty() {
        return Ok(());
    }
    let hook = environment.charm_dir.join(path);
    let Ok(metadata) = std::fs::metadata(&hook) else {
        return Ok(());
    };
    if metadata.is_dir() {
        return Ok(());
    }
    let mut log = |level: Level, line: String| {
        model.log(level, &line);
    };
    if metadata.permissions().mode() & 0o111 == 0 {
        let line = format!("Legacy {path} exists but is not executable.");
        log(Level::Warning, line);
        return Ok(());
    }
    if hooks.is_this_program(&hook) {
        let line = format!("Legacy {path} is just a link to ourselves.");
        log(Level::Debug, line);
        return Ok(());
    }
    if !grants.legacy_hooks {
        let line = format!(
            "Denied running legacy {path}; to allow it, write legacy-hooks = true under [grants] in charmhost.toml."
        );
        log(Level::Warning, line);
        return Ok(());
    }
    log(Level::Info, format!("Running legacy {path}."));
    match hooks.run(&hook) {
        Ok(status) if status.success() => {
            let line = format!("Legacy {path} exited with status 0.");
            log(Level::Debug, line);
            Ok(())
        }
        Ok(status) => {
            let (shown, code) = exit_code(status);
            let line = format!("Legacy {path} exited with status {shown}.");
            log(Level::Warning, line);
            Err(Ending::LegacyHookFailed(code))
        }
        Err(error) => {
            let line = format!("Unable to run legacy {path}: {error}");
            log(Level::Warning, line);
            Err(Ending::LegacyHookFailed(1))
        }
    }
}

/// The status of a failed hook as it is logged, and the exit code of the
/// session: signal S is logged as -S, and gives 256 - S (ops §2.2).
fn exit_code(status: ExitStatus) -> (i32, u8) {
    match (status.code(), status.signal()) {
        (Some(code), _) => (code, u8::try_from(code).unwrap_or(1)),
        (None, Some(signal)) => (-signal, u8::try_from(256 - signal).unwrap_or(1)),
        (None, None) => (1, 1),
    }
}
