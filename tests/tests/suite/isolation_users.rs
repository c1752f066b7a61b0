//! `sim` as root and as an ordinary user, on machines with mounts that not every
//! user may stat, and where the kernel allows no user namespaces.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::support::{dist, is_root, shown};

/// Prefix of a command that root runs as another user.
const NOBODY: [&str; 6] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
];

/// Copies of the programs and a charm that every user can read.
struct Public {
    dir: tempfile::TempDir,
}

impl Public {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let open = |path: &Path| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        open(dir.path());
        for name in ["charmhost", "confine", "hook-tool"] {
            std::fs::copy(dist(name), dir.path().join(name)).unwrap();
            open(&dir.path().join(name));
        }
        let charm = dir.path().join("charm");
        std::fs::create_dir_all(charm.join("hooks")).unwrap();
        std::fs::write(charm.join("metadata.yaml"), "name: who\n").unwrap();
        let hook = charm.join("hooks/start");
        // The hook is root in its namespaces, can write, and has hook tools.
        let script = "#!/bin/sh\nset -e\nid -u\ntouch /etc/charmhost-was-here /root/x\n\
            ls /sys/kernel/debug >&2 || true\n\
            status-set active \"as $(id -u)\"\n";
        std::fs::write(&hook, script).unwrap();
        open(&hook);
        Public { dir }
    }

    fn get() -> &'static Public {
        static PUBLIC: OnceLock<Public> = OnceLock::new();
        PUBLIC.get_or_init(Public::new)
    }

    /// Returns the command line that simulates the charm.
    fn sim(&self, more: &[&str]) -> Vec<String> {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let mut words = vec![path("charmhost"), "sim".to_owned(), path("charm")];
        let more = more.iter().map(|word| (*word).to_owned());
        words.extend(
            ["--event".to_owned(), "start".to_owned()]
                .into_iter()
                .chain(more),
        );
        words
    }
}

/// Runs a script and then a command line, in a new mount namespace.
fn run(namespaces: &[&str], script: &str, words: &[String]) -> Output {
    let home: PathBuf = std::env::temp_dir();
    Command::new("unshare")
        .args(namespaces)
        .args(["sh", "-c", &format!("{script}\nexec \"$@\""), "sh"])
        .args(words)
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Mounts like those that the kernel makes when debugfs is accessed, and one of
/// another user below an ordinary directory.
const UNREADABLE: &str = "set -e
mount -t tmpfs -o mode=755 none /opt
mount -t tmpfs -o mode=700 none /sys/kernel/debug
mkdir /sys/kernel/debug/tracing
mount -t tmpfs -o mode=700 none /sys/kernel/debug/tracing
mkdir -p /opt/private/inner
mount -t tmpfs -o mode=700 none /opt/private
mkdir /opt/private/inner
mount -t tmpfs -o mode=700 none /opt/private/inner";

#[test]
fn sim_works_for_every_user_with_unusual_mounts() {
    assert!(!Path::new("/etc/charmhost-was-here").exists());
    for network in ["host", "private"] {
        for by in [&[][..], &NOBODY[..]] {
            if !by.is_empty() && !is_root() {
                continue;
            }
            let mut words: Vec<String> = by.iter().map(|word| (*word).to_owned()).collect();
            words.extend(Public::get().sim(&["--network", network, "--format", "json"]));
            let output = match is_root() {
                true => run(&["--mount"], UNREADABLE, &words),
                // Only root may make these mounts.
                false => run(&["--map-current-user"], "", &words),
            };
            let case = format!("{network}, {by:?}: {}", shown(&output));
            assert_eq!(output.status.code(), Some(0), "{case}");
            let stdout = String::from_utf8_lossy(&output.stdout);
            assert!(stdout.contains("\"as 0\""), "{case}");
            assert!(!Path::new("/etc/charmhost-was-here").exists(), "{case}");
        }
    }
}

/// The default network of a machine charm is the machine's.
#[test]
fn an_ordinary_user_needs_no_options_for_sim() {
    let mut words: Vec<String> = Vec::new();
    if is_root() {
        words.extend(NOBODY.map(str::to_owned));
    }
    words.extend(Public::get().sim(&[]));
    let output = Command::new(&words[0])
        .args(&words[1..])
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
}

#[test]
fn forbidden_user_namespaces_are_reported_with_the_setting_to_change() {
    let forbid = "echo 0 > /proc/sys/user/max_user_namespaces";
    let words = Public::get().sim(&[]);
    let output = run(&["--user", "--map-root-user"], forbid, &words);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    for part in [
        "ERROR cannot isolate the charm from this machine: cannot make a user namespace: No space left on device",
        "sudo sysctl -w user.max_user_namespaces=",
        "--unconfined",
    ] {
        assert!(stderr.contains(part), "{stderr}");
    }
    assert_eq!(stderr.matches("(os error ").count(), 1, "{stderr}");
    // The recommended setting works.
    let words = Public::get().sim(&["--unconfined"]);
    let script = "mount -t tmpfs none /root; cp -r /etc /root/etc; mount --bind /root/etc /etc";
    let forbid = format!("{forbid}\n{script}");
    let output = run(&["--user", "--map-root-user", "--mount"], &forbid, &words);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    assert!(!Path::new("/etc/charmhost-was-here").exists());
}
