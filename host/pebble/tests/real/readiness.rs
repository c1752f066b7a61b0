//! Streams that are waited for together, from one task.

use std::time::{Duration, Instant};

use charmhost_pebble::{Client, Error, Exec, FileOptions, Process, TerminalSize, poll};

use crate::daemon::{no_limit, with};

const SHORT: Option<Duration> = Some(Duration::from_millis(100));

async fn start(client: &Client, script: &str) -> Process {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let exec = Exec {
        command,
        ..Exec::default()
    };
    client.exec(&exec).await.unwrap()
}

/// Feeds a command while it prints, by turns, until its output ends. Returns how
/// much it printed, and the most bytes that were under way.
async fn feed(process: &Process, input: usize) -> (usize, usize) {
    let chunk = vec![b'x'; 1 << 20];
    let mut sources = vec![process.stdout_readiness(), process.stdin_readiness()];
    let (mut sent, mut received, mut most) = (0, 0, 0);
    loop {
        for index in poll(&sources, None).await {
            if index == 1 {
                let left = chunk.len().min(input - sent);
                sent += process.write_stdin(&chunk[..left]).await.unwrap();
                most = most.max(sent - received);
                if sent == input {
                    process.close_stdin().unwrap();
                    sources.truncate(1);
                }
                continue;
            }
            let output = process.read_stdout(65536).await.unwrap();
            assert!(output.iter().all(|byte| *byte == b'x'));
            received += output.len();
            if output.is_empty() {
                return (received, most);
            }
        }
    }
}

#[test]
fn a_command_is_fed_while_it_prints() {
    with(async |_, client| {
        let mut process = start(&client, "exec cat").await;
        let (received, most) = feed(&process, 64 << 20).await;
        assert_eq!(received, 64 << 20);
        // The queues and the buffers of sockets and pipes.
        assert!(most < 8 << 20, "{most} bytes under way");
        assert_eq!(process.wait().await, Ok(0));
    });
}

#[test]
fn only_what_is_ready_is_returned_in_order() {
    with(async |_, client| {
        let silent = start(&client, "exec sleep 60").await;
        let loud = start(&client, "echo out; echo err >&2; exec sleep 60").await;
        let sources = [
            silent.stdout_readiness(),
            loud.stderr_readiness(),
            silent.stderr_readiness(),
            loud.stdout_readiness(),
        ];
        let mut ready = Vec::new();
        while ready.len() < 2 {
            ready = poll(&sources, None).await;
        }
        assert_eq!(ready, [1, 3]);
        assert_eq!(loud.read_stdout(2).await.unwrap(), "ou");
        assert_eq!(poll(&sources, None).await, [1, 3]);
        assert_eq!(loud.read_stdout(100).await.unwrap(), "t\n");
        assert_eq!(loud.read_stderr(100).await.unwrap(), "err\n");
        let began = Instant::now();
        assert!(poll(&sources, SHORT).await.is_empty());
        assert!(began.elapsed() >= SHORT.unwrap());
        assert!(poll(&sources, Some(Duration::ZERO)).await.is_empty());
        assert!(poll(&[], None).await.is_empty());
        assert!(!sources[0].is_ready().await);
        drop(silent);
        assert!(sources[0].is_ready().await);
        assert_eq!(poll(&sources, None).await, [0, 2]);
    });
}

/// A caller that never waits does not stop the tasks of its streams.
#[test]
fn asking_again_and_again_lets_streams_go_on() {
    with(async |_, client| {
        let process = start(&client, "echo out; exec sleep 60").await;
        let source = process.stdout_readiness();
        while !source.is_ready().await {}
        assert_eq!(process.read_stdout(100).await.unwrap(), "out\n");
        let writable = process.stdin_readiness();
        let both = [source.clone(), writable];
        let mut process = process;
        process.send_signal("SIGKILL").await.unwrap();
        while poll(&both, Some(Duration::ZERO)).await.len() < 2 {}
        assert!(process.read_stdout(100).await.unwrap().is_empty());
        assert_eq!(process.wait().await, Ok(137));
        assert_eq!(poll(&both, None).await, [0, 1]);
        let closed = process.write_stdin(b"x").await;
        assert!(matches!(closed, Err(Error::Closed(_))), "{closed:?}");
        let gone = process.send_signal("SIGTERM").await;
        assert!(matches!(gone, Err(Error::Closed(_))), "{gone:?}");
    });
}

/// A grandchild that holds the output open does not make it wait for ever.
#[test]
fn output_is_ready_with_the_error_after_the_timeout() {
    with(async |_, client| {
        let command = ["sh", "-c", "sleep 8 & exec sleep 60"];
        let exec = Exec {
            command: command.map(str::to_owned).to_vec(),
            timeout: Some(Duration::from_millis(200)),
            ..Exec::default()
        };
        let began = Instant::now();
        let process = client.exec(&exec).await.unwrap();
        let sources = [process.stdout_readiness()];
        assert_eq!(poll(&sources, None).await, [0]);
        let error = process.read_stdout(100).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        let error = process.write_stdin(b"x").await.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(4));
    });
}

#[test]
fn a_terminal_has_a_size_that_changes() {
    with(async |_, client| {
        let script =
            "stty size; trap 'stty size; exit 0' WINCH; echo on; while :; do sleep 0.05; done";
        let exec = Exec {
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            terminal: Some(TerminalSize {
                width: 100,
                height: 30,
            }),
            ..Exec::default()
        };
        let mut process = client.exec(&exec).await.unwrap();
        let mut output = String::new();
        while !output.contains("on\r\n") {
            let chunk = process.read_stdout(100).await.unwrap();
            output += std::str::from_utf8(&chunk).unwrap();
        }
        assert_eq!(output, "30 100\r\non\r\n");
        assert!(process.stderr_readiness().is_ready().await);
        assert!(process.read_stderr(100).await.unwrap().is_empty());
        let size = TerminalSize {
            width: 120,
            height: 40,
        };
        process.resize(size).await.unwrap();
        let left = process.collect(1000, &no_limit()).await.unwrap();
        assert_eq!(String::from_utf8(left.stdout).unwrap(), "40 120\r\n");
        assert_eq!(left.code, 0);
        let ended = process.resize(size).await;
        assert!(matches!(ended, Err(Error::Closed(_))), "{ended:?}");
        let mut plain = start(&client, "exec sleep 60").await;
        let invalid = plain.resize(size).await;
        assert!(matches!(invalid, Err(Error::Invalid(_))), "{invalid:?}");
    });
}

#[test]
fn files_are_ready_too() {
    with(async |daemon, client| {
        let path = daemon.path("file");
        let mut push = client.push(&path, &FileOptions::default()).await.unwrap();
        let writable = [push.readiness()];
        let (chunk, mut sent) = (vec![b'x'; 1 << 20], 0);
        while sent < 8 << 20 {
            assert_eq!(poll(&writable, None).await, [0]);
            let left = chunk.len().min((8 << 20) - sent);
            let count = push.write(&chunk[..left]).await.unwrap();
            assert!(count > 0);
            sent += count;
        }
        push.finish().await.unwrap();
        let pull = client.pull(&path).await.unwrap();
        let readable = [pull.readiness()];
        let mut received = 0;
        loop {
            assert_eq!(poll(&readable, None).await, [0]);
            let chunk = pull.read(1 << 20).await.unwrap();
            received += chunk.len();
            if chunk.is_empty() {
                break;
            }
        }
        assert_eq!(received, 8 << 20);
    });
}
