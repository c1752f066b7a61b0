//! The patches that break a rule still apply.

use std::process::Command;

use crate::support::root;

#[test]
fn every_mutant_applies() {
    let mut count = 0;
    let listed = |dir: &str| std::fs::read_dir(root().join(dir)).unwrap();
    for entry in listed("tests/mutants").chain(listed("tests/files/mutants")) {
        let path = entry.unwrap().path();
        let checked = Command::new("git")
            .args(["apply", "--check"])
            .arg(&path)
            .current_dir(root())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{}: {stderr}", path.display());
        count += 1;
    }
    assert!(count >= 11, "only {count} patches are found");
}
