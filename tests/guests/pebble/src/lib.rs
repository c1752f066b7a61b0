//! Does the operation of a container that a parameter names, and reports how it
//! ended and after how many seconds.

use std::io::{Read, Write};
use std::time::{Duration, Instant, SystemTime};

use charmhost::prelude::*;
use charmhost::{Command, Identity, IdentityAccess, NoticeFilter, StandardStream, poll};
use serde::Deserialize;

struct Pebble;

#[derive(Deserialize)]
struct Params {
    operation: String,
}

impl Charm for Pebble {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.action("run", Self::on_run);
        Ok(Pebble)
    }
}

impl Pebble {
    fn on_run(&self, event: ActionEvent) -> Result<()> {
        let params: Params = event.params()?;
        let start = Instant::now();
        let outcome = match perform(&params.operation) {
            Ok(found) => format!("ok {found}"),
            Err(error) => format!("{:?}: {error}", error.kind()),
        };
        event.set_results(serde_json::json!({
            "seconds": start.elapsed().as_secs_f64(),
            "outcome": outcome,
        }))
    }
}

fn perform(operation: &str) -> Result<String> {
    let one = unit().container("one");
    let done = match operation {
        "can-connect" => return Ok(one.can_connect()?.to_string()),
        "system-info" => return Ok(one.system_info()?.version),
        "add-layer" => one.add_layer("a", "services: {}"),
        "plan" => one.plan().map(drop),
        "services" => one.services().map(drop),
        "checks" => one.checks().map(drop),
        "autostart" => one.autostart(),
        "replan" => one.replan(),
        "start" => one.start(["a"]),
        "stop" => one.stop(["a"]),
        "restart" => one.restart(["a"]),
        "list-files" => one.list_files("/a").map(drop),
        "make-dir" => one.make_dir("/a"),
        "remove-path" => one.remove("/a"),
        "pull" => one.pull("/a").map(drop),
        "pull-some" => pull_some(&one),
        "push" => one.push("/a", vec![b'x'; 8 << 20]),
        _ => match newer(operation, &one) {
            Some(done) => done,
            None => return command(operation, &one),
        },
    };
    done.map(|()| String::new())
}

/// What older versions of Pebble lack, and newer ones.
fn newer(operation: &str, one: &Container) -> Option<Result<()>> {
    let identity = || Identity::local("me", IdentityAccess::Admin, 0);
    let none: [(&str, &str); 0] = [];
    Some(match operation {
        "start-checks" => one.start_checks(["c"]).map(drop),
        "stop-checks" => one.stop_checks(["c"]).map(drop),
        "refresh-check" => one.refresh_check("c", Duration::from_secs(2)).map(drop),
        "metrics" => one.metrics().map(drop),
        "identities" => one.identities().map(drop),
        "replace-identities" => one.replace_identities([identity()]),
        "remove-identities" => one.remove_identities(["me"]),
        "notify" => one.notify("example.com/a", none).map(drop),
        "notice" => one.notice("1").map(drop),
        "notices" => one.notices(&NoticeFilter::new()).map(drop),
        "notices-of-all" => one.notices(&NoticeFilter::new().all_users()).map(drop),
        "warnings" => one.warnings().map(drop),
        "acknowledge" => one.all_warnings().and_then(|warnings| {
            let last = warnings.iter().map(|warning| warning.last_added).max();
            let until = last.unwrap_or(SystemTime::UNIX_EPOCH);
            one.acknowledge_warnings(until).map(drop)
        }),
        _ => return None,
    })
}

fn pull_some(one: &Container) -> Result<()> {
    let mut reader = one.open("/a")?;
    let mut buffer = vec![0; 65536];
    for _ in 0..128 {
        reader.read_exact(&mut buffer)?;
    }
    Ok(())
}

fn command(operation: &str, one: &Container) -> Result<String> {
    let sleep = one.exec(["sleep", "1000"]);
    let short = one.exec(["sleep", "1000"]).timeout(Duration::from_secs(2));
    let done = match operation {
        "exec" => sleep.start().map(drop),
        "write-input" => write(sleep, 16),
        "write-input-2s" => write(short, 16),
        "close-input" => sleep.start()?.close_stdin(),
        "read-output" => sleep.start()?.read_stdout(100).map(drop),
        "read-output-2s" => short.start()?.read_stdout(100).map(drop),
        "read-all-2s" => read_all(short),
        "read-error-output" => sleep.start()?.read_stderr(100).map(drop),
        "collect" => sleep.run().map(drop),
        "collect-2s" => short.keep(1 << 20).run().map(drop),
        "wait" => return Ok(sleep.start()?.wait()?.to_string()),
        "wait-2s" => return Ok(short.start()?.wait()?.to_string()),
        "send-signal" => signal(sleep),
        "late-wait" => return late_wait(one),
        "whole-input" => return whole_input(one),
        "much-input" => return much_input(one),
        "feed-1" => return feed(one, 1 << 20),
        "feed-64" => return feed(one, 64 << 20),
        other => Err(Error::msg(format!("there is no operation {other:?}"))),
    };
    done.map(|()| String::new())
}

fn write(command: Command, mib: usize) -> Result<()> {
    let process = command.start()?;
    for _ in 0..mib {
        process.write_all_stdin(&vec![b'x'; 1 << 20])?;
    }
    Ok(())
}

fn read_all(command: Command) -> Result<()> {
    let process = command.start()?;
    while !process.read_stdout(65536)?.is_empty() {}
    Ok(())
}

/// Signals until the daemon's buffers are full.
fn signal(command: Command) -> Result<()> {
    let process = command.start()?;
    for _ in 0..100_000 {
        process.send_signal("SIGUSR1")?;
    }
    Ok(())
}

/// The command ends at once, and is waited for long after its timeout.
fn late_wait(one: &Container) -> Result<String> {
    let command = one.exec(["sh", "-c", "exit 3"]);
    let process = command.timeout(Duration::from_millis(500)).start()?;
    std::thread::sleep(Duration::from_secs(3));
    Ok(process.wait()?.to_string())
}

/// A command that takes its input late; all of it must be counted.
fn whole_input(one: &Container) -> Result<String> {
    let process = one.exec(["sh", "-c", "sleep 14; wc -c"]).start()?;
    for number in 0..40 {
        process.write_all_stdin(&vec![b'x'; 1 << 20])?;
        if number == 0 {
            println!("writing");
            std::io::stdout().flush()?;
        }
    }
    process.close_stdin()?;
    let counted = process.read_stdout(100)?;
    let code = process.wait()?;
    Ok(format!(
        "{code} {}",
        String::from_utf8_lossy(&counted).trim()
    ))
}

/// A command that never reads its input gets as much as a call may pass.
fn much_input(one: &Container) -> Result<String> {
    let command = one.exec(["sleep", "1000"]).timeout(Duration::from_secs(2));
    let process = command.start()?;
    let chunk = vec![b'x'; 32 << 20];
    for _ in 0..20 {
        process.write_all_stdin(&chunk)?;
    }
    Ok(String::new())
}

/// A command is fed while it prints.
fn feed(one: &Container, input: usize) -> Result<String> {
    let process = one.exec(["cat"]).start()?;
    let stdout = process.subscribe(StandardStream::Stdout);
    let stdin = process.subscribe(StandardStream::Stdin);
    let chunk = vec![b'x'; 65536];
    let (mut sent, mut received) = (0, 0);
    loop {
        let sources = if sent < input {
            &[&stdout, &stdin][..]
        } else {
            &[&stdout]
        };
        for index in poll(sources, None) {
            if index == 1 {
                let left = chunk.len().min(input - sent);
                sent += process.write_stdin(&chunk[..left])?;
                if sent == input {
                    process.close_stdin()?;
                }
                continue;
            }
            match process.read_stdout(65536)?.len() {
                0 => return Ok(format!("{} {received}", process.wait()?)),
                count => received += count,
            }
        }
    }
}

charmhost::main!(Pebble);
