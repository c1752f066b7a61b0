//! Paths of a guest: its roots, none of which it can replace, and the charm's
//! directory, which it writes like a native charm.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Agent, Dispatch, Ended, copy, prints, usual};

/// The result of a step of the guest `files`: text, or an error code of WASI.
type Outcome = Result<String, String>;

/// Performs steps in one dispatch.
fn run(charm: &Path, operator: &str, steps: Value) -> (Ended, Vec<Outcome>, Vec<String>) {
    let params = json!({ "steps": steps }).to_string();
    let agent = Agent::answering(move |request| match request.tool.as_str() {
        "action-get" => prints(&params),
        _ => usual(request),
    });
    let dir = tempfile::tempdir().unwrap();
    let policy = dir.path().join("operator.toml");
    fs::write(&policy, operator).unwrap();
    let ended = Dispatch::new(charm, "actions/work", &agent)
        .var("CHARMHOST_OPERATOR_FILE", &policy.display().to_string())
        .run();
    let logs = agent.logs();
    let lines = logs.iter();
    let results: String = lines
        .filter_map(|line| line.strip_prefix("INFO RESULTS "))
        .collect();
    let outcomes: Vec<Value> = serde_json::from_str(&results).unwrap_or_default();
    let outcome = |value: &Value| match (value["Ok"].as_str(), value["Err"].as_str()) {
        (Some(text), _) => Ok(text.to_owned()),
        (_, error) => Err(error.unwrap().to_owned()),
    };
    (ended, outcomes.iter().map(outcome).collect(), logs)
}

/// The same for a dispatch that must succeed.
fn work(charm: &Path, steps: Value) -> Vec<Outcome> {
    let (ended, outcomes, logs) = run(charm, "", steps);
    assert_eq!(ended.code, Some(0), "{} {logs:#?}", ended.stderr);
    outcomes
}

fn at(path: impl AsRef<Path>) -> Value {
    let path = path.as_ref().display().to_string();
    json!({ "handle": 0, "path": path.trim_start_matches('/') })
}

fn read(path: impl AsRef<Path>) -> Value {
    json!({ "do": "read-file", "at": at(path) })
}

fn write(path: impl AsRef<Path>, text: &str) -> Value {
    json!({ "do": "write-file", "at": at(path), "text": text })
}

fn link_to(target: impl AsRef<Path>, path: impl AsRef<Path>) -> Value {
    json!({ "do": "symlink", "target": target.as_ref(), "at": at(path) })
}

fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Value {
    json!({ "do": "rename", "from": at(from), "to": at(to) })
}

fn hard_link(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Value {
    json!({ "do": "link", "from": at(from), "to": at(to) })
}

fn simple(step: &str, path: impl AsRef<Path>) -> Value {
    json!({ "do": step, "at": at(path) })
}

fn stat(path: impl AsRef<Path>) -> Value {
    json!({ "do": "stat-at", "at": at(path), "follow": false })
}

/// A charm, and beside it a directory `outside` with a secret and a directory
/// `srv` of which something is granted. Not in `/tmp`, which is private in a guest.
struct Place {
    charm: TempDir,
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        for (path, text) in [
            ("outside/secret", "treasure"),
            ("srv/app/file", "granted"),
            ("srv/app/secret", "treasure"),
            ("srv/app/sub/file", "granted"),
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let charm = copy("tests/guests/files");
        Place { charm, dir }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(path)
    }

    fn charm(&self) -> PathBuf {
        self.charm.path().canonicalize().unwrap()
    }

    fn grant(&self, read: &[&str], write: &[&str]) {
        let paths =
            |names: &[&str]| -> Vec<PathBuf> { names.iter().map(|name| self.path(name)).collect() };
        let settings = format!(
            "[grants]\nread = {:?}\nwrite = {:?}\n",
            paths(read),
            paths(write)
        );
        fs::write(self.charm().join("charmhost.toml"), settings).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }
}

fn is_secret(outcome: &Outcome) -> bool {
    outcome.as_ref().is_ok_and(|text| text.contains("treasure"))
}

#[test]
fn only_directories_are_granted_for_writing() {
    let place = Place::new();
    place.grant(&[], &["srv/app/file"]);
    let link = "tmp/link";
    let (file, outside) = (place.path("srv/app/file"), place.path("outside"));
    let up = format!("{}{}", "../".repeat(20), outside.display());
    let (ended, outcomes, logs) = run(
        &place.charm(),
        "",
        json!([
            link_to(up, link),
            rename(link, &file),
            read(file.join("secret")),
            write(file.join("new"), "from the guest"),
        ]),
    );
    assert!(!outcomes.iter().any(is_secret), "{outcomes:?}");
    assert!(!place.path("outside/new").exists());
    assert_eq!(place.read("srv/app/file"), "granted");
    assert_eq!(ended.code, Some(1), "{outcomes:?}");
    let logged = format!("{}{}", ended.stderr, logs.join("\n"));
    let wanted = format!("{} is not a directory", file.display());
    assert!(logged.contains(&wanted), "{logged}");
}

/// A granted file or directory inside a writable root cannot be replaced, by
/// whatever path the guest accesses it.
#[test]
fn a_root_within_a_root_cannot_be_replaced() {
    for (grant, writable) in [
        ("srv/app/sub", false),
        ("srv/app/sub", true),
        ("srv/app/file", false),
    ] {
        let place = Place::new();
        match writable {
            true => place.grant(&[], &["srv/app", grant]),
            false => place.grant(&[grant], &["srv/app"]),
        }
        let (app, root) = (place.path("srv/app"), place.path(grant));
        let alias = app.join("self").join(root.file_name().unwrap());
        let outside = place.path("outside");
        let before = fs::metadata(&root).unwrap().ino();
        let outcomes = work(
            &place.charm(),
            json!([
                link_to(".", app.join("self")),
                link_to(&outside, app.join("link")),
                rename(&alias, app.join("moved")),
                link_to(&outside, &alias),
                rename(app.join("link"), &alias),
                rename(app.join("link"), &root),
                simple("unlink", &alias),
                simple("remove-directory", &alias),
                rename(&app, place.path("srv/other")),
                read(root.join("secret")),
                read(alias.join("secret")),
                write(root.join("new"), "from the guest"),
            ]),
        );
        for (number, outcome) in outcomes.iter().enumerate().skip(2).take(7) {
            assert!(outcome.is_err(), "{grant}: step {number}: {outcome:?}");
        }
        let again = work(&place.charm(), json!([read(root.join("secret"))]));
        assert!(
            !outcomes.iter().chain(&again).any(is_secret),
            "{grant}: {outcomes:?}"
        );
        assert!(!place.path("outside/new").exists(), "{grant}");
        let after = fs::symlink_metadata(&root).unwrap();
        assert_eq!(after.ino(), before, "{grant}: {outcomes:?}");
    }
}

/// The owner of a directory that an operator allows may create links in it, but
/// these do not extend the grants.
#[test]
fn links_in_an_operators_directory_do_not_extend_grants() {
    let place = Place::new();
    symlink(place.path("outside"), place.path("srv/app/to")).unwrap();
    let app = place.path("srv/app");
    let operator = format!("[grants]\nread = [{app:?}]\nwrite = [{app:?}]\n");
    for (readable, writable) in [
        (&["srv/app/to"][..], &[][..]),
        (&["srv/app/to/secret"], &[]),
        (&[], &["srv/app/to"]),
        (&["srv/app"], &["srv/app/to"]),
    ] {
        place.grant(readable, writable);
        let (_, outcomes, logs) = run(
            &place.charm(),
            &operator,
            json!([
                read(app.join("to/secret")),
                write(app.join("to/new"), "from the guest"),
                read(place.path("outside/secret")),
            ]),
        );
        assert!(
            !outcomes.iter().any(is_secret),
            "{readable:?} {writable:?}: {outcomes:?}"
        );
        assert!(!place.path("outside/new").exists(), "{writable:?}");
        let logged = logs.join("\n");
        assert!(!logged.contains("treasure"), "{logged}");
    }
}

#[test]
fn the_kernel_and_devices_are_not_granted() {
    let charm = copy("tests/guests/files");
    for grant in [
        "read = [\"/proc\"]",
        "read = [\"/proc/self\"]",
        "read = [\"/proc/self/environ\"]",
        "write = [\"/proc\"]",
        "read = [\"/sys\"]",
        "read = [\"/dev\"]",
        "write = [\"/dev/shm\"]",
    ] {
        fs::write(
            charm.path().join("charmhost.toml"),
            format!("[grants]\n{grant}\n"),
        )
        .unwrap();
        let steps = json!([read("proc/self/environ")]);
        let (ended, outcomes, logs) = run(charm.path(), "", steps);
        assert!(!outcomes.iter().any(Result::is_ok), "{grant}: {outcomes:?}");
        assert_eq!(ended.code, Some(1), "{grant}: {logs:?}");
        let logged = format!("{}{}", ended.stderr, logs.join("\n"));
        assert!(logged.contains("can be granted"), "{grant}: {logged}");
    }
}

/// A file that a guest wrote stays the charm's file, whatever happens to its
/// permissions and times, until an upgrade replaces it.
#[test]
fn written_files_survive_changes_of_permissions_and_times() {
    let charm = copy("tests/guests/files");
    let file = charm.path().join("data");
    fs::write(&file, "packed").unwrap();
    let set = |seconds: u64| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let opened = fs::File::options().write(true).open(&file).unwrap();
        opened.set_modified(time).unwrap();
    };
    let chmod = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    let outcomes = work(charm.path(), json!([write(&file, "of the guest")]));
    assert!(outcomes[0].is_ok(), "{outcomes:?}");
    let changes: [(&str, &dyn Fn()); 4] = [
        ("chmod", &|| chmod(0o640)),
        ("a time to come", &|| set(4_102_444_800)),
        ("a time long ago", &|| set(631_152_000)),
        ("chmod back", &|| chmod(0o644)),
    ];
    for (what, change) in changes {
        change();
        let outcomes = work(
            charm.path(),
            json!([read(&file), read("data"), stat(&file)]),
        );
        for outcome in &outcomes[..2] {
            let text = outcome.as_deref().unwrap_or_default();
            assert!(text.contains("of the guest"), "{what}: {outcomes:?}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "of the guest", "{what}");
    }
    fs::remove_file(&file).unwrap();
    fs::write(&file, "of the next revision").unwrap();
    let outcomes = work(charm.path(), json!([read(&file)]));
    let text = outcomes[0].as_deref().unwrap_or_default();
    assert!(text.contains("of the next revision"), "{outcomes:?}");
}

/// A charm may change from native to component, and back.
#[test]
fn files_are_the_same_for_a_native_charm_and_a_component() {
    let charm = copy("tests/guests/files");
    let path = |name: &str| charm.path().join(name);
    fs::create_dir_all(path("data/old")).unwrap();
    for name in ["data/kept", "data/removed", "data/old/file"] {
        fs::write(path(name), "native").unwrap();
    }
    let outcomes = work(
        charm.path(),
        json!([
            read(path("data/kept")),
            write(path("data/new"), "component"),
            json!({"do": "open", "handle": 1, "at": at(path("data/kept")), "how": {"write": true}}),
            json!({"do": "append", "handle": 1, "text": ", component"}),
            simple("unlink", path("data/removed")),
            rename(path("data/old"), path("data/moved")),
            simple("make-directory", path("made")),
            link_to("data/new", path("link")),
            hard_link(path("data/new"), path("made/same")),
        ]),
    );
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    for (name, text) in [
        ("data/kept", "native, component"),
        ("data/new", "component"),
        ("data/moved/file", "native"),
        ("link", "component"),
        ("made/same", "component"),
    ] {
        assert_eq!(fs::read_to_string(path(name)).unwrap(), text, "{name}");
    }
    assert!(!path("data/removed").exists() && !path("data/old").exists());
    fs::write(path("data/kept"), "native again").unwrap();
    fs::remove_dir_all(path("made")).unwrap();
    let outcomes = work(
        charm.path(),
        json!([read(path("data/kept")), stat(path("made"))]),
    );
    assert!(
        outcomes[0].as_ref().unwrap().contains("native again"),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[1], Err("no-entry".to_owned()));
}

#[test]
fn path_lengths_have_the_kernels_limits() {
    let charm = copy("tests/guests/files");
    fs::write(
        charm.path().join("charmhost.toml"),
        "[limits]\ncpu-seconds = 20\n",
    )
    .unwrap();
    let repeated =
        |part: &str, times: usize| json!({"do": "stat-repeated", "part": part, "times": times});
    for (part, times) in [
        ("./", 3000),
        ("a/", 3000),
        ("a/../", 1000),
        ("/", 5000),
        ("a/", 100_000),
        ("n", 256),
        ("n", 100_000),
    ] {
        let outcomes = work(charm.path(), json!([repeated(part, times)]));
        let wanted = Err("name-too-long".to_owned());
        assert_eq!(outcomes, [wanted], "{part} {times} times");
    }
    let outcomes = work(
        charm.path(),
        json!([repeated("./", 2000), repeated("n", 255)]),
    );
    assert_eq!(outcomes[0], Ok("directory".to_owned()));
    assert_eq!(outcomes[1], Err("no-entry".to_owned()));
}

/// Names at the top of the charm's directory that determine what code runs, and
/// those that the host reserves.
#[test]
fn a_guest_cannot_change_what_code_runs() {
    let charm = copy("tests/guests/files");
    let base = charm.path().canonicalize().unwrap();
    for dir in ["hooks", "actions"] {
        fs::create_dir(base.join(dir)).unwrap();
        fs::write(base.join(dir).join("file"), "packed").unwrap();
    }
    for name in [
        "config.yaml",
        "manifest.yaml",
        "lxd-profile.yaml",
        "charmhost.toml",
    ] {
        fs::write(base.join(name), "").unwrap();
    }
    for name in [
        "dispatch",
        "charm.cwasm",
        "charmhost.toml",
        "metadata.yaml",
        "charmcraft.yaml",
        "config.yaml",
        "actions.yaml",
        "manifest.yaml",
        "lxd-profile.yaml",
        "hooks",
        "hooks/file",
        "hooks/new",
        "actions",
        "actions/file",
        ".unit-state.db",
        ".unit-state.db-journal",
        ".charmhost",
        ".charmhost/scratch",
        ".charmhost/new",
    ] {
        let before = shown(&base);
        let path = base.join(name);
        let (link, own, here) = (base.join("link"), base.join("own"), base.join("here"));
        let outcomes = work(
            &base,
            json!([
                write(&own, "of the guest"),
                link_to(&path, &link),
                link_to(".", &here),
                // From here on, every step must fail.
                write(&path, "of the guest"),
                write(&link, "of the guest"),
                write(name, "of the guest"),
                write(here.join(name), "of the guest"),
                write(base.join("data/..").join(name), "of the guest"),
                rename(&own, &path),
                rename(&own, here.join(name)),
                rename(&path, base.join("moved")),
                hard_link(&own, &path),
                hard_link(&path, base.join("other")),
                hard_link(here.join(name), base.join("other")),
                link_to("own", &path),
                simple("unlink", &path),
                simple("remove-directory", &path),
                simple("make-directory", &path),
                json!({"do": "set-time-at", "at": at(&path), "follow": true, "time": 1}),
                json!({"do": "open", "handle": 1, "at": at(&path), "how": {"truncate": true, "read": true}}),
            ]),
        );
        for (number, outcome) in outcomes.iter().enumerate() {
            assert_eq!(
                outcome.is_ok(),
                number < 3,
                "{name}: step {number}: {outcome:?}"
            );
        }
        for path in [link, own, here] {
            fs::remove_file(path).unwrap();
        }
        assert_eq!(shown(&base), before, "{name}");
    }
    let outcomes = work(
        &base,
        json!([simple("list-at", &base), read(base.join("hooks/file"))]),
    );
    let names = outcomes[0].as_deref().unwrap();
    assert!(
        names.contains("dispatch") && !names.contains(".charmhost"),
        "{names}"
    );
    assert!(!names.contains(".unit-state.db"), "{names}");
    assert!(outcomes[1].is_ok(), "{outcomes:?}");
}

/// Content of a charm's directory without the host's own files: names, inodes,
/// sizes, times and links.
fn shown(base: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for dir in [base.to_path_buf(), base.join("hooks"), base.join("actions")] {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(base).unwrap().display().to_string();
            let found = fs::symlink_metadata(&path).unwrap();
            if !name.starts_with('.') {
                let (size, links) = (found.size(), found.nlink());
                lines.push(format!(
                    "{name} {} {size} {links} {}",
                    found.ino(),
                    found.mtime()
                ));
            }
        }
    }
    lines.sort();
    lines
}

/// Two roots behave like two file systems.
#[test]
fn files_cannot_be_moved_between_roots() {
    let place = Place::new();
    place.grant(&["srv/app/sub"], &["outside"]);
    let (charm, outside) = (place.charm(), place.path("outside"));
    let sub = place.path("srv/app/sub/file");
    let outcomes = work(
        &charm,
        json!([
            write(charm.join("own"), "of the guest"),
            write("tmp/own", "of the guest"),
            rename(charm.join("own"), outside.join("own")),
            rename("tmp/own", charm.join("moved")),
            hard_link(charm.join("own"), outside.join("own")),
            hard_link(outside.join("secret"), charm.join("same")),
            hard_link(&sub, charm.join("same")),
            hard_link(&sub, outside.join("same")),
        ]),
    );
    assert!(outcomes[..2].iter().all(Result::is_ok), "{outcomes:?}");
    for outcome in &outcomes[2..6] {
        assert_eq!(*outcome, Err("cross-device".to_owned()), "{outcomes:?}");
    }
    assert!(outcomes[6..].iter().all(Result::is_err), "{outcomes:?}");
    let outcomes = work(&charm, json!([stat("tmp/own"), stat(charm.join("own"))]));
    assert_eq!(outcomes[0], Err("no-entry".to_owned()));
    assert!(outcomes[1].is_ok());
    assert!(!charm.join(".charmhost/scratch").exists());
}
