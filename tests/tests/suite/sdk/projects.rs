//! Projects on the Rust SDK: libraries, updates, native tests, and the dry run of a
//! build.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{dist, shown};

fn run(program: &Path, dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).output().unwrap()
}

#[track_caller]
fn succeeds(output: Output) -> String {
    assert!(output.status.success(), "{}", shown(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Replaces text in a file that must have it.
#[track_caller]
fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from:?} is not in {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

/// A charm that uses a library of another project, each with an SDK of its own.
fn charm_with_library(dir: &Path) {
    let charmhost = dist("charmhost");
    succeeds(run(&charmhost, dir, &["new", "--lib", "my-db"]));
    succeeds(run(&charmhost, dir, &["new", "my-app"]));
    let app = dir.join("my-app");
    edit(
        &app.join("Cargo.toml"),
        "[dependencies]\n",
        "[dependencies]\nmy-db = { path = \"../my-db\" }\n",
    );
    edit(
        &app.join("Cargo.toml"),
        "[\"cdylib\"]",
        "[\"cdylib\", \"rlib\"]",
    );
    edit(
        &app.join("charmcraft.yaml"),
        "config:\n",
        "requires: {db: {interface: db}}\nconfig:\n",
    );
    let source = app.join("src/lib.rs");
    edit(
        &source,
        "        on.config_changed",
        "        let db = on.library(\"db\", |on| my_db::MyDbCharm::new(on, \"db\"))?;
        on.custom(&db.ready, Self::on_ready);
        on.config_changed",
    );
    edit(
        &source,
        "impl MyAppCharm {\n",
        "impl MyAppCharm {
    fn on_ready(&self, event: Custom<my_db::Ready>) {
        log::info!(\"the database is at {}\", event.address);
    }
",
    );
    edit(
        &source,
        "charmhost::main!",
        "#[cfg(test)]
mod tests {
    #[test]
    #[should_panic(expected = \"cannot call the SDK in a native program\")]
    fn a_call_of_the_sdk_panics() {
        let _ = charmhost::unit().is_leader();
    }
}

charmhost::main!",
    );
}

#[test]
fn a_charm_and_a_library_share_one_sdk_and_a_build_checks_their_observers() {
    let dir = tempfile::tempdir().unwrap();
    let charmhost = dist("charmhost");
    charm_with_library(dir.path());
    succeeds(run(&charmhost, dir.path(), &["build", "my-app"]));

    // Native tests link, and fail with a sentence where they need a host.
    let app = dir.path().join("my-app");
    let tested = succeeds(run(Path::new("cargo"), &app, &["test", "--lib"]));
    assert!(tested.contains("1 passed"), "{tested}");

    // The library observes an endpoint that the metadata does not have any more.
    edit(
        &app.join("charmcraft.yaml"),
        "requires: {db: {interface: db}}\n",
        "",
    );
    let output = run(&charmhost, dir.path(), &["build", "my-app"]);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    for wanted in [
        "the charm fails before its first event",
        "db_relation_changed",
        "my-db/src/lib.rs:",
    ] {
        assert!(
            stderr.contains(wanted),
            "{wanted:?} is not in {}",
            shown(&output)
        );
    }
}

#[test]
fn an_update_replaces_the_sdk_of_a_project() {
    let dir = tempfile::tempdir().unwrap();
    let charmhost = dist("charmhost");
    succeeds(run(&charmhost, dir.path(), &["new", "my-app"]));
    let sdk = dir.path().join("my-app/.charmhost/sdk");
    let manifest = std::fs::read_to_string(sdk.join("Cargo.toml")).unwrap();
    edit(
        &sdk.join("Cargo.toml"),
        "version = \"0.",
        "version = \"0.0.",
    );
    std::fs::write(sdk.join("src/removed.rs"), "").unwrap();
    let printed = succeeds(run(&charmhost, dir.path(), &["update", "my-app"]));
    assert!(printed.contains(" in place of 0.0."), "{printed}");
    assert!(!sdk.join("src/removed.rs").exists());
    let updated = std::fs::read_to_string(sdk.join("Cargo.toml")).unwrap();
    assert_eq!(updated, manifest);

    let output = run(&charmhost, dir.path(), &["update"]);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("cannot update .: it has no .charmhost/sdk"),
        "{stderr}"
    );
}
