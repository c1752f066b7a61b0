//! Packing is reproducible and atomic, and unpacking restores the same files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use charmhost_archive::{Archive, Content, Entry, Mode, pack, write};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{DateTime, System, ZipArchive, ZipWriter};

fn executable(name: &str, content: &[u8]) -> Entry {
    Entry {
        name: name.into(),
        mode: Mode::Executable,
        content: Content::Bytes(content.to_vec()),
    }
}

fn charm() -> Vec<Entry> {
    vec![
        Entry::data("metadata.yaml", "\"name\": \"demo\"\n"),
        executable("dispatch", b"\x7fELF"),
        Entry::data("src/ö/deep.txt", "deep"),
        Entry::data("charm.cwasm", vec![7; 100_000]),
    ]
}

fn bytes(entries: Vec<Entry>) -> Vec<u8> {
    write(Cursor::new(Vec::new()), entries)
        .unwrap()
        .into_inner()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_order_of_entries_does_not_matter() {
    let mut reversed = charm();
    reversed.reverse();
    assert_eq!(bytes(charm()), bytes(reversed));
}

#[test]
fn members_are_sorted_deflated_and_dated_1980_with_unix_modes() {
    let mut zip = ZipArchive::new(Cursor::new(bytes(charm()))).unwrap();
    let mut seen = Vec::new();
    for index in 0..zip.len() {
        let file = zip.by_index(index).unwrap();
        assert_eq!(file.system(), System::Unix);
        assert_eq!(file.last_modified(), Some(DateTime::DEFAULT));
        assert_eq!(file.compression(), zip::CompressionMethod::Deflated);
        let name = file.name().unwrap().into_owned();
        seen.push((name, file.external_attributes() >> 16));
    }
    let wanted = [
        ("charm.cwasm", 0o100_644),
        ("dispatch", 0o100_755),
        ("metadata.yaml", 0o100_644),
        ("src/ö/deep.txt", 0o100_644),
    ];
    assert_eq!(seen, wanted.map(|(name, mode)| (name.to_owned(), mode)));
}

#[test]
fn a_packed_charm_unpacks_to_the_same_files() {
    let dir = TempDir::new().unwrap();
    let program = dir.path().join("program");
    fs::write(&program, "#!").unwrap();
    let path = dir.path().join("demo_amd64.charm");
    let mut entries = charm();
    entries.push(Entry::program("bin/tool", &program));
    pack(&path, entries).unwrap();
    let mut archive = Archive::open(&path).unwrap();
    assert_eq!(archive.names().count(), 5);
    assert_eq!(archive.read("src/ö/deep.txt").unwrap().unwrap(), b"deep");
    assert_eq!(archive.read("nothing").unwrap(), None);
    let out = dir.path().join("out");
    archive.unpack(&out).unwrap();
    assert_eq!(fs::read(out.join("charm.cwasm")).unwrap(), vec![7; 100_000]);
    assert_eq!(fs::read(out.join("bin/tool")).unwrap(), b"#!");
    assert_eq!(mode(&out.join("dispatch")) & 0o700, 0o700);
    assert_eq!(mode(&out.join("metadata.yaml")) & 0o700, 0o600);
    let again = archive.unpack(&out).unwrap_err().to_string();
    assert!(again.contains("is not empty"), "{again}");
}

#[test]
fn names_and_files_that_juju_would_lose_are_rejected() {
    for (name, wanted) in [
        ("../evil", "`..`"),
        ("a/../b", "`..`"),
        ("./a", "`.`"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("", "empty part"),
        ("/abs", "absolute"),
        ("a\\b", "backslash"),
        ("a\0b", "NUL"),
        ("dispatch", "two files"),
        ("dispatch/x", "a folder above it is a file"),
        (".jujuignore", "do not ship it"),
        ("build/x", "build/"),
        ("revision", "writes this file itself"),
        (".git/config", "version control"),
        ("src/.tox/x", ".tox"),
    ] {
        let mut entries = charm();
        entries.push(Entry::data(name, "x"));
        let error = write(Cursor::new(Vec::new()), entries)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("cannot pack"), "{error}");
        assert!(error.contains(wanted), "{name:?} gave {error:?}");
    }
    let mut allowed = charm();
    allowed.push(Entry::data("src/build/x", "only at the root is it lost"));
    allowed.push(Entry::data("..a/b..", "dots are no parts"));
    assert!(write(Cursor::new(Vec::new()), allowed).is_ok());
}

#[test]
fn a_charm_without_metadata_or_dispatch_is_rejected() {
    for (gone, wanted) in [
        ("metadata.yaml", "Juju cannot read a charm"),
        ("dispatch", "the program Juju runs"),
    ] {
        let entries = charm()
            .into_iter()
            .filter(|entry| entry.name != gone)
            .collect();
        let error = write(Cursor::new(Vec::new()), entries)
            .unwrap_err()
            .to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let entries = vec![
        Entry::data("metadata.yaml", ""),
        Entry::data("dispatch", ""),
    ];
    let error = write(Cursor::new(Vec::new()), entries)
        .unwrap_err()
        .to_string();
    assert!(error.contains("must be executable"), "{error}");
}

#[test]
fn a_failure_leaves_the_old_archive() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("demo.charm");
    fs::write(&path, "before").unwrap();
    let mut entries = charm();
    entries.push(Entry::program("zzz", dir.path().join("missing")));
    let error = pack(&path, entries).unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"before");
    let left: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["demo.charm"]);
}

#[test]
fn files_stay_executable_and_links_stay_inside() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("project");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("tool"), "x").unwrap();
    fs::set_permissions(root.join("tool"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("tool", root.join("inside")).unwrap();
    fs::write(dir.path().join("secret"), "x").unwrap();
    symlink("../secret", root.join("outside")).unwrap();
    assert_eq!(
        Entry::from_file(&root, "tool").unwrap().mode,
        Mode::Executable
    );
    let inside = Entry::from_file(&root, "inside").unwrap();
    assert!(matches!(&inside.content, Content::File(path) if path.ends_with("tool")));
    let error = Entry::from_file(&root, "outside").unwrap_err().to_string();
    assert!(error.contains("leads out"), "{error}");
    let error = Entry::from_file(dir.path(), "project")
        .unwrap_err()
        .to_string();
    assert!(error.contains("not a file"), "{error}");
}

/// A member of a foreign archive: name, mode with type bits, content.
type Foreign<'a> = (&'a str, u32, &'a [u8]);

fn foreign(dir: &Path, system: System, members: &[Foreign]) -> PathBuf {
    let path = dir.join("foreign.charm");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    let base: [Foreign; 1] = [("metadata.yaml", 0o100_644, b"name: x")];
    for (name, mode, content) in base.iter().chain(members) {
        let options = SimpleFileOptions::default()
            .system(system)
            .external_attributes(mode << 16);
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
    path
}

const DISPATCH: Foreign = ("dispatch", 0o100_755, b"x");

#[test]
fn archives_that_are_unsafe_or_cannot_run_are_rejected() {
    let cases: &[(&[Foreign], &str)] = &[
        (&[], "no dispatch at its root"),
        (
            &[("bin/dispatch", 0o100_755, b"x")],
            "no dispatch at its root",
        ),
        (
            &[("dispatch", 0o100_644, b"x")],
            "not executable (mode 0644)",
        ),
        (&[DISPATCH, ("../evil", 0o100_644, b"x")], "`..`"),
        (&[DISPATCH, ("/abs", 0o100_644, b"x")], "absolute"),
        (
            &[DISPATCH, ("pipe", 0o010_644, b"")],
            "neither file, folder nor link",
        ),
        (
            &[DISPATCH, ("disk", 0o060_644, b"")],
            "neither file, folder nor link",
        ),
        (
            &[DISPATCH, ("dispatch/x", 0o100_644, b"x")],
            "a folder above it is a file",
        ),
        (
            &[DISPATCH, ("l", 0o120_777, b"."), ("l/x", 0o100_644, b"x")],
            "a folder above it is a file",
        ),
        (
            &[DISPATCH, ("l", 0o120_777, b"/etc/passwd")],
            "which is absolute",
        ),
        (&[DISPATCH, ("l", 0o120_777, b"../x")], "out of the charm"),
        (
            &[DISPATCH, ("a/l", 0o120_777, b"../../x")],
            "out of the charm",
        ),
        (
            &[
                DISPATCH,
                ("d/e/p", 0o120_777, b"../.."),
                ("z", 0o120_777, b"d/e/p/../."),
            ],
            "leads out of the charm",
        ),
    ];
    for (members, wanted) in cases {
        let dir = TempDir::new().unwrap();
        let path = foreign(dir.path(), System::Unix, members);
        let out = dir.path().join("out");
        let done = Archive::open(&path).and_then(|mut archive| archive.unpack(&out));
        let error = done.unwrap_err().to_string();
        assert!(error.contains(wanted), "{members:?} gave {error:?}");
        assert!(!out.exists(), "nothing is left of {members:?}");
    }
}

#[test]
fn modes_are_those_of_juju() {
    let dir = TempDir::new().unwrap();
    let windows = foreign(dir.path(), System::Dos, &[DISPATCH]);
    let error = Archive::open(&windows).unwrap_err().to_string();
    assert!(error.contains("not executable (mode 0644)"), "{error}");
    let bare = foreign(dir.path(), System::Unix, &[("dispatch", 0o755, b"x")]);
    assert!(Archive::open(&bare).is_ok(), "type bits are optional");
}

#[test]
fn links_inside_and_directories_are_unpacked() {
    let dir = TempDir::new().unwrap();
    let members: [Foreign; 5] = [
        DISPATCH,
        ("./", 0o040_755, b""),
        ("lib/", 0o040_755, b""),
        ("lib/a.txt", 0o100_644, b"a"),
        ("link", 0o120_777, b"lib/a.txt"),
    ];
    let mut archive = Archive::open(&foreign(dir.path(), System::Unix, &members)).unwrap();
    let out = dir.path().join("out");
    archive.unpack(&out).unwrap();
    assert_eq!(
        fs::read_link(out.join("link")).unwrap(),
        Path::new("lib/a.txt")
    );
    assert_eq!(fs::read(out.join("link")).unwrap(), b"a");
}

#[test]
fn damaged_archives_are_rejected() {
    let dir = TempDir::new().unwrap();
    let whole = bytes(charm());
    let path = dir.path().join("x.charm");
    let mut flipped = whole.clone();
    // In the data of the first member, behind its header.
    flipped[60] ^= 0xff;
    for (content, wanted) in [
        (&b"not a zip"[..], "not a zip archive"),
        (&b""[..], "not a zip archive"),
        (&whole[..whole.len() / 2], "only a part of one"),
        (&flipped, "cannot unpack \"charm.cwasm\""),
    ] {
        fs::write(&path, content).unwrap();
        let out = dir.path().join("out");
        let done = Archive::open(&path).and_then(|mut archive| archive.unpack(&out));
        let error = done.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let error = Archive::open(&dir.path().join("none.charm"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("cannot open"), "{error}");
    fs::write(&path, bytes_without_metadata()).unwrap();
    let error = Archive::open(&path).unwrap_err().to_string();
    assert!(error.contains("no metadata.yaml at its root"), "{error}");
}

fn bytes_without_metadata() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("dispatch", options).unwrap();
    zip.finish().unwrap().into_inner()
}
