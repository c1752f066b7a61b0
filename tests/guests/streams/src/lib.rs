//! Uses everything that can block in a container, and returns results of actions.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use charmhost::prelude::*;
use charmhost::{Connection, Direction, NoticeFilter, Process, StandardStream, poll, serde_json};
use serde::Deserialize;

struct Streams;

impl Charm for Streams {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.action("readiness", Self::on_readiness);
        on.action("commands", Self::on_commands);
        on.action("terminal", Self::on_terminal);
        on.action("command-errors", Self::on_command_errors);
        on.action("files", Self::on_files);
        on.action("logs", Self::on_logs);
        on.action("notices", Self::on_notices);
        on.action("socket", Self::on_socket);
        on.action("socket-limit", Self::on_socket_limit);
        on.action("exec", Self::on_exec);
        Ok(Streams)
    }
}

fn one() -> Container {
    unit().container("one")
}

fn sh(script: &str) -> Result<Process> {
    one().exec(["sh", "-c", script]).start()
}

/// The kind of an error, with its code.
fn kind<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => "no error".to_owned(),
        Err(error) => match error.code() {
            Some(code) => format!("{:?} {code}", error.kind()),
            None => format!("{:?}", error.kind()),
        },
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

const SHORT: Option<Duration> = Some(Duration::from_millis(100));
const LONG: Option<Duration> = Some(Duration::from_secs(20));

impl Streams {
    fn on_readiness(&self, event: ActionEvent) -> Result<()> {
        let silent = sh("exec sleep 60")?;
        let loud = sh("echo out; echo err >&2; exec sleep 60")?;
        let nothing = silent.subscribe(StandardStream::Stdout);
        let errors = loud.subscribe(StandardStream::Stderr);
        let output = loud.subscribe(StandardStream::Stdout);
        let sources = [&nothing, &errors, &output];
        let mut ready = Vec::new();
        while ready.len() < 2 {
            ready = poll(&sources, LONG);
        }
        loud.read_stdout(100)?;
        let left = poll(&sources, None);
        loud.read_stderr(100)?;
        let began = Instant::now();
        let late = poll(&sources, SHORT);
        let waited = began.elapsed() >= Duration::from_millis(100);
        let now = poll(&sources, Some(Duration::ZERO));
        let is_ready = nothing.is_ready();
        drop(silent);
        event.set_results(json!({
            "ready": format!("{ready:?}"),
            "left": format!("{left:?}"),
            "late": format!("{late:?} {waited}"),
            "now": format!("{now:?}"),
            "empty": format!("{:?}", poll(&[], None)),
            "before": is_ready,
            "dropped": nothing.is_ready(),
        }))
    }

    fn on_commands(&self, event: ActionEvent) -> Result<()> {
        let mut talk = sh("while read line; do echo got $line; done; exit 5")?;
        let change = talk.change_id();
        talk.write_all(b"one\n")?;
        let mut answer = [0; 8];
        talk.read_exact(&mut answer)?;
        talk.close_stdin()?;
        let stopped = sh("trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done")?;
        stopped.read_stdout(10)?;
        stopped.send_signal("SIGTERM")?;
        let output = sh("echo out; echo err >&2; exit 3")?.wait_output(3)?;
        let combined = one()
            .exec(["sh", "-c", "echo out; echo err >&2"])
            .combine_stderr()
            .start()?;
        let stderr = combined.subscribe(StandardStream::Stderr).is_ready();
        event.set_results(json!({
            "change": change == one().change(&change)?.id,
            "answer": text(answer.to_vec()),
            "exit": format!("{} {}", talk.wait()?, talk.wait()?),
            "end": talk.read_stdout(1)?.is_empty(),
            "signal": stopped.wait()?,
            "output": format!(
                "{} {} {} {} {}",
                output.exit_code,
                text(output.stdout),
                output.stdout_truncated,
                text(output.stderr),
                output.stderr_truncated
            ),
            "combined": format!("{stderr} {:?}", combined.read_stderr(1)?),
        }))
    }

    fn on_terminal(&self, event: ActionEvent) -> Result<()> {
        let script =
            "stty size; trap 'stty size; exit 0' WINCH; echo on; while :; do sleep 0.05; done";
        let process = one().exec(["sh", "-c", script]).terminal(100, 30).start()?;
        let mut output = String::new();
        while !output.contains("on\r\n") {
            output += &text(process.read_stdout(100)?);
        }
        process.resize(120, 40)?;
        let left = process.wait_output(100)?;
        event.set_results(json!({
            "before": output.replace("\r\n", "|"),
            "after": text(left.stdout).replace("\r\n", "|"),
            "ended": kind(process.resize(1, 1)),
            "none": kind(sh("exec sleep 60")?.resize(1, 1)),
        }))
    }

    fn on_command_errors(&self, event: ActionEvent) -> Result<()> {
        let timed = |script: &str| {
            let command = one().exec(["sh", "-c", script]);
            command.timeout(Duration::from_millis(200)).start()
        };
        // The grandchild holds the output open.
        let held = timed("sleep 20 & exec sleep 60")?;
        let ready = poll(&[&held.subscribe(StandardStream::Stdout)], LONG);
        let ended = sh("exit 0")?;
        ended.wait()?;
        let closed = sh("exec sleep 60")?;
        closed.close_stdin()?;
        let large = sh("head -c 3000000 /dev/zero; head -c 100000000 /dev/zero >&2")?;
        let program = one().exec(["no-such-program"]).start().map(drop);
        let empty = one().exec(Vec::<String>::new()).start().map(drop);
        let user = one().exec(["true"]).user("nobody-of-that-name").start();
        let gone = unit().container("two").exec(["true"]).start();
        let unknown = unit().container("three").exec(["true"]).start();
        let negative = one().exec(["sh"]).working_dir("/nowhere").start();
        event.set_results(json!({
            "ready": format!("{ready:?}"),
            "held": kind(held.read_stdout(1)),
            "held-errors": kind(held.read_stderr(1)),
            "held-input": kind(held.write_stdin(b"x")),
            "held-wait": kind(held.wait()),
            "held-output": kind(timed("exec sleep 60")?.wait_output(1)),
            "ended-input": kind(ended.write_stdin(b"x")),
            "ended-signal": kind(ended.send_signal("SIGTERM")),
            "closed-input": kind(closed.write_stdin(b"x")),
            "closed": kind(closed.close_stdin()),
            "nothing": kind(closed.read_stdout(0)),
            "memory": kind(large.wait_output(u32::MAX)),
            "program": kind(program),
            "empty": kind(empty),
            "user": kind(user.map(drop)),
            "gone": kind(gone.map(drop)),
            "unknown": kind(unknown.map(drop)),
            "directory": kind(negative.map(drop)),
        }))
    }

    fn on_files(&self, event: ActionEvent) -> Result<()> {
        let chunk = vec![b'x'; 1 << 20];
        let mut writer = one().create("/srv/large", &FileOptions::new())?;
        let writable = writer.subscribe();
        let mut sent = 0;
        while sent < 8 << 20 {
            poll(&[&writable], None);
            let left = chunk.len().min((8 << 20) - sent);
            sent += writer.write_some(&chunk[..left])?;
        }
        writer.flush()?;
        writer.close()?;
        let reader = one().open("/srv/large")?;
        let readable = reader.subscribe();
        let mut received = 0;
        while poll(&[&readable], LONG) == [0] {
            match reader.read_some(65536)?.len() {
                0 => break,
                count => received += count,
            }
        }
        let directory = one().create("/srv", &FileOptions::new())?;
        directory.write_some(b"x")?;
        event.set_results(json!({
            "received": received,
            "nothing": kind(reader.read_some(0)),
            "directory": kind(directory.close()),
            "relative": kind(one().create("srv", &FileOptions::new()).map(drop)),
            "missing": kind(one().open("/srv/missing").map(drop)),
        }))
    }

    fn on_logs(&self, event: ActionEvent) -> Result<()> {
        let layer = "services:\n  a: {override: replace, startup: enabled, command: \"sh -c 'echo one; echo two; sleep 2; echo three; exec sleep 60'\"}\n  b: {override: replace, startup: enabled, command: \"sh -c 'echo other; exec sleep 60'\"}\n";
        one().add_layer("all", layer)?;
        one().replan()?;
        let messages = |entries: Vec<charmhost::LogEntry>| -> Vec<String> {
            entries.into_iter().map(|entry| entry.message).collect()
        };
        let follower = one().logs().service("a").last(1).follow().open()?;
        let ready = follower.subscribe();
        poll(&[&ready], None);
        let first = messages(follower.read(10)?);
        let early = poll(&[&ready], SHORT);
        poll(&[&ready], None);
        let second = messages(follower.read(10)?);
        let all = one().logs().read()?;
        let in_order = all.is_sorted_by_key(|entry| entry.time);
        event.set_results(json!({
            "first": first.join(","),
            "early": format!("{early:?}"),
            "second": second.join(","),
            "all": format!("{} {in_order}", all.len()),
            "last": messages(one().logs().last(1).read()?).join(","),
            "none": one().logs().last(0).read()?.len(),
            "nothing": kind(follower.read(0)),
            "gone": kind(unit().container("two").logs().follow().open().map(drop)),
            "unknown": kind(unit().container("three").logs().open().map(drop)),
        }))
    }

    fn on_notices(&self, event: ActionEvent) -> Result<()> {
        let notify = |name: &str| one().notify(&format!("example.com/{name}"), [("k", "v")]);
        notify("before")?;
        let all = one().watch_notices(&NoticeFilter::new().kinds(["custom"]))?;
        let some = one().watch_notices(&NoticeFilter::new().keys(["example.com/b"]))?;
        let (of_all, of_some) = (all.subscribe(), some.subscribe());
        let early = poll(&[&of_all, &of_some], SHORT);
        let mut keys = Vec::new();
        for name in ["a", "b", "a"] {
            notify(name)?;
            poll(&[&of_all], None);
            keys.extend(all.read()?.into_iter().map(|notice| notice.key));
        }
        let one_of_them = some.read()?;
        let both = NoticeFilter::new().all_users().user_id(0);
        let missing = unit().container("two").watch_notices(&NoticeFilter::new());
        event.set_results(json!({
            "early": format!("{early:?}"),
            "keys": keys.join(","),
            "some": format!("{} {}", one_of_them.len(), one_of_them[0].last_data["k"]),
            "both": kind(one().watch_notices(&both).map(drop)),
            "gone": kind(missing.map(drop)),
        }))
    }

    /// What the reference on Python ops does too.
    fn on_exec(&self, event: ActionEvent) -> Result<()> {
        let params: Params = event.params()?;
        event.set_results(match params.way.as_str() {
            "fed" => fed()?,
            "signal" => signalled("SIGTERM")?,
            "kill" => signalled("SIGKILL")?,
            "timeout" => timed()?,
            "unread-input" => {
                let command = one().exec(["sh", "-c", "exec <&-; echo done"]);
                let output = command.stdin(vec![b'x'; 4096]).run()?;
                json!({"output": output.stdout_text(), "exit-code": output.exit_code})
            }
            "by-lines" => by_lines()?,
            other => return Err(Error::msg(format!("there is no way {other:?}"))),
        })
    }

    fn on_socket(&self, event: ActionEvent) -> Result<()> {
        let connection = one().connect(LONG)?;
        let readable = connection.subscribe(Direction::Reading);
        let early = poll(&[&readable], SHORT);
        let late = kind(connection.read_some(10, SHORT));
        let writable = connection.subscribe(Direction::Writing).is_ready();
        request(&connection, "/v1/system-info")?;
        let ready = poll(&[&readable], None);
        let answer = text(read_all(&connection)?);
        connection.finish()?;
        event.set_results(json!({
            "early": format!("{early:?} {late} {writable}"),
            "ready": format!("{ready:?}"),
            "answer": answer.lines().next().unwrap_or_default(),
            "body": answer.contains("boot-id"),
            "finished": kind(connection.finish()),
            "written": kind(connection.write_some(b"x", None)),
            "gone": kind(unit().container("two").connect(None).map(drop)),
            "unknown": kind(unit().container("three").connect(None).map(drop)),
        }))
    }

    fn on_socket_limit(&self, event: ActionEvent) -> Result<()> {
        one().push("/srv/large", vec![b'x'; 3 << 20])?;
        let path = "/v1/files?action=read&path=/srv/large";
        let (first, second) = (one().connect(None)?, one().connect(None)?);
        request(&first, path)?;
        // Waits elsewhere, while the host reads.
        std::thread::sleep(Duration::from_secs(2));
        request(&second, path)?;
        let failed = second.subscribe(Direction::Writing);
        poll(&[&failed], None);
        std::thread::sleep(Duration::from_secs(2));
        let error = read_all(&second).err();
        let message = error.as_ref().map(ToString::to_string);
        event.set_results(json!({
            "second": kind(error.map_or(Ok(()), Err)),
            "message": message.unwrap_or_default(),
            "written": kind(second.write_some(b"x", None)),
            "first": read_all(&first)?.len() > 3 << 20,
        }))
    }
}

#[derive(Deserialize)]
struct Params {
    way: String,
}

/// A command that prints as much as it reads, more than any buffer holds.
fn fed() -> Result<serde_json::Value> {
    let process = one().exec(["cat"]).start()?;
    let stdout = process.subscribe(StandardStream::Stdout);
    let stdin = process.subscribe(StandardStream::Stdin);
    let input = vec![b'x'; 8 << 20];
    let (mut rest, mut received) = (&input[..], 0);
    loop {
        let sources = if rest.is_empty() {
            &[&stdout][..]
        } else {
            &[&stdout, &stdin]
        };
        for index in poll(sources, None) {
            if index == 1 {
                let chunk = &rest[..rest.len().min(65536)];
                rest = &rest[process.write_stdin(chunk)?..];
                if rest.is_empty() {
                    process.close_stdin()?;
                }
                continue;
            }
            match process.read_stdout(65536)?.len() {
                0 => return Ok(json!({"received": received, "exit-code": process.wait()?})),
                count => received += count,
            }
        }
    }
}

fn signalled(signal: &str) -> Result<serde_json::Value> {
    let process = sh("trap 'echo caught; exit 42' TERM; echo ready; while :; do sleep 0.05; done")?;
    let ready = process.read_stdout(100)?;
    process.send_signal(signal)?;
    let output = process.wait_output(100)?;
    Ok(json!({
        "ready": text(ready),
        "output": output.stdout_text(),
        "exit-code": output.exit_code,
    }))
}

fn timed() -> Result<serde_json::Value> {
    let command = one().exec(["sleep", "60"]);
    let waited = command.timeout(Duration::from_millis(200)).start()?.wait();
    Ok(json!({"fails": waited.is_err()}))
}

/// A command that answers each line before it gets the next.
fn by_lines() -> Result<serde_json::Value> {
    let mut process = sh("while read line; do echo got $line; done; exit 3")?;
    let mut answers = String::new();
    for word in ["one", "two"] {
        process.write_all(format!("{word}\n").as_bytes())?;
        answers += &text(process.read_stdout(100)?);
    }
    let output = process.wait_output(100)?;
    Ok(json!({
        "answers": answers,
        "exit-code": output.exit_code,
    }))
}

fn request(connection: &Connection, path: &str) -> Result<()> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nAccept: multipart/form-data\r\nConnection: close\r\n\r\n"
    );
    let mut rest = request.as_bytes();
    while !rest.is_empty() {
        rest = &rest[connection.write_some(rest, LONG)?..];
    }
    Ok(())
}

fn read_all(connection: &Connection) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let chunk = connection.read_some(65536, LONG)?;
        if chunk.is_empty() {
            return Ok(all);
        }
        all.extend(chunk);
    }
}

charmhost::main!(Streams);
