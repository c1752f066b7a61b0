//! Runs all tests again as another user, and on a machine with more mounts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use crate::support::{AGAIN, confine, root};

/// Runs this program again, with a copy of `confine` that every user may run, by
/// the given program and arguments.
fn again(by: &[&str]) -> Output {
    let copies = tempfile::tempdir().unwrap();
    for (from, to) in [
        (confine(), "confine"),
        (std::env::current_exe().unwrap(), "tests"),
    ] {
        fs::copy(from, copies.path().join(to)).unwrap();
    }
    fs::set_permissions(copies.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(by[0]);
    command.args(&by[1..]).arg(copies.path().join("tests"));
    command
        .current_dir("/")
        .env(AGAIN, copies.path().join("confine"));
    command.output().unwrap()
}

#[track_caller]
fn assert_passed(output: &Output) {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{out}{err}");
    assert!(!out.contains(" 0 passed"), "{out}");
}

#[test]
fn all_tests_pass_for_a_user_without_privileges() {
    if root() && std::env::var_os(AGAIN).is_none() {
        let by = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--inh-caps=-all",
            "--bounding-set=-all",
        ];
        assert_passed(&again(&by));
    }
}

#[test]
fn all_tests_pass_on_a_machine_with_more_mounts() {
    if root() && std::env::var_os(AGAIN).is_none() {
        let script = "mount -t tmpfs none /home && mkdir /home/ubuntu && mount -t tmpfs -o ro none /opt \
            && mount -t tmpfs none /srv && mkdir '/srv/a b' && mount -t tmpfs none '/srv/a b' \
            && touch /srv/hosts && echo '127.0.0.1 localhost' > /srv/hosts && mount --bind /srv/hosts /etc/hosts \
            && mkdir /srv/copies && cp \"$(dirname \"$0\")\"/* /srv/copies \
            && mount -t tmpfs none /tmp && CHARMHOST_TEST_CONFINE=/srv/copies/confine exec /srv/copies/tests";
        assert_passed(&again(&["unshare", "--mount", "sh", "-c", script]));
    }
}
