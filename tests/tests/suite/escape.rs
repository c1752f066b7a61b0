//! The patches that remove guards still apply.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::root;

#[test]
fn every_guard_can_be_removed() {
    let controls = root().join("tests/escape/controls");
    let builds = std::fs::read_to_string(controls.join("builds")).unwrap();
    let mut listed = BTreeSet::new();
    for line in builds.lines() {
        let names: Vec<&str> = line.split_whitespace().collect();
        let mut apply = Command::new("git");
        apply.args(["apply", "--check"]).current_dir(root());
        // Those of one build must apply together.
        apply.args(
            names
                .iter()
                .map(|name| controls.join(format!("{name}.patch"))),
        );
        let checked = apply.output().unwrap();
        let stderr = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{line}: {stderr}");
        listed.extend(names.into_iter().map(str::to_owned));
    }
    let entries = std::fs::read_dir(&controls).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let patches = paths.filter(|path| path.extension().is_some_and(|end| end == "patch"));
    let present: BTreeSet<String> = patches
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(present, listed);
}
