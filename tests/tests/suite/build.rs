//! `charmhost build` and `charmhost new`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{charmhost, dist, root, shown};

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn build(project: &Path, output: &Path, more: &[&str]) -> std::process::Output {
    let mut args = vec![
        "build".as_ref(),
        project.as_os_str(),
        "--output".as_ref(),
        output.as_os_str(),
    ];
    args.extend(more.iter().map(std::ffi::OsStr::new));
    charmhost(args)
}

#[test]
fn a_build_contains_dispatch_and_the_compiled_charm_only() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("o");
    for _ in 0..2 {
        let built = build(&root().join("charms/hello"), &output, &[]);
        assert!(built.status.success(), "{}", shown(&built));
        assert_eq!(names(&output), ["charm.cwasm", "dispatch"]);
    }
    let mode = |name: &str| output.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("dispatch"), mode("charm.cwasm")), (0o755, 0o644));
}

#[test]
fn dispatch_is_small_and_static() {
    let dispatch = dist("dispatch");
    let bytes = std::fs::read(&dispatch).unwrap();
    assert!(bytes.len() <= 8 << 20, "dispatch has {} bytes", bytes.len());
    let linked = Command::new("ldd").arg(&dispatch).output().unwrap();
    let output_text =
        String::from_utf8_lossy(&linked.stdout) + String::from_utf8_lossy(&linked.stderr);
    assert!(
        output_text.contains("statically linked") || output_text.contains("not a dynamic"),
        "{output_text}"
    );
    let cranelift = b"cranelift_codegen";
    assert!(
        !bytes
            .windows(cranelift.len())
            .any(|window| window == cranelift)
    );
}

#[test]
fn a_compiled_charm_contains_no_paths_of_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let built = build(&root().join("charms/hello"), &dir.path().join("o"), &[]);
    assert!(built.status.success(), "{}", shown(&built));
    let compiled = std::fs::read(dir.path().join("o/charm.cwasm")).unwrap();
    let home = root().join("charms/hello").display().to_string();
    assert!(
        !compiled
            .windows(home.len())
            .any(|window| window == home.as_bytes())
    );
}

#[test]
fn build_failures_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let hello = root().join("charms/hello");
    let full = dir.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("thesis.txt"), "").unwrap();
    let python = root().join("tests/charms/api");
    let output = dir.path().join("o");
    for (result, wanted) in [
        (
            build(&dir.path().join("none"), &output, &[]),
            "the directory does not exist",
        ),
        (
            build(dir.path(), &output, &[]),
            "cannot find charmcraft.yaml in",
        ),
        (
            build(&python, &output, &[]),
            "it has no Cargo.toml. Only charms in Rust can be built so far",
        ),
        (build(&hello, &full, &[]), "it contains \"thesis.txt\""),
        (
            build(&hello, &output, &["--dispatch", "/etc/passwd"]),
            "is not a Linux program",
        ),
        (
            build(&hello, &output, &["--target", "riscv64"]),
            "only amd64 and arm64",
        ),
    ] {
        assert!(!result.status.success());
        let stderr = String::from_utf8_lossy(&result.stderr);
        assert!(stderr.contains(wanted), "wanted {wanted:?}, got {stderr}");
        assert!(!output.exists(), "{wanted}: something was left behind");
    }
}

#[test]
fn a_new_charm_builds_runs_and_packs() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(dist("charmhost"));
        let output = command.args(args).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", shown(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(&["new", "my-app"]);
    let stdout = run(&["sim", "my-app", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["model"]["ports"], serde_json::json!(["8080/tcp"]));
    run(&["pack", "my-app"]);
    assert!(dir.path().join("my-app_amd64.charm").is_file());

    let again = Command::new(dist("charmhost"))
        .args(["new", "my-app"])
        .current_dir(dir.path())
        .output();
    let again = again.unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("already exists"));
    let bad = charmhost(["new", "Bad_Name"]);
    assert_eq!(bad.status.code(), Some(1), "{}", shown(&bad));
}
