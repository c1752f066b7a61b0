//! A charm under `sim` cannot change the machine.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::support::{charmhost, root, shown};

/// Serialises simulations of the damaging charm: each test searches for
/// processes that the charm left behind.
static DAMAGING_CHARM: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    DAMAGING_CHARM
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Counts the processes whose command line contains a word.
fn running(word: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let marked = processes.filter(|entry| {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(word)
    });
    marked.count()
}

/// State that a damaging charm could change: files, directories, mounts and
/// processes.
fn machine() -> BTreeMap<&'static str, String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let listed = |path: &str| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        names.sort();
        format!("{names:?}")
    };
    BTreeMap::from([
        ("passwd", read("/etc/passwd")),
        ("home", listed("/home")),
        ("opt", listed("/opt")),
        (
            "left",
            Path::new("/root/charmhost-was-here").exists().to_string(),
        ),
        ("charm", listed("/charm")),
        ("juju", listed("/var/lib/juju")),
        ("pebble", listed("/var/lib/pebble")),
        ("mounts", read("/proc/self/mounts")),
        ("processes", running("98765").to_string()),
    ])
}

/// Files of the machine that its user may remove, where a simulation shows
/// those of the machine.
fn files() -> tempfile::TempDir {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    dir
}

/// `sim` of the damaging charm, which removes `files`.
fn damaging_charm(files: &tempfile::TempDir) -> Command {
    let mut command = Command::new(crate::support::dist("charmhost"));
    command
        .arg("sim")
        .arg(root().join("tests/charms/charm-damages-host"))
        .args(["--event", "app-pebble-ready", "--config"])
        .arg(format!("files={}", files.path().display()));
    command
}

#[test]
fn the_machine_is_unchanged_by_a_charm_that_damages_it() {
    let _alone = alone();
    let before = machine();
    let files = files();
    let output = damaging_charm(&files)
        .args(["--format", "json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The charm has done its damage.
    assert_eq!(report["model"]["unit_status"]["message"], "damaged");
    assert_eq!(
        report["model"]["containers"][0]["services"]["marker"],
        "active"
    );
    let logs = report["dispatches"][0]["logs"].to_string();
    assert!(logs.contains("evil:x:0:0::/:/bin/sh"), "{logs}");
    let gone = format!("cannot access '{}'", files.path().display());
    assert!(logs.contains(&gone), "{logs}");
    assert_eq!(machine(), before);
    assert!(files.path().join("file").exists());
}

#[test]
fn a_simulation_leaves_no_directory_behind() {
    let _alone = alone();
    let scratch = tempfile::tempdir().unwrap();
    let files = files();
    let mut sim = damaging_charm(&files);
    let output = sim.env("TMPDIR", scratch.path()).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_missing_confine_program_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("charmhost");
    std::fs::copy(crate::support::dist("charmhost"), &program).unwrap();
    let charm = root().join("tests/charms/shell");
    let run = |more: &[&str]| {
        let output = Command::new(&program)
            .arg("sim")
            .arg(&charm)
            .args(more)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, stderr) = run(&["--event", "start"]);
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("the program confine is not beside charmhost"),
        "{stderr}"
    );
    assert!(stderr.contains("--unconfined"), "{stderr}");
    assert_eq!(run(&["--event", "start", "--unconfined"]).0, Some(0));
    assert!(!Path::new("/charm").exists());
}

#[test]
fn a_simulation_that_is_interrupted_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().unwrap();
    let charm = tempfile::tempdir().unwrap();
    let hook = charm.path().join("hooks/start");
    std::fs::create_dir(charm.path().join("hooks")).unwrap();
    std::fs::write(charm.path().join("metadata.yaml"), "name: slow\n").unwrap();
    std::fs::write(&hook, "#!/bin/sh\nsleep 87654\n").unwrap();
    Command::new("chmod").arg("+x").arg(&hook).status().unwrap();
    let mut sim = Command::new(crate::support::dist("charmhost"))
        .arg("sim")
        .arg(charm.path())
        .args(["--event", "start"])
        .env("TMPDIR", scratch.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let is_running = || running("87654") > 0;
    let until = |wanted: bool| {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while is_running() != wanted {
            assert!(
                std::time::Instant::now() < end,
                "the hook runs: {}",
                !wanted
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    until(true);
    Command::new("kill")
        .args(["-INT", &sim.id().to_string()])
        .status()
        .unwrap();
    assert_eq!(sim.wait().unwrap().code(), Some(130));
    until(false);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn a_symbolic_link_of_a_charm_does_not_lead_to_files_of_the_machine() {
    // Not below `/tmp`, where a charm under `sim` sees other files.
    let outside = tempfile::tempdir_in("/var/tmp").unwrap();
    let target = outside.path().join("target");
    std::fs::write(&target, "untouched").unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "stolen: yes\n").unwrap();
    let charm = tempfile::tempdir().unwrap();
    let hooks = charm.path().join("hooks");
    std::fs::create_dir(&hooks).unwrap();
    std::fs::write(charm.path().join("metadata.yaml"), "name: links\n").unwrap();
    let options = "options: {greeting: {type: string, default: hello}}\n";
    std::fs::write(charm.path().join("config.yaml"), options).unwrap();
    let script = format!(
        "#!/bin/sh\nset -e\nln -s {target} /root/out\nln -s {secret} /root/in\nrm -rf {dir}\n\
         config-get -o /root/out greeting 2>&1 | sed 's/^/wrote: /' >&2 || true\n\
         state-set --file /root/in 2>&1 | sed 's/^/read: /' >&2 || true\n\
         mkdir -p {dir}; config-get -o /root/out greeting\n\
         juju-log -- \"out: $(cat /root/out)\"; juju-log -- \"state: $(state-get --format=json)\"\n",
        target = target.display(),
        secret = secret.display(),
        dir = outside.path().display(),
    );
    std::fs::write(hooks.join("start"), script).unwrap();
    std::fs::set_permissions(hooks.join("start"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = charmhost([
        "sim",
        charm.path().to_str().unwrap(),
        "--event",
        "start",
        "--format",
        "json",
    ]);
    assert!(output.status.success(), "{}", shown(&output));
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "untouched");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let logs = report["dispatches"][0]["logs"].to_string();
    assert!(!logs.contains("stolen"), "{logs}");
    // Inside, it is an ordinary link.
    assert!(logs.contains("out: hello"), "{logs}");
}
