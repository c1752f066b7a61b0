//! `dispatch` needs no files of the machine.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Agent, charmhost, is_root, prints, root, shown, usual};

#[test]
fn dispatch_runs_in_an_empty_chroot_for_an_unprivileged_user_from_a_read_only_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let charm = dir.path().join("charm");
    let output = charmhost([
        "build".as_ref(),
        root().join("charms/hello").as_os_str(),
        "--output".as_ref(),
        charm.as_os_str(),
    ]);
    assert!(output.status.success(), "{}", shown(&output));
    for name in ["metadata.yaml", "actions.yaml", "config.yaml"] {
        let document = crate::support::built("charms/hello").join(name);
        std::fs::copy(document, charm.join(name)).unwrap();
    }
    std::fs::set_permissions(&charm, std::fs::Permissions::from_mode(0o555)).unwrap();
    let agent = Agent::answering(|request| match request.tool.as_str() {
        "config-get" => prints("{\"greeting\":\"Hi\",\"port\":8080}\n"),
        _ => usual(request),
    });
    // A hard link of the socket is the same socket.
    let socket = dir.path().join("agent.socket");
    link_socket(&agent.socket(), &socket);
    let mut command = chroot(dir.path());
    command.stdin(Stdio::null()).env_clear();
    for (name, value) in [
        ("JUJU_DISPATCH_PATH", "hooks/update-status"),
        ("JUJU_HOOK_NAME", "update-status"),
        ("JUJU_CHARM_DIR", "/charm"),
        ("JUJU_CONTEXT_ID", "hello/0-update-status-0123456789abcdef"),
        ("JUJU_AGENT_SOCKET_ADDRESS", "/agent.socket"),
        ("JUJU_AGENT_SOCKET_NETWORK", "unix"),
        ("JUJU_UNIT_NAME", "hello/0"),
        ("JUJU_VERSION", "3.6.28"),
    ] {
        command.env(name, value);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        shown(&output),
        agent.logs().join("\n")
    );
    let calls = agent.calls();
    assert!(
        calls.iter().any(|call| call.starts_with("is-leader")),
        "{calls:?}"
    );
}

fn link_socket(from: &Path, to: &Path) {
    std::fs::hard_link(from, to).unwrap();
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o777)).unwrap();
}

/// `/charm/dispatch` in a new root as an unprivileged user: `nobody`, or who
/// runs the tests.
fn chroot(root: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("/usr/sbin/chroot");
        command.arg("--userspec=65534:65534");
        command
    } else {
        let mut command = Command::new("/usr/bin/unshare");
        command.args(["--map-root-user", "/usr/sbin/chroot"]);
        command
    };
    command.arg(root).arg("/charm/dispatch");
    command
}
