//! Files inside, and what of them is visible on the machine.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use charmhost_error_chain::ErrorChain;
use charmhost_isolation::wire::Report;
use charmhost_isolation::{Bind, Error, IsolatedRoot, Spec};

use crate::support::{
    confine, marker, names, ok, processes, root, sh, sleepers, spec, start, until,
};

/// What the tests below must not change.
fn machine() -> (Vec<u8>, Vec<BTreeSet<PathBuf>>, String) {
    let directories = [
        "/",
        "/etc",
        "/home",
        "/root",
        "/usr/bin",
        env!("CARGO_MANIFEST_DIR"),
    ];
    (
        fs::read("/etc/passwd").unwrap(),
        directories.map(names).to_vec(),
        fs::read_to_string("/proc/self/mountinfo").unwrap(),
    )
}

#[test]
fn changes_are_discarded() {
    let before = machine();
    let marker = marker();
    let isolated = start(&spec());
    ok(
        &isolated,
        "echo gone > /etc/passwd && test \"$(cat /etc/passwd)\" = gone",
    );
    ok(&isolated, "touch /home/left && rm /home/left");
    if root() {
        // What other users have in there is theirs, for a user who is not root.
        ok(&isolated, "rm -rf /home/* && test -z \"$(ls /home)\"");
    }
    ok(
        &isolated,
        "touch /etc/left /usr/bin/left /root/left /tmp/left /var/left",
    );
    ok(
        &isolated,
        "mkdir -p /var/lib/left/over && mount -t tmpfs none /var/lib/left/over",
    );
    ok(
        &isolated,
        "rm -rf /etc/ssl && mkdir /etc/ssl && touch /etc/ssl/left",
    );
    ok(&isolated, "mv /etc/hosts /etc/guests && rm /etc/hostname");
    ok(
        &isolated,
        &format!("setsid sleep {marker} >/dev/null 2>&1 &"),
    );
    if root() {
        let workspace = env!("CARGO_MANIFEST_DIR");
        ok(
            &isolated,
            &format!("mkdir -p {workspace} && touch {workspace}/left"),
        );
        ok(
            &isolated,
            "touch /opt/left && chown 1000:1000 /opt/left && chmod u+s /opt/left",
        );
        assert_eq!(ok(&isolated, "stat -c %u:%a /opt/left"), "1000:4644");
        ok(
            &isolated,
            "rm -rf /usr/local /home; mkdir /usr/local && touch /usr/local/left",
        );
    }
    until("it sleeps", || sleepers(&marker) == 1);
    isolated.stop();
    assert_eq!(processes(&marker), 0);
    assert_eq!(machine(), before);
    assert!(!Path::new("/tmp/left").exists());
}

#[test]
fn an_isolated_root_has_the_usual_directories_and_devices() {
    let isolated = start(&spec());
    let this = format!("test ! -e /proc/{}", std::process::id());
    ok(&isolated, &this);
    for (script, wanted) in [
        ("id -u", "0"),
        ("id -g", "0"),
        (
            "cat /proc/sys/kernel/hostname /etc/hostname",
            "isolated\nisolated",
        ),
        ("ls /tmp /dev/shm", "/dev/shm:\n\n/tmp:"),
        ("stat -c %a /tmp /dev/shm", "1777\n1777"),
        ("stat -c %a /dev /run /", "755\n755\n755"),
        ("pwd", "/"),
        ("echo hello > /dev/null; head -c 2 /dev/zero | wc -c", "2"),
        ("echo hello | cat /dev/stdin", "hello"),
        (
            "test -c /dev/ptmx && test -e /sys/kernel && echo yes",
            "yes",
        ),
        ("cat /proc/1/comm", "exe"),
        ("cd /etc && ls hosts", "hosts"),
    ] {
        assert_eq!(ok(&isolated, script), wanted, "{script}");
    }
}

#[test]
fn kernel_settings_cannot_be_changed() {
    let isolated = start(&spec());
    for script in [
        "echo 1 > /proc/sys/vm/drop_caches",
        "mount -o remount,rw /proc/sys && echo 1 > /proc/sys/vm/drop_caches",
        "echo h > /proc/sysrq-trigger",
        "umount /proc/sys && echo 1 > /proc/sys/vm/drop_caches",
        "mkdir /sys/fs/cgroup/left",
        "mknod /opt/disk b 254 0 && cat /opt/disk",
        "date -s 2001-01-01",
    ] {
        assert!(!sh(&isolated, script).status.success(), "{script}");
    }
}

#[test]
fn bind_mounts_are_shared() {
    let shared = tempfile::tempdir().unwrap();
    let own = tempfile::tempdir().unwrap();
    fs::write(shared.path().join("file"), "outside").unwrap();
    fs::write(own.path().join("file"), "outside").unwrap();
    let bind = |source: PathBuf, target: &str, read_only| Bind {
        source,
        target: target.into(),
        read_only,
    };
    let isolated = start(&Spec {
        binds: vec![
            bind(shared.path().into(), "/var/run/charm/new", false),
            bind(shared.path().join("file"), "/etc/passwd", false),
            bind(own.path().into(), "/charm", true),
        ],
        ..spec()
    });
    assert_eq!(
        ok(&isolated, "cat /run/charm/new/file /etc/passwd /charm/file"),
        "outside".repeat(3)
    );
    ok(
        &isolated,
        "echo inside > /run/charm/new/made; printf inside > /etc/passwd",
    );
    assert_eq!(fs::read(shared.path().join("made")).unwrap(), b"inside\n");
    assert_eq!(fs::read(shared.path().join("file")).unwrap(), b"inside");
    for script in ["touch /charm/made", "rm /charm/file", "echo > /charm/file"] {
        assert!(!sh(&isolated, script).status.success(), "{script}");
    }
    isolated.stop();
    assert_eq!(names(own.path().to_str().unwrap()).len(), 1);
    assert_eq!(fs::read(shared.path().join("made")).unwrap(), b"inside\n");
}

#[test]
fn a_bind_mount_that_fails_is_reported_with_its_paths() {
    let error = IsolatedRoot::start(&Spec {
        binds: vec![Bind {
            source: "/no/such".into(),
            target: "/charm".into(),
            read_only: false,
        }],
        ..spec()
    });
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Bind { .. }), "{error:?}");
    assert_eq!(
        error.chain().to_string(),
        "cannot set up isolation: cannot bind-mount /no/such at /charm: No such file or directory (os error 2)"
    );
    let error = IsolatedRoot::start(&Spec {
        confine: "/no/confine".into(),
        ..spec()
    });
    let text = error.unwrap_err().chain().to_string();
    assert!(
        text.starts_with("cannot run /no/confine, which is installed beside charmhost: "),
        "{text}"
    );
}

#[test]
fn files_are_read_and_written_from_outside() {
    let isolated = start(&spec());
    isolated.create_dir_all("/var/run/a/b").unwrap();
    isolated.write("/var/run/a/b/file", b"outside").unwrap();
    assert_eq!(
        ok(
            &isolated,
            "cat /run/a/b/file; echo inside > /root/file; ln -s /root/file /etc/link"
        ),
        "outside"
    );
    assert_eq!(isolated.read("/etc/link").unwrap(), b"inside\n");
    let path = isolated.path_on_host("/etc/link").unwrap();
    assert!(path.ends_with("root/root/file"), "{}", path.display());
    assert_eq!(fs::read(path).unwrap(), b"inside\n");
    let missing = isolated.read("/no/such").unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    assert!(!Path::new("/run/a/b/file").exists());
}

/// What `IsolatedRoot` does where the kernel cannot keep an overlay in memory.
#[test]
fn written_files_can_be_kept_on_disk() {
    if !root() {
        return;
    }
    let scratch = tempfile::tempdir_in("/var/tmp").unwrap();
    let config = format!(
        r#"{{"hostname":"isolated","network":"Private","binds":[],"scratch":{:?}}}"#,
        scratch.path()
    );
    let mut command = Command::new(confine());
    command
        .args(["supervise", &config])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut supervisor = command.spawn().unwrap();
    let mut reports = BufReader::new(supervisor.stdout.take().unwrap()).lines();
    let Report::Unmapped { pid, root: true } =
        serde_json::from_str(&reports.next().unwrap().unwrap()).unwrap()
    else {
        panic!("ids of the machine's root are not mapped last");
    };
    for file in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{pid}/{file}"), "0 0 4294967295").unwrap();
    }
    supervisor.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    let ready = reports.next().unwrap().unwrap();
    assert!(
        matches!(serde_json::from_str(&ready), Ok(Report::Ready { .. })),
        "{ready}"
    );
    fs::write(format!("/proc/{pid}/root/etc/left"), "inside").unwrap();
    assert_eq!(
        fs::read(scratch.path().join("upper/0/etc/left")).unwrap(),
        b"inside"
    );
    drop(supervisor.stdin.take());
    assert!(supervisor.wait().unwrap().success());
    assert_eq!(names(scratch.path().to_str().unwrap()).len(), 0);
}
