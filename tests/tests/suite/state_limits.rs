//! Local state at its limits: concurrent dispatches, invalid state files, and data
//! that is too deep or too large.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use charmhost_jujuc::{Reply, Request};

use crate::support::{Agent, Dispatch, Ended, copy, fails, prints, usual};

const FILE: &str = ".unit-state.db";

/// A unit of the charm `state`.
struct Unit {
    charm: tempfile::TempDir,
    agent: Agent,
    order: Arc<Mutex<String>>,
}

impl Unit {
    fn new(settings: &str) -> Self {
        Unit::with(settings, |_| None)
    }

    /// A unit with an agent that answers some calls by a function.
    fn with(
        settings: &str,
        mut answer: impl FnMut(&Request) -> Option<Result<Reply, String>> + Send + 'static,
    ) -> Self {
        let charm = copy("tests/guests/state");
        std::fs::write(charm.path().join("charmhost.toml"), settings).unwrap();
        let order = Arc::new(Mutex::new(String::new()));
        let ordered = order.clone();
        let agent = Agent::answering(move |request| match request.tool.as_str() {
            "config-get" => {
                let order = ordered.lock().unwrap().clone();
                prints(&serde_json::json!({ "order": order }).to_string())
            }
            _ => answer(request).unwrap_or_else(|| usual(request)),
        });
        Unit {
            charm,
            agent,
            order,
        }
    }

    fn dispatch(&self, hook: &str) -> Dispatch {
        Dispatch::new(self.charm.path(), &format!("hooks/{hook}"), &self.agent)
    }

    /// Runs a hook; returns how it ended and what was logged.
    fn hook(&self, hook: &str) -> (Ended, Vec<String>) {
        let before = self.agent.logs().len();
        let ended = self.dispatch(hook).run();
        (ended, self.agent.logs().split_off(before))
    }

    /// Runs an order at `update-status`, which must succeed; returns what the
    /// charm logged of it.
    fn order(&self, order: &str) -> String {
        *self.order.lock().unwrap() = order.to_owned();
        let (ended, logs) = self.hook("update-status");
        assert_eq!(ended.code, Some(0), "{order}: {}\n{logs:#?}", ended.stderr);
        let start = format!("INFO {order}: ");
        let outcome = logs.iter().find_map(|line| line.strip_prefix(&start));
        outcome.unwrap_or_default().to_owned()
    }

    fn file(&self) -> std::path::PathBuf {
        self.charm.path().join(FILE)
    }

    /// Runs Python with the state file as `db`; returns what it prints.
    fn python(&self, script: &str) -> String {
        python(&self.file(), script)
    }

    fn notices(&self) -> String {
        self.python("print(list(db.execute('select event_path, method_name from notice')))")
    }
}

fn python(file: &Path, script: &str) -> String {
    let start = "import pickle, sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1])\n\
        db.executescript('create table if not exists snapshot (handle text primary key, data blob);\
        create table if not exists notice (sequence integer primary key autoincrement, event_path text, observer_path text, method_name text);')\n";
    let output = Command::new("python3")
        .args(["-c", &format!("{start}{script}\ndb.commit()\n")])
        .arg(file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        crate::support::shown(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn has(logs: &[String], wanted: &str) -> bool {
    logs.iter().any(|line| line.contains(wanted))
}

#[test]
fn two_first_dispatches_at_once_save_one_after_the_other() {
    // The first one is paused while it has the lock.
    let calls = AtomicUsize::new(0);
    let unit = Unit::with("", move |request| {
        if request.tool == "is-leader" && calls.fetch_add(1, Ordering::SeqCst) == 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    });
    let mut command = unit.dispatch("start").command();
    let children: Vec<_> = (0..2).map(|_| command.spawn().unwrap()).collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    // The second one has the event of the first in its queue.
    assert_eq!(
        unit.notices(),
        "[('State/on/start[1]', 'on_start')]\n",
        "{:#?}",
        unit.agent.logs()
    );
}

#[test]
fn twelve_dispatches_at_once_all_succeed() {
    let unit = Unit::new("");
    let mut command = unit.dispatch("start").command();
    let children: Vec<_> = (0..12).map(|_| command.spawn().unwrap()).collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    assert_eq!(unit.notices(), "[('State/on/start[1]', 'on_start')]\n");
}

#[test]
fn a_lock_that_is_not_released_is_an_error_after_ten_seconds() {
    let unit = Unit::new("");
    let directory = std::fs::File::open(unit.charm.path()).unwrap();
    directory.lock().unwrap();
    let started = Instant::now();
    let (ended, _) = unit.hook("start");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let file = unit.charm.path().canonicalize().unwrap().join(FILE);
    let expected = format!(
        "cannot open {}: it is locked by another process (waited 10 s)",
        file.display()
    );
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    assert!(started.elapsed() >= Duration::from_secs(10));
    assert!(!file.exists());
    drop(directory);
    assert_eq!(unit.hook("start").0.code, Some(0));
}

/// Value that Juju has stored under the key of atomic mode.
fn atomic(committed: Arc<Mutex<String>>) -> Unit {
    Unit::with("[state]\nmode = \"atomic\"\n", move |request| {
        let args: Vec<&str> = request.args.iter().map(String::as_str).collect();
        match (request.tool.as_str(), args.as_slice()) {
            ("state-get", _) if committed.lock().unwrap().as_str() == "refuse" => {
                Some(fails(1, "ERROR not implemented for restricted context\n"))
            }
            ("state-set", _) if committed.lock().unwrap().as_str() == "refuse" => {
                Some(fails(1, "ERROR not implemented for restricted context\n"))
            }
            ("state-get", _) => Some(prints(&(committed.lock().unwrap().clone() + "\n"))),
            ("state-set", _) => {
                let Some(input) = request.stdin.clone() else {
                    return Some(Err(charmhost_jujuc::REQUIRES_STDIN.to_owned()));
                };
                let input = charmhost_yaml::parse(&String::from_utf8(input).unwrap()).unwrap();
                let number = input["charmhost-commit"].as_str().unwrap();
                number.clone_into(&mut committed.lock().unwrap());
                Some(prints(""))
            }
            _ => None,
        }
    })
}

#[test]
fn atomic_mode_works_in_a_restricted_context() {
    let committed: Arc<Mutex<String>> = Arc::default();
    let unit = atomic(committed.clone());
    let restricted = |committed: &Mutex<String>| {
        let number = std::mem::replace(&mut *committed.lock().unwrap(), "refuse".to_owned());
        let (ended, logs) = unit.hook("collect-metrics");
        assert_eq!(ended.code, Some(0), "{}\n{logs:#?}", ended.stderr);
        *committed.lock().unwrap() = number;
        logs
    };
    // Nothing is prepared: the charm saves at once, and state-get is not called.
    assert!(has(&restricted(&committed), "INFO metrics 1"));
    assert!(has(&restricted(&committed), "INFO metrics 2"));
    // Prepared changes can be decided only in the next unrestricted hook.
    assert_eq!(unit.hook("start").0.code, Some(0));
    let before = std::fs::read(unit.file()).unwrap();
    let logs = restricted(&committed);
    assert!(
        has(&logs, "Ignoring collect_metrics: whether Juju committed"),
        "{logs:#?}"
    );
    assert_eq!(std::fs::read(unit.file()).unwrap(), before);
    assert_eq!(unit.notices(), "[]\n");
    assert_eq!(unit.order("none"), "");
    assert_eq!(unit.notices(), "[('State/on/start[7]', 'on_start')]\n");
}

#[test]
fn a_decision_is_durable_only_if_its_dispatch_succeeds() {
    let committed: Arc<Mutex<String>> = Arc::default();
    let unit = atomic(committed.clone());
    assert_eq!(unit.hook("start").0.code, Some(0));
    let before = std::fs::read(unit.file()).unwrap();
    // A dispatch that fails leaves the file as it was.
    *unit.order.lock().unwrap() = "save x".to_owned();
    assert_eq!(unit.hook("update-status").0.code, Some(1));
    assert_eq!(std::fs::read(unit.file()).unwrap(), before);
}

#[test]
fn values_that_could_not_be_read_again_are_rejected() {
    for settings in ["", "[state]\nstorage = \"juju\"\n"] {
        let state: Arc<Mutex<serde_json::Map<String, serde_json::Value>>> = Arc::default();
        let unit = Unit::with(settings, move |request| {
            let args: Vec<&str> = request.args.iter().map(String::as_str).collect();
            match (request.tool.as_str(), args.as_slice()) {
                ("state-get", _) => Some(prints(
                    &serde_json::to_string(&*state.lock().unwrap()).unwrap(),
                )),
                ("state-set", _) => {
                    let Some(input) = request.stdin.clone() else {
                        return Some(Err(charmhost_jujuc::REQUIRES_STDIN.to_owned()));
                    };
                    let input = String::from_utf8(input).unwrap();
                    let input = charmhost_yaml::parse(&input).unwrap();
                    let entries = input.as_object().unwrap().clone();
                    state.lock().unwrap().extend(entries);
                    Some(prints(""))
                }
                _ => None,
            }
        });
        assert_eq!(unit.order("save 100"), "done ");
        let deep = unit.order("save 101");
        assert!(
            deep.starts_with("failed cannot save the state \"State/StoredStateData[value]\": it nests more than 100 levels deep"),
            "{settings}: {deep}"
        );
        let large = unit.order("save-large-integer");
        assert!(
            large.contains("it holds an integer of more than 64 bits, 340282366920938463463374607431768211455; save it as text"),
            "{settings}: {large}"
        );
        // The previous value is unchanged.
        assert_eq!(unit.order("load"), "done 100", "{settings}");
        let emitted = unit.order("emit 101");
        assert!(
            emitted.starts_with("failed cannot emit ready of State: its data could not be read again if it were deferred: it nests more than 100 levels deep"),
            "{settings}: {emitted}"
        );
        assert_eq!(unit.order("emit 100"), "done ");
        let (_, logs) = unit.hook("leader-elected");
        let again = "Re-emitting deferred event ready (1 of 1 in queue).";
        assert!(has(&logs, again), "{settings}: {logs:#?}");
    }
}

/// A pickle of one mebibyte of text that is 200 times in a list.
const BOMB: &str = "text = b'x' * (1 << 20)\n\
    bomb = b'\\x80\\x04](X' + len(text).to_bytes(4, 'little') + text + b'\\x94' + b'h\\x00' * 200 + b'e.'\n";

#[test]
fn a_pickle_that_needs_too_much_memory_is_preserved_and_does_not_fail_the_dispatch() {
    let unit = Unit::new("");
    unit.python(&format!(
        "{BOMB}db.execute('insert into snapshot values (?, ?)', ('State/on/leader_elected[1]', bomb))\n\
        db.execute('insert into snapshot values (?, ?)', ('State/StoredStateData[value]', bomb))\n\
        db.execute('insert into snapshot values (?, zeroblob(200 << 20))', ('State/on/leader_elected[2]',))\n\
        db.execute('insert into snapshot values (?, ?)', ('State/on/leader_elected[3]', pickle.dumps({{}})))\n\
        for n in (1, 2, 3):\n\
        \x20   db.execute('insert into notice (event_path, observer_path, method_name) values (?, ?, ?)', (f'State/on/leader_elected[{{n}}]', 'State', 'on_leader_elected'))\n"
    ));
    *unit.order.lock().unwrap() = "load-text".to_owned();
    let (ended, logs) = unit.hook("update-status");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for wanted in [
        "WARNING Cannot read the data of deferred event State/on/leader_elected[1]: it takes more than 128 MiB of memory; keeping it in the queue.",
        "WARNING Cannot read the data of deferred event State/on/leader_elected[2]: it has more than 128 MiB; keeping it in the queue.",
        "Re-emitting deferred event leader_elected (3 of 3 in queue).",
        "it takes more than 128 MiB of memory",
    ] {
        assert!(has(&logs, wanted), "{wanted:?} is not in {logs:#?}");
    }
    let once = logs
        .iter()
        .filter(|line| line.contains("leader_elected[1]"));
    assert_eq!(once.count(), 1, "{logs:#?}");
    let left =
        unit.python("print([row[0] for row in db.execute('select event_path from notice')])");
    assert_eq!(
        left,
        "['State/on/leader_elected[1]', 'State/on/leader_elected[2]']\n"
    );
}

#[test]
fn a_hundred_thousand_deferred_events_are_delivered() {
    let unit = Unit::new("");
    unit.python(
        "db.executemany('insert into notice (event_path, observer_path, method_name) values (?, ?, ?)',\n\
        \x20   ((f'State/on/leader_elected[{n}]', 'State', 'on_gone') for n in range(100000)))\n\
        db.executemany('insert into snapshot values (?, ?)',\n\
        \x20   ((f'State/on/leader_elected[{n}]', pickle.dumps({})) for n in range(100000)))\n",
    );
    let (ended, logs) = unit.hook("update-status");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let about: Vec<&String> = logs
        .iter()
        .filter(|line| line.contains("No handler for"))
        .collect();
    assert_eq!(about.len(), 21, "{} lines", logs.len());
    assert_eq!(
        about[20],
        "DEBUG No handler for 99980 more deferred events in this revision; keeping them in the queue."
    );
    let left = unit.python("print(list(db.execute('select count(*) from notice')))");
    assert_eq!(left, "[(100000,)]\n", "native ops deferred them");
}

#[test]
fn a_state_file_that_is_not_a_regular_file_is_an_error() {
    type Make = fn(&Path);
    let cases: [(&str, Make); 4] = [
        ("a symbolic link", |path| {
            let target = path.with_file_name("target");
            std::fs::write(&target, "").unwrap();
            std::os::unix::fs::symlink(target, path).unwrap();
        }),
        ("a symbolic link", |path| {
            std::os::unix::fs::symlink("dangling", path).unwrap();
        }),
        ("a FIFO", |path| {
            let made = Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        }),
        ("a directory", |path| std::fs::create_dir(path).unwrap()),
    ];
    for (kind, make) in cases {
        for suffix in ["", "-journal"] {
            let unit = Unit::new("");
            let path = unit.charm.path().canonicalize().unwrap();
            let path = path.join(format!("{FILE}{suffix}"));
            make(&path);
            let (ended, _) = unit.hook("start");
            let expected = format!(
                "cannot open {}: it is {kind}, not a regular file",
                path.display()
            );
            assert!(ended.stderr.contains(&expected), "{kind}: {}", ended.stderr);
            assert_eq!(ended.code, Some(1));
            let target = unit.charm.path().join("target");
            let untouched = std::fs::read(&target).map_or(true, |bytes| bytes.is_empty());
            assert!(untouched && !unit.charm.path().join("dangling").exists());
        }
    }
}

#[test]
fn a_state_file_with_views_or_triggers_is_rejected() {
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n)";
    for (sql, what) in [
        (
            format!(
                "drop table notice; create view notice as {endless} select i as sequence, 'Charm/on/start[1]' as event_path, 'Charm' as observer_path, 'x' as method_name from n"
            ),
            "it contains the view \"notice\"",
        ),
        (
            format!(
                "create trigger t before insert on notice begin insert into snapshot {endless} select i, null from n; end"
            ),
            "it contains the trigger \"t\"",
        ),
    ] {
        let unit = Unit::new("");
        unit.python(&format!("db.executescript(\"\"\"{sql}\"\"\")"));
        let mut dispatch = unit.dispatch("start").command();
        let mut child = dispatch
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    child.kill().unwrap();
                    panic!("it does not end, although {what}");
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        assert_eq!(status.code(), Some(1), "{what}");
        let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        assert!(stderr.contains(what), "{stderr}");
    }
}
