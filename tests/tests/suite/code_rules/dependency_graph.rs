//! The host's crates depend on one another as the table of ARCHITECTURE.md
//! lists, from top to bottom.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::support::root;

/// Dependencies of a crate on other crates of the host, by folder.
#[derive(Debug, Default)]
struct Dependencies {
    normal: BTreeSet<String>,
    /// Those of tests and examples.
    dev: BTreeSet<String>,
}

/// What Cargo knows, by folder of the crate: `host/runtime`.
fn actual() -> BTreeMap<String, Dependencies> {
    let output = Command::new("cargo")
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let folder = |path: &Value| {
        let path = path.as_str().unwrap().trim_end_matches("/Cargo.toml");
        let relative = path.strip_prefix(&format!("{}/", root().display()))?;
        relative.starts_with("host/").then(|| relative.to_owned())
    };
    let mut crates = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let Some(name) = folder(&package["manifest_path"]) else {
            continue;
        };
        let mut dependencies = Dependencies::default();
        for dependency in package["dependencies"].as_array().unwrap() {
            let Some(other) = dependency.get("path").and_then(folder) else {
                continue;
            };
            match dependency["kind"].as_str() {
                Some("dev") => dependencies.dev.insert(other),
                _ => dependencies.normal.insert(other),
            };
        }
        crates.insert(name, dependencies);
    }
    crates
}

/// The rows of the table: a crate, and those that it uses.
fn documented() -> Vec<(String, BTreeSet<String>)> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `host/"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let name = |text: &str| text.trim().trim_matches('`').to_owned();
        let used = cells[2].split('`').skip(1).step_by(2);
        let used = used.map(|short| format!("host/{short}"));
        (name(cells[1]), used.collect())
    })
    .collect()
}

#[test]
fn crates_depend_on_one_another_as_architecture_md_lists() {
    let actual = actual();
    let documented = documented();
    let mut wrong = Vec::new();
    for name in actual.keys() {
        if !documented.iter().any(|(row, _)| row == name) {
            wrong.push(format!("{name} has no row in ARCHITECTURE.md"));
        }
    }
    for (index, (name, wanted)) in documented.iter().enumerate() {
        let Some(found) = actual.get(name) else {
            wrong.push(format!("{name} of ARCHITECTURE.md is no crate"));
            continue;
        };
        for added in found.normal.difference(wanted) {
            wrong.push(format!(
                "{name} depends on {added}, which its row does not list"
            ));
        }
        for gone in wanted.difference(&found.normal) {
            wrong.push(format!(
                "the row of {name} lists {gone}, on which it does not depend"
            ));
        }
        for other in found.normal.union(&found.dev) {
            if !documented[index + 1..].iter().any(|(row, _)| row == other) {
                wrong.push(format!("{name} depends on {other}, which is not below it"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(actual.len() > 10, "only {} crates are found", actual.len());
}
