//! Uses all of the SDK for containers and relations, and returns results of
//! actions.

use std::io::{Read, Write};
use std::time::Duration;

use charmhost::FileKind;
use charmhost::prelude::*;

struct Containers;

impl Charm for Containers {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.action("files", Self::on_files);
        on.action("commands", Self::on_commands);
        on.action("services", Self::on_services);
        on.action("errors", Self::on_errors);
        on.action("relations", Self::on_relations);
        on.action("wait", Self::on_wait);
        Ok(Containers)
    }
}

fn one() -> Container {
    unit().container("one")
}

impl Containers {
    fn on_files(&self, event: ActionEvent) -> Result<()> {
        let container = one();
        container.push("/srv/files/new/dir/text", "hello\n")?;
        container.push_with("/srv/files/secret", "x", &FileOptions::new().mode(0o600))?;
        let mut writer = container.create("/srv/files/large", &FileOptions::new())?;
        for _ in 0..320 {
            writer.write_all(&[7; 65536])?;
        }
        writer.close()?;
        let mut given_up = container.create("/srv/files/given-up", &FileOptions::new())?;
        given_up.write_all(b"half")?;
        drop(given_up);
        let mut large = 0;
        let mut reader = container.open("/srv/files/large")?;
        let mut buffer = vec![0; 100_000];
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                count => large += count,
            }
        }
        container.make_dir("/srv/files/empty")?;
        container.remove("/srv/files/empty")?;
        let listed = container.list_files("/srv/files")?;
        let names: Vec<String> = listed
            .iter()
            .map(|info| format!("{} {:?} {:o}", info.name, info.kind, info.permissions))
            .collect();
        let matching = container.list_matching("/srv/files", "s*")?;
        container.push("/data/kept", "on the storage")?;
        container.remove_all("/srv/files/new")?;
        event.set_results(json!({
            "text": container.exists("/srv/files/new")?.to_string(),
            "large": large,
            "given-up": container.exists("/srv/files/given-up")?,
            "names": names.join(", "),
            "matching": matching.len(),
            "directory": listed.iter().any(|info| info.kind == FileKind::Directory),
        }))
    }

    fn on_commands(&self, event: ActionEvent) -> Result<()> {
        let container = one();
        let counted = container
            .exec(["wc", "-c"])
            .stdin(vec![b'x'; 3_000_000])
            .run()?;
        let both = container
            .exec(["sh", "-c", "echo out; echo err >&2; exit 3"])
            .run()?;
        let failed = both.clone().success().err().map(|error| error.to_string());
        let much = container
            .exec([
                "sh",
                "-c",
                "head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2",
            ])
            .keep(1000)
            .run()?;
        let environment = container
            .exec(["sh", "-c", "echo $K; pwd"])
            .env("K", "v")
            .working_dir("/usr")
            .run()?;
        let talk = container
            .exec([
                "sh",
                "-c",
                "while read line; do echo got $line; done; exit 5",
            ])
            .start()?;
        talk.write_all_stdin(b"one\n")?;
        let answer = talk.read_stdout(100)?;
        talk.close_stdin()?;
        let code = talk.wait()?;
        let late = container
            .exec(["sleep", "60"])
            .timeout(Duration::from_millis(100))
            .run()
            .err()
            .map(|error| error.kind());
        let stopped = container
            .exec([
                "sh",
                "-c",
                "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done",
            ])
            .start()?;
        stopped.read_stdout(10)?;
        stopped.send_signal("SIGTERM")?;
        event.set_results(json!({
            "counted": counted.stdout_text().trim(),
            "code": both.exit_code,
            "out": String::from_utf8_lossy(&both.stdout),
            "err": String::from_utf8_lossy(&both.stderr),
            "failed": failed,
            "much": format!(
                "{} {} {} {}",
                much.stdout.len(),
                much.stderr.len(),
                much.stdout_truncated,
                much.stderr_truncated
            ),
            "environment": environment.stdout_text(),
            "answer": String::from_utf8_lossy(&answer),
            "exit": code,
            "late": format!("{late:?}"),
            "stopped": stopped.wait()?,
        }))
    }

    fn on_services(&self, event: ActionEvent) -> Result<()> {
        let container = one();
        let layer = Layer::new()
            .service("a", Service::new("sleep 1000").enabled())
            .service("b", Service::new("sleep 1000"))
            .check("up", Check::exec("true").level("alive"));
        container.add_layer("own", &layer)?;
        let again = container
            .add_layer("own", &layer)
            .err()
            .map(|error| error.kind());
        container.replan()?;
        container.start(["b"])?;
        container.stop(["a"])?;
        let current: Vec<String> = container
            .services()?
            .iter()
            .map(|service| format!("{} {:?}", service.name, service.current))
            .collect();
        container.restart(["a"])?;
        container.combine_layer("own", "services: {b: {override: merge, summary: second}}")?;
        let plan = container.plan()?;
        event.set_results(json!({
            "again": format!("{again:?}"),
            "current": current.join(", "),
            "a": container.service("a")?.map(|service| service.is_running()),
            "none": container.service("none")?.is_none(),
            "check": container.check("up")?.map(|check| check.is_up()),
            "merged": plan.services["b"].summary.as_deref() == Some("second"),
            "version": container.system_info()?.version,
        }))
    }

    fn on_errors(&self, event: ActionEvent) -> Result<()> {
        let container = one();
        let kind = |result: Result<()>| match result {
            Ok(()) => "none".to_owned(),
            Err(error) => format!("{:?}: {error}", error.kind()),
        };
        let bad = Layer::new().service("bad", Service::new("sh -c 'exit 3'").enabled());
        container.add_layer("bad", &bad)?;
        event.set_results(json!({
            "missing": kind(container.pull("/nowhere").map(drop)),
            "directory": kind(container.pull("/etc").map(drop)),
            "relative": kind(container.push("relative", "x")),
            "change": kind(container.replan()),
            "program": kind(container.exec(["no-such-program"]).run().map(drop)),
            "layer": kind(container.add_layer("other", "services: [")),
            "unknown": kind(unit().container("three").plan().map(drop)),
            "away": kind(unit().container("two").plan().map(drop)),
            "connect": unit().container("two").can_connect()?,
            "relation": kind(relations("web").map(drop)),
        }))
    }

    fn on_relations(&self, event: ActionEvent) -> Result<()> {
        let ring = relation("ring")?.ok_or_else(|| Error::msg("no ring"))?;
        ring.set_unit_data([("a", "1"), ("b", "2")])?;
        ring.set_unit_data([("a", "")])?;
        let follower = match ring.set_app_data([("k", "v")]) {
            Ok(()) => "leads".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        let mut seen = Vec::new();
        for relation in relations("db")? {
            let units = relation.units()?;
            seen.push(format!(
                "{} {:?} {:?} {:?}",
                relation.id(),
                relation.app(),
                units,
                relation.remote_app_data()?
            ));
            for unit in units {
                seen.push(format!("{:?}", relation.remote_unit_data(unit)?));
            }
        }
        let mut own = ring.unit_data()?;
        own.retain(|key, _| !key.contains('-'));
        event.set_results(json!({
            "own": format!("{own:?}"),
            "follower": follower,
            "db": seen.join("; "),
        }))
    }

    fn on_wait(&self, event: ActionEvent) -> Result<()> {
        one().exec(["sleep", "3"]).run()?.success()?;
        event.set_results(json!({"waited": true}))
    }
}

charmhost::main!(Containers);
