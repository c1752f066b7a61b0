//! Which files of a project are copied to its charm.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use charmhost_archive::{Content, Mode, Project};
use common::{problems, with};
use tempfile::TempDir;

/// A project with a file of every kind, and a list under `prime`.
fn project(prime: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, text) in [
        ("charmcraft.yaml", with(&parts(prime)).as_str()),
        ("README.md", "x"),
        ("src/lib.rs", "x"),
        ("hooks/install", "#!/bin/sh\n"),
        ("hooks/README", "x"),
        ("templates/a/b.conf", "x"),
        ("lib/x.py", "x"),
        ("data/one.json", "x"),
        ("data/two.json", "x"),
        ("data/deep/three.json", "x"),
        ("data/.hidden", "x"),
        ("target/debug/big", "x"),
        ("old_amd64.charm", "x"),
    ] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let executable = fs::Permissions::from_mode(0o700);
    fs::set_permissions(dir.path().join("hooks/install"), executable).unwrap();
    dir
}

fn parts(prime: &str) -> String {
    format!("parts: {{charm: {{plugin: nil, prime: {prime}}}}}\n")
}

fn names(dir: &Path) -> Result<Vec<String>, String> {
    let project = Project::load(dir).unwrap();
    let entries = project.files().map_err(|error| error.to_string())?;
    Ok(entries.into_iter().map(|entry| entry.name).collect())
}

const USUAL: [&str; 5] = [
    "README.md",
    "hooks/README",
    "hooks/install",
    "lib/x.py",
    "templates/a/b.conf",
];

#[test]
fn default_files_and_those_under_prime_are_copied() {
    let data = ["data/deep/three.json", "data/one.json", "data/two.json"];
    for (prime, more, without) in [
        ("null", &[][..], &[][..]),
        ("[]", &[], &[]),
        ("[dispatch, charm.cwasm, metadata.yaml]", &[], &[]),
        ("[data]", &[&data[..], &["data/.hidden"]].concat(), &[]),
        ("[data, -data/.hidden]", &data[..], &[]),
        ("['data/*.json']", &data[1..], &[]),
        (
            "['**/*.json', ./src/]",
            &[&data[..], &["src/lib.rs"]].concat(),
            &[],
        ),
        ("['*/*.json', -data/two.json]", &data[1..2], &[]),
        ("['**/*.json', '-data/*/*']", &data[1..], &[]),
        ("[-lib, -hooks/README]", &[], &["lib/x.py", "hooks/README"]),
        ("['-templates/**']", &[], &["templates/a/b.conf"]),
        (
            "['*']",
            &[
                &data[..],
                &["data/.hidden", "src/lib.rs", "charmcraft.yaml"],
            ]
            .concat(),
            &[],
        ),
        (
            "[.]",
            &[
                &data[..],
                &["data/.hidden", "src/lib.rs", "charmcraft.yaml"],
            ]
            .concat(),
            &[],
        ),
        ("[target/debug]", &["target/debug/big"], &[]),
    ] {
        let dir = project(prime);
        let mut wanted: Vec<&str> = USUAL.into_iter().chain(more.iter().copied()).collect();
        wanted.retain(|name| !without.contains(name));
        wanted.sort_unstable();
        assert_eq!(names(dir.path()).unwrap(), wanted, "{prime}");
    }
}

#[test]
fn executable_files_stay_executable() {
    let dir = project("[]");
    let entries = Project::load(dir.path()).unwrap().files().unwrap();
    let mode = |name: &str| {
        entries
            .iter()
            .find(|entry| entry.name == name)
            .unwrap()
            .mode
    };
    assert_eq!(mode("hooks/install"), Mode::Executable);
    assert_eq!(mode("hooks/README"), Mode::Data);
}

#[test]
fn links_inside_the_project_become_their_targets() {
    let dir = project("[linked]");
    symlink("install", dir.path().join("hooks/start")).unwrap();
    symlink("../dispatch", dir.path().join("hooks/stop")).unwrap();
    symlink("stop", dir.path().join("hooks/remove")).unwrap();
    symlink("data/deep", dir.path().join("linked")).unwrap();
    let entries = Project::load(dir.path()).unwrap().files().unwrap();
    let find = |name: &str| entries.iter().find(|entry| entry.name == name);
    let start = find("hooks/start").unwrap();
    let Content::File(path) = &start.content else {
        panic!("{start:?}");
    };
    assert_eq!(fs::read_to_string(path).unwrap(), "#!/bin/sh\n");
    assert_eq!(start.mode, Mode::Executable);
    assert!(find("linked/three.json").is_some(), "{entries:?}");
    // Juju runs dispatch for these events.
    assert!(find("hooks/stop").is_none() && find("hooks/remove").is_none());
}

#[test]
fn links_that_cannot_be_followed_are_rejected() {
    for (target, wanted) in [
        (
            "/etc",
            "cannot pack \"lib/l\": it is a link that leads out of the project",
        ),
        ("../../..", "it is a link that leads out of the project"),
        ("/etc/passwd", "it is a link that leads out of the project"),
        ("none", "it is a link to \"none\", which does not exist"),
        ("../lib", "it is a link to a folder that it is in"),
    ] {
        let dir = project("[]");
        symlink(target, dir.path().join("lib/l")).unwrap();
        let error = names(dir.path()).unwrap_err();
        assert!(error.contains(wanted), "{target}: {error}");
    }
}

#[test]
fn an_invalid_list_under_prime_is_rejected() {
    for (prime, wanted) in [
        ("x", "cannot use `parts.charm.prime`: it must be a list"),
        ("[1]", "cannot use `parts.charm.prime`: it must be a string"),
        (
            "[/etc]",
            "cannot use \"/etc\" in `parts.charm.prime`: it must be a path in the project",
        ),
        ("['-../x']", "it must be a path in the project"),
        ("['']", "it must be a path in the project"),
        ("['a**']", "cannot use \"a**\" in `parts.charm.prime`"),
    ] {
        let found = problems(&[("charmcraft.yaml", &with(&parts(prime)))]);
        assert!(
            found.iter().any(|problem| problem.contains(wanted)),
            "{prime}: {found:?}"
        );
    }
    let dir = project("[data, nothing]");
    let error = names(dir.path()).unwrap_err();
    assert!(
        error.contains("cannot pack \"nothing\": `prime` in charmcraft.yaml lists it"),
        "{error}"
    );
}

#[test]
fn the_part_is_called_charm_or_is_the_only_one() {
    for (parts, is_shipped) in [
        ("{it: {plugin: nil, prime: [data/one.json]}}", true),
        (
            "{charm: {plugin: nil, prime: [data/one.json]}, tool: {plugin: dump}}",
            true,
        ),
        (
            "{charm: {plugin: nil}, tool: {plugin: dump, prime: [data/one.json]}}",
            false,
        ),
        (
            "{a: {plugin: nil}, tool: {plugin: dump, prime: [data/one.json]}}",
            false,
        ),
    ] {
        let dir = project("[]");
        let text = with(&format!("parts: {parts}\n"));
        fs::write(dir.path().join("charmcraft.yaml"), text).unwrap();
        let names = names(dir.path()).unwrap();
        assert_eq!(
            names.iter().any(|name| name == "data/one.json"),
            is_shipped,
            "{parts}"
        );
    }
}
