//! Archives of `charmhost pack`, read by Juju's own reader.

use crate::support::{built, charmhost, read_by_juju, root, shown};

#[test]
fn jujus_reader_accepts_every_archive() {
    for project in ["charms/hello", "tests/guests/events", "tests/guests/faults"] {
        let archive = built(project).join("../packed.charm");
        let read = read_by_juju(&archive);
        let name = project.rsplit('/').next().unwrap();
        assert_eq!(read["name"], name, "{read}");
    }
}

#[test]
fn archives_are_reproducible() {
    let dir = tempfile::tempdir().unwrap();
    let pack = |file: &str| {
        let archive = dir.path().join(file);
        let output = charmhost([
            "pack".as_ref(),
            root().join("charms/hello").as_os_str(),
            "-o".as_ref(),
            archive.as_os_str(),
        ]);
        assert!(output.status.success(), "{}", shown(&output));
        std::fs::read(archive).unwrap()
    };
    assert!(
        pack("a.charm") == pack("b.charm"),
        "two archives of one project differ"
    );
}

#[test]
fn a_project_that_juju_would_reject_is_not_packed() {
    let dir = tempfile::tempdir().unwrap();
    for (charmcraft, wanted) in [
        (None, "cannot find charmcraft.yaml"),
        (Some("name: ["), "charmcraft.yaml: line"),
        (
            Some(
                "type: charm\nname: Bad_Name\nsummary: x\ndescription: x\nbase: ubuntu@24.04\nplatforms: {amd64: }\nparts: {charm: {plugin: nil}}\n",
            ),
            "Bad_Name",
        ),
        (
            Some(
                "type: charm\nname: x\nsummary: x\ndescription: x\nbase: ubuntu@24.04\nplatforms: {amd64: }\nparts: {charm: {plugin: nil}}\ntypo: 1\n",
            ),
            "typo",
        ),
    ] {
        let file = dir.path().join("charmcraft.yaml");
        let _ = std::fs::remove_file(&file);
        if let Some(text) = charmcraft {
            std::fs::write(&file, text).unwrap();
        }
        let archive = dir.path().join("x.charm");
        let output = charmhost([
            "pack".as_ref(),
            dir.path().as_os_str(),
            "-o".as_ref(),
            archive.as_os_str(),
        ]);
        assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(wanted), "wanted {wanted:?}, got {stderr}");
        assert!(!archive.exists(), "{wanted}: an archive was left behind");
    }
}
