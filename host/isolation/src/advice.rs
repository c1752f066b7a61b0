//! Advice on what to change where this machine does not allow isolation.

use std::fs;
use std::path::Path;

use crate::wire::{Failure, Step};
use crate::{Error, Refusal};

/// Turns a failure that `confine` reported into an error with advice.
pub(crate) fn explain(failure: Failure) -> Error {
    let Failure { step, what, errno } = failure;
    let source = std::io::Error::from_raw_os_error(errno);
    let hints = match step {
        Step::Bind => return Error::Bind { what, source },
        Step::Other => return Error::Step { what, source },
        Step::Namespaces => namespaces(Path::new("/")),
        Step::TmpfsXattrs | Step::Overlay => overlay(Path::new("/")),
        Step::Proc => vec![MASKED_PROC.to_owned()],
    };
    let advice = hints.join("\n");
    Error::Refused(Refusal {
        what,
        reason: source,
        advice,
    })
}

const MASKED_PROC: &str = "This container hides parts of /proc: start it with `docker run --privileged`, or with `--security-opt systempaths=unconfined`.";
const CONTAINER: &str = "In a Docker container: start it with `docker run --privileged`, or with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`.";

/// Hints from the kernel's settings about user namespaces. Settings only
/// explain a refusal; none of them predicts one.
fn namespaces(root: &Path) -> Vec<String> {
    let setting = |name: &str| {
        let text = fs::read_to_string(root.join("proc/sys").join(name)).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let mut hints = Vec::new();
    if setting("kernel/unprivileged_userns_clone") == Some(0) {
        hints.push("This system allows user namespaces to root only: run `sudo sysctl -w kernel.unprivileged_userns_clone=1`, or run charmhost as root.".to_owned());
    }
    if setting("user/max_user_namespaces") == Some(0) {
        hints.push("This system allows no user namespaces: run `sudo sysctl -w user.max_user_namespaces=15000`.".to_owned());
    }
    if setting("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        hints.push("AppArmor allows user namespaces to known programs only (Ubuntu 23.10 and later): run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or run charmhost as root.".to_owned());
    }
    if hints.is_empty() || filtered(root) {
        hints.push(CONTAINER.to_owned());
    }
    hints
}

fn overlay(root: &Path) -> Vec<String> {
    let known = fs::read_to_string(root.join("proc/filesystems")).unwrap_or_default();
    let mut hints = Vec::new();
    if !known.lines().any(|line| line.trim().ends_with("overlay")) {
        hints.push("The kernel has no overlayfs: run `sudo modprobe overlay`, or use a kernel that has it.".to_owned());
    }
    hints.push("Overlays without root need Linux 5.11 or later.".to_owned());
    if filtered(root) {
        hints.push(CONTAINER.to_owned());
    }
    hints
}

/// Whether this process runs under a seccomp filter, as in a container.
fn filtered(root: &Path) -> bool {
    let status = fs::read_to_string(root.join("proc/self/status")).unwrap_or_default();
    let mut lines = status.lines();
    lines.any(|line| line.strip_prefix("Seccomp:").map(str::trim) == Some("2"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_explain_a_refusal() {
        for (file, text, hint) in [
            (
                "proc/sys/kernel/unprivileged_userns_clone",
                "0\n",
                "sysctl -w kernel.unprivileged_userns_clone=1",
            ),
            (
                "proc/sys/user/max_user_namespaces",
                "0\n",
                "sysctl -w user.max_user_namespaces=",
            ),
            (
                "proc/sys/kernel/apparmor_restrict_unprivileged_userns",
                "1\n",
                "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            (
                "proc/self/status",
                "Name:\tx\nSeccomp:\t2\n",
                "--security-opt seccomp=unconfined",
            ),
        ] {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            let hints = namespaces(root.path());
            assert_eq!(hints.len(), 1, "{file}: {hints:?}");
            assert!(hints[0].contains(hint), "{file}: {hints:?}");
        }
    }

    #[test]
    fn a_kernel_without_overlays_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("proc")).unwrap();
        fs::write(
            root.path().join("proc/filesystems"),
            "nodev\ttmpfs\n\text4\n",
        )
        .unwrap();
        assert!(overlay(root.path())[0].contains("modprobe overlay"));
        fs::write(root.path().join("proc/filesystems"), "nodev\toverlay\n").unwrap();
        assert!(!overlay(root.path())[0].contains("modprobe"));
    }

    #[test]
    fn a_refusal_names_the_alternative() {
        let error = explain(Failure {
            step: Step::Namespaces,
            what: "cannot make a user namespace".to_owned(),
            errno: 1,
        });
        let text = error.to_string();
        assert!(text.starts_with("cannot isolate the charm from this machine: cannot make a user namespace: Operation not permitted"), "{text}");
        assert!(text.contains("--unconfined"), "{text}");
    }
}
