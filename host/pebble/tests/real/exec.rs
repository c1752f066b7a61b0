use std::sync::Arc;
use std::time::{Duration, Instant};

use charmhost_pebble::{Budget, Client, Collected, Error, Exec, Process};

use crate::daemon::{Limit, error_response, no_limit, with};

fn sh(script: &str) -> Exec {
    Exec {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        ..Exec::default()
    }
}

async fn write_all(process: &Process, mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        bytes = &bytes[process.write_stdin(bytes).await?..];
    }
    Ok(())
}

async fn start(client: &Client, script: &str) -> Process {
    client.exec(&sh(script)).await.unwrap()
}

async fn collect(client: &Client, exec: &Exec) -> Result<Collected, Error> {
    client.exec(exec).await?.collect(1 << 30, &no_limit()).await
}

#[test]
fn a_command_returns_its_code_and_both_outputs() {
    with(async |_, client| {
        let left = collect(&client, &sh("echo out; echo err >&2; exit 3"))
            .await
            .unwrap();
        assert_eq!(left.code, 3);
        assert_eq!(
            (left.stdout, left.stderr),
            (b"out\n".to_vec(), b"err\n".to_vec())
        );
        let combined = Exec {
            combine_stderr: true,
            ..sh("echo out; echo err >&2")
        };
        let left = collect(&client, &combined).await.unwrap();
        assert_eq!(
            (left.stdout, left.stderr),
            (b"out\nerr\n".to_vec(), Vec::new())
        );
        let left = collect(&client, &sh("kill -9 $$")).await.unwrap();
        assert_eq!(left.code, 137);
    });
}

#[test]
fn environment_directory_and_user_are_set() {
    with(async |daemon, client| {
        let exec = Exec {
            environment: vec![("K".to_owned(), "v w".to_owned())],
            working_dir: Some(daemon.path("")),
            ..sh("echo \"$K\"; pwd")
        };
        let left = collect(&client, &exec).await.unwrap();
        let text = String::from_utf8(left.stdout).unwrap();
        assert_eq!(
            text,
            format!("v w\n{}\n", daemon.path("").trim_end_matches('/'))
        );
    });
}

#[test]
fn input_is_streamed_until_the_command_ends() {
    with(async |_, client| {
        let mut process = start(&client, "wc -c").await;
        for _ in 0..100 {
            write_all(&process, &[b'x'; 65536]).await.unwrap();
        }
        let left = process.collect(100, &no_limit()).await.unwrap();
        assert_eq!(left.stdout.trim_ascii(), b"6553600");
        let exec = Exec {
            input: Some(vec![b'x'; 3_000_000].into()),
            ..sh("cat")
        };
        let left = collect(&client, &exec).await.unwrap();
        assert_eq!(left.stdout.len(), 3_000_000);
        let mut process = start(&client, "exec true").await;
        let error = loop {
            if let Err(error) = process.write_stdin(&[b'x'; 65536]).await {
                break error;
            }
        };
        assert!(matches!(error, Error::Closed(_)), "{error:?}");
        assert_eq!(process.wait().await, Ok(0));
    });
}

#[test]
fn unread_output_does_not_block_the_exit() {
    with(async |_, client| {
        let much = "head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2; exit 5";
        assert_eq!(start(&client, much).await.wait().await.unwrap(), 5);
        let left = start(&client, much)
            .await
            .collect(1000, &no_limit())
            .await
            .unwrap();
        assert_eq!(
            (
                left.code,
                left.stdout.len(),
                left.stderr.len(),
                left.stdout_truncated && left.stderr_truncated
            ),
            (5, 1000, 1000, true)
        );
    });
}

#[test]
fn output_that_is_collected_counts_against_the_budget() {
    with(async |_, client| {
        let printed = "head -c 500000 /dev/zero; head -c 500000 /dev/zero >&2";
        let budget = Limit::of(800_000);
        let mut process = start(&client, printed).await;
        let error = process
            .collect(1 << 20, &(budget.clone() as Arc<dyn Budget>))
            .await
            .unwrap_err();
        assert_eq!(error, Error::Memory("the limit of the test".to_owned()));
        assert_eq!(budget.held(), 0);
        let left = start(&client, printed)
            .await
            .collect(300_000, &(budget.clone() as Arc<dyn Budget>))
            .await;
        assert_eq!(left.unwrap().stdout.len(), 300_000);
        assert_eq!(budget.held(), 0);
    });
}

#[test]
fn input_and_output_alternate() {
    with(async |_, client| {
        let mut process = start(&client, "while read line; do echo \"got $line\"; done").await;
        for word in ["one", "two"] {
            write_all(&process, format!("{word}\n").as_bytes())
                .await
                .unwrap();
            let answer = process.read_stdout(100).await.unwrap();
            assert_eq!(answer, format!("got {word}\n"));
        }
        process.close_stdin().unwrap();
        assert!(process.read_stdout(100).await.unwrap().is_empty());
        assert!(process.read_stderr(100).await.unwrap().is_empty());
        assert_eq!(process.wait().await.unwrap(), 0);
    });
}

#[test]
fn signals_arrive() {
    with(async |_, client| {
        let mut process = start(
            &client,
            "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done",
        )
        .await;
        assert_eq!(process.read_stdout(100).await.unwrap(), "ready\n");
        process.send_signal("SIGTERM").await.unwrap();
        assert_eq!(process.wait().await.unwrap(), 42);
    });
}

#[test]
fn a_command_is_killed_after_its_timeout() {
    with(async |_, client| {
        for script in ["exec sleep 60", "sleep 8 & exec sleep 60"] {
            let started = Instant::now();
            let exec = Exec {
                timeout: Some(Duration::from_millis(200)),
                ..sh(script)
            };
            let error = client.exec(&exec).await.unwrap().wait().await.unwrap_err();
            assert!(
                matches!(error, Error::Timeout { .. }),
                "{script}: {error:?}"
            );
            assert!(started.elapsed() < Duration::from_secs(4), "{script}");
            let error = collect(&client, &exec).await.unwrap_err();
            assert!(
                matches!(error, Error::Timeout { .. }),
                "{script}: {error:?}"
            );
        }
    });
}

#[test]
fn a_command_is_killed_when_its_handle_is_dropped() {
    with(async |daemon, client| {
        let file = daemon.path("pid");
        let process = start(
            &client,
            &format!("echo $$ > {file}; echo ready; exec sleep 60"),
        )
        .await;
        process.read_stdout(100).await.unwrap();
        let pid = std::fs::read_to_string(&file).unwrap();
        drop(process);
        let proc = format!("/proc/{}/stat", pid.trim());
        let end = Instant::now() + Duration::from_secs(5);
        let alive =
            |path: &str| std::fs::read_to_string(path).is_ok_and(|stat| !stat.contains(") Z "));
        while alive(&proc) {
            assert!(Instant::now() < end, "it still runs");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn commands_that_cannot_run_have_an_error() {
    with(async |_, client| {
        let exec = Exec {
            command: vec!["no-such-program".to_owned()],
            ..Exec::default()
        };
        let (status, message) = error_response(client.exec(&exec).await.map(drop));
        assert_eq!(status, 400);
        assert!(
            message.contains("cannot find executable \"no-such-program\""),
            "{message}"
        );
        let exec = Exec {
            user: Some("nobody-of-that-name".to_owned()),
            ..sh("true")
        };
        assert_eq!(error_response(client.exec(&exec).await.map(drop)).0, 400);
        let exec = Exec {
            working_dir: Some("/nowhere".to_owned()),
            ..sh("true")
        };
        assert_eq!(error_response(client.exec(&exec).await.map(drop)).0, 500);
        assert!(matches!(
            client.exec(&Exec::default()).await.map(drop),
            Err(Error::Invalid(_))
        ));
    });
}

#[test]
fn incomplete_output_is_an_error() {
    with(async |daemon, client| {
        let process = start(&client, "echo begun; exec sleep 60").await;
        assert_eq!(process.read_stdout(100).await.unwrap(), "begun\n");
        daemon.stop();
        let error = process.read_stdout(100).await.unwrap_err();
        assert!(matches!(error, Error::NotReady { .. }), "{error:?}");
    });
}
