//! The client against a daemon that misbehaves, with a short limit of silence. The
//! black-box suite has every operation against every fault.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[allow(dead_code, reason = "the black-box suite uses all of it")]
#[path = "../../../../tests/tests/suite/fake_pebble.rs"]
mod fake_pebble;

mod old;
#[path = "../../../../tests/tests/suite/old_pebble.rs"]
mod old_pebble;

use std::time::{Duration, Instant};

use charmhost_pebble::{Client, Error, Exec, FileOptions, Process};
use fake_pebble::{FakePebble, Fault, Point, Pulled, Script};

const SILENCE: Duration = Duration::from_millis(400);

/// Runs a test against a daemon whose response to a request has a fault.
fn with<T>(target: &'static str, fault: Fault, test: impl AsyncFnOnce(Client) -> T) -> T {
    let script = Script {
        target,
        fault,
        runs: true,
        pulled: Pulled::File,
    };
    with_script(script, test)
}

fn with_script<T>(script: Script, test: impl AsyncFnOnce(Client) -> T) -> T {
    let fake = FakePebble::new(script);
    let socket = fake.charm().join("containers/one/pebble.socket");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test(Client::new(socket).with_silence(SILENCE)))
}

async fn command(client: &Client, timeout: Option<Duration>) -> Process {
    let exec = Exec {
        command: vec!["sleep".to_owned(), "1000".to_owned()],
        timeout,
        ..Exec::default()
    };
    client.exec(&exec).await.unwrap()
}

#[test]
fn the_error_for_silence_names_its_limit() {
    with(
        "GET /v1/plan",
        Fault::Stalls(Point::Before),
        async |client| {
            let start = Instant::now();
            let error = client.plan().await.unwrap_err();
            assert!(start.elapsed() >= SILENCE);
            let Error::Silent { doing, limit, .. } = &error else {
                panic!("another error: {error:?}");
            };
            assert_eq!(*limit, SILENCE);
            assert_eq!(doing, "get a response to GET /v1/plan");
        },
    );
}

#[test]
fn a_timeout_names_the_limit_of_the_command_not_the_rest_of_it() {
    let limit = Duration::from_secs(1);
    with("stdio", Fault::NoRead, async |client| {
        let process = command(&client, Some(limit)).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        let error = process.read_stdout(10).await.unwrap_err();
        assert_eq!(
            error,
            Error::Timeout {
                doing: "finish a command".to_owned(),
                limit,
                change: Some("1".to_owned()),
            }
        );
    });
}

#[test]
fn a_command_without_a_timeout_runs_while_the_daemon_responds() {
    with("stdio", Fault::NoRead, async |client| {
        let process = command(&client, None).await;
        let read = process.read_stdout(10);
        let waited = tokio::time::timeout(SILENCE * 8, read).await;
        assert!(waited.is_err(), "{waited:?}");
    });
}

/// Writes until that fails.
async fn fill(process: &Process) -> Error {
    loop {
        if let Err(error) = process.write_stdin(&[0; 65536]).await {
            return error;
        }
    }
}

#[test]
fn nothing_can_be_written_after_an_error() {
    with("stdio", Fault::NoRead, async |client| {
        let mut process = command(&client, Some(Duration::from_millis(100))).await;
        let error = fill(&process).await;
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        assert_eq!(process.write_stdin(b"more").await, Err(error.clone()));
        assert_eq!(process.close_stdin(), Ok(()));
        assert!(matches!(process.close_stdin(), Err(Error::Closed(_))));
        assert_eq!(process.wait().await, Err(error));
    });
}

#[test]
fn only_the_end_of_the_change_ends_a_write() {
    with("stdio", Fault::Stalls(Point::Before), async |client| {
        let error = fill(&command(&client, None).await).await;
        assert!(matches!(error, Error::Silent { .. }), "{error:?}");
    });
    let script = Script {
        target: "stdio",
        fault: Fault::NoRead,
        runs: false,
        pulled: Pulled::File,
    };
    with_script(script, async |client| {
        let mut process = command(&client, None).await;
        let error = fill(&process).await;
        assert!(matches!(error, Error::Closed(_)), "{error:?}");
        assert_eq!(process.wait().await, Ok(3));
        assert_eq!(process.wait().await, Ok(3));
    });
}

/// What waits for the daemon in the background must not count the time in which
/// nothing runs.
#[test]
fn a_busy_caller_is_not_a_silent_daemon() {
    with("GET /nothing", Fault::None, async |client| {
        let mut process = command(&client, None).await;
        for _ in 0..3 {
            tokio::time::sleep(SILENCE).await;
            std::thread::sleep(SILENCE * 5);
        }
        let read = tokio::time::timeout(SILENCE * 2, process.read_stdout(10));
        assert!(read.await.is_err(), "the command still runs");
        process.send_signal("SIGTERM").await.unwrap();
    });
}

#[test]
fn a_signal_to_a_command_that_has_exited_is_an_error() {
    let script = Script {
        target: "control",
        fault: Fault::Closes(Point::Before),
        runs: false,
        pulled: Pulled::File,
    };
    with_script(script, async |client| {
        let mut process = command(&client, None).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        let mut error = Ok(());
        for _ in 0..10 {
            error = process.send_signal("SIGTERM").await;
        }
        assert!(matches!(error, Err(Error::Closed(_))), "{error:?}");
    });
}

#[test]
fn a_write_to_a_stalled_daemon_fails() {
    with("POST /v1/files", Fault::NoRead, async |client| {
        let mut push = client.push("/a", &FileOptions::default()).await.unwrap();
        let error = loop {
            if let Err(error) = push.write(&[0; 65536]).await {
                break error;
            }
        };
        assert!(matches!(error, Error::Silent { .. }), "{error:?}");
        assert_eq!(push.write(b"more").await, Err(error.clone()));
        assert_eq!(push.finish().await, Err(error));
    });
}

#[test]
fn a_writer_that_waits_for_its_caller_is_not_silent() {
    with("GET /nothing", Fault::None, async |client| {
        let mut push = client.push("/a", &FileOptions::default()).await.unwrap();
        for _ in 0..2 {
            tokio::time::sleep(SILENCE * 3).await;
            assert_eq!(push.write(b"some").await, Ok(4));
            std::thread::sleep(SILENCE * 3);
        }
        assert_eq!(push.finish().await, Ok(()));
    });
}

#[test]
fn headers_and_results_of_a_file_are_limited() {
    for pulled in [Pulled::EndlessPartHeader, Pulled::EndlessResults] {
        let script = Script {
            target: "GET /nothing",
            fault: Fault::None,
            runs: false,
            pulled,
        };
        with_script(script, async |client| {
            let read = async {
                let pull = client.pull("/a").await?;
                while !pull.read(65536).await?.is_empty() {}
                Ok(())
            };
            let error: Error = read.await.unwrap_err();
            assert!(matches!(error, Error::Protocol(_)), "{error:?}");
            assert!(error.to_string().contains("longer than"), "{error}");
        });
    }
}
