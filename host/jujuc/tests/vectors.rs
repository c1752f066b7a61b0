//! Bytes captured between Go's own client and server, and between those of
//! Juju 4.1 (the `r` files): a line is what one side sent, `>` the client and
//! `<` the server, until the other spoke; `# run` begins another connection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use charmhost_jujuc::{Call, Connection, Error, Reply, Request, serve_connection};

/// What one side sent before the other spoke again.
type Turn = (Vec<u8>, Vec<u8>);

struct Vector {
    name: String,
    turns: Vec<Turn>,
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    text.as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// Every connection of every file.
fn vectors() -> Vec<Vector> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut vectors: Vec<Vector> = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let mut turns: Vec<Turn> = Vec::new();
        let mut run = 0;
        let mut flush = |turns: &mut Vec<Turn>| {
            if !turns.is_empty() {
                run += 1;
                vectors.push(Vector {
                    name: format!("{stem}/{run}"),
                    turns: std::mem::take(turns),
                });
            }
        };
        for line in text.lines() {
            match line.split_at(2) {
                ("> ", hex) => turns.push((unhex(hex), Vec::new())),
                ("< ", hex) => turns.last_mut().unwrap().1 = unhex(hex),
                _ => flush(&mut turns),
            }
        }
        flush(&mut turns);
    }
    assert_eq!(vectors.len(), 17 + 2 + 1 + 4);
    vectors
}

/// What a server understands of a client's bytes.
fn requests(vector: &Vector) -> Vec<Request> {
    let (mut client, server) = UnixStream::pair().unwrap();
    let bytes: Vec<u8> = vector
        .turns
        .iter()
        .flat_map(|turn| turn.0.clone())
        .collect();
    let writer = thread::spawn(move || {
        client.write_all(&bytes).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
    });
    let mut seen = Vec::new();
    serve_connection(server, |request| {
        seen.push(request);
        Ok(Reply::default())
    })
    .unwrap();
    writer.join().unwrap();
    seen
}

/// Repeats the calls against a peer that plays back what the server sent.
/// Gives what the client saw and what it sent in each turn.
fn replay(vector: &Vector, requests: &[Request]) -> (Vec<Result<Reply, Error>>, Vec<Vec<u8>>) {
    let (client, mut server) = UnixStream::pair().unwrap();
    let turns = vector.turns.clone();
    let peer = thread::spawn(move || {
        let mut sent = Vec::new();
        for (_, answer) in turns {
            let mut buffer = vec![0; 1 << 17];
            let mut got = server.read(&mut buffer).unwrap();
            // A call is one write, but a long one arrives in pieces.
            server
                .set_read_timeout(Some(std::time::Duration::from_millis(20)))
                .unwrap();
            while let Ok(more @ 1..) = server.read(&mut buffer[got..]) {
                got += more;
            }
            server.set_read_timeout(None).unwrap();
            sent.push(buffer[..got].to_vec());
            server.write_all(&answer).unwrap();
        }
        sent
    });
    let mut connection = Connection::over(client);
    let results = requests
        .iter()
        .map(|request| {
            connection.call(&Call {
                context_id: &request.context_id,
                dir: &request.dir,
                tool: &request.tool,
                args: &request.args,
                stdin: request.stdin.as_deref(),
            })
        })
        .collect();
    drop(connection);
    (results, peer.join().unwrap())
}

/// What our server sends in answer to a client's bytes.
fn served(vector: &Vector, answers: &[Result<Reply, String>]) -> Vec<u8> {
    let (mut client, server) = UnixStream::pair().unwrap();
    let bytes: Vec<u8> = vector
        .turns
        .iter()
        .flat_map(|turn| turn.0.clone())
        .collect();
    let peer = thread::spawn(move || {
        let mut reader = client.try_clone().unwrap();
        let writer = thread::spawn(move || {
            client.write_all(&bytes).unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        writer.join().unwrap();
        got
    });
    let mut answers = answers.iter().cloned();
    serve_connection(server, |_| answers.next().unwrap()).unwrap();
    peer.join().unwrap()
}

fn ok(stdout: &str) -> Result<Reply, String> {
    Ok(Reply {
        stdout: stdout.as_bytes().to_vec(),
        ..Reply::default()
    })
}

fn failed(code: i32, stderr: &str) -> Result<Reply, String> {
    Ok(Reply {
        code,
        stderr: stderr.as_bytes().to_vec(),
        ..Reply::default()
    })
}

fn refused(message: &str) -> Result<Reply, String> {
    Err(message.to_owned())
}

/// What the client saw when each connection was captured.
fn expected(name: &str) -> Vec<Result<Reply, String>> {
    const STDIN: &str = "hook tool requires stdin, none supplied";
    const STATUS: &str =
        "ERROR invalid status \"foo\", expected one of [maintenance blocked waiting active]\n";
    match name {
        "01-ok-json-tokenfield/1" | "02-ok-json-notoken/1" => vec![ok("{\"port\":8080}\n")],
        "03-notoken-client-token-server/1" | "04-token-client-notoken-server/1" => {
            vec![ok("True\n")]
        }
        "05-no-args/1" => vec![ok("")],
        "06-three-calls-one-connection/1" => {
            vec![ok("true\n"), ok("[\"db:7\",\"db:9\"]\n"), ok("")]
        }
        "07-no-stdin-then-stdin/1" => vec![refused(STDIN), ok("")],
        "08-stdin-set-but-empty/1" | "09-stdin-upfront/1" => vec![ok("")],
        "10-exit-1-stderr/1" => vec![failed(1, "ERROR permission denied\n")],
        "11-exit-2-usage/1" => vec![failed(2, STATUS)],
        "12-bad-request-context/1" => vec![refused("bad request: wrong context ID; got \"nope\"")],
        "13-error-then-ok/1" => {
            vec![
                refused("bad request: unknown command: leader-get"),
                ok("True\n"),
            ]
        }
        "15-utf8-and-empty-args/1" => vec![ok("")],
        "17-large-stdin/1" => vec![ok("40000\n")],
        "r1-real-juju-4.1-relation-get/1" => {
            vec![ok("{\"host\":\"10.0.0.9\",\"port\":\"3306\"}\n")]
        }
        "r1-real-juju-4.1-relation-get/2" => {
            vec![ok(
                "{\"message\":\"ready\",\"status\":\"active\",\"status-data\":{}}\n",
            )]
        }
        "r2-real-juju-4.1-relation-set-stdin/1" => vec![refused(STDIN), ok("")],
        "r3-real-juju-4.1-errors/1" => vec![failed(2, STATUS)],
        "r3-real-juju-4.1-errors/2" => {
            vec![failed(
                1,
                "ERROR secret \"cd88u16ffbaql5kgmlh0\" not found\n",
            )]
        }
        "r3-real-juju-4.1-errors/3" => vec![refused("bad request: unknown command: leader-get")],
        "r3-real-juju-4.1-errors/4" => vec![refused("bad request: wrong context ID; got \"nope\"")],
        _ => panic!("{name} has no expectation"),
    }
}

#[test]
fn the_client_sends_what_gos_client_sends_and_understands_its_server() {
    let mut compared = 0;
    for vector in vectors() {
        if vector.name.starts_with("16-") {
            continue; // It calls a method that our client never does.
        }
        let requests = requests(&vector);
        let (results, sent) = replay(&vector, &requests);
        let results: Vec<Result<Reply, String>> = results
            .into_iter()
            .map(|result| {
                result.map_err(|error| match error {
                    Error::Rpc { message, .. } => message,
                    other => panic!("{}: {other}", vector.name),
                })
            })
            .collect();
        if vector.name.starts_with("14-") {
            let reply = results[0].as_ref().unwrap();
            assert_eq!(
                (reply.code, reply.stdout.len(), reply.stderr.len()),
                (300, 70_000, 0)
            );
        } else {
            assert_eq!(results, expected(&vector.name), "{}", vector.name);
        }
        // Clients of Juju before 4.0 describe one more field, the token.
        let captured: Vec<Vec<u8>> = vector.turns.iter().map(|turn| turn.0.clone()).collect();
        if !captured[0].windows(5).any(|bytes| bytes == b"Token") {
            compared += 1;
            assert_eq!(sent, captured, "{}", vector.name);
        }
    }
    assert_eq!(compared, 9, "connections whose every byte was compared");
}

#[test]
fn the_server_understands_gos_clients() {
    let find = |prefix: &str| {
        let vector = vectors()
            .into_iter()
            .find(|v| v.name.starts_with(prefix))
            .unwrap();
        requests(&vector).remove(0)
    };
    let request = find("02-");
    assert_eq!(request.tool, "config-get");
    assert_eq!(request.args, ["--format=json"]);
    assert_eq!(request.dir, "/var/lib/juju/agents/unit-wordpress-0/charm");
    assert_eq!((request.stdin, request.token), (None, None));
    assert!(find("04-").token.is_some());
    assert_eq!(find("08-").stdin, Some(Vec::new()));
    assert_eq!(find("17-").stdin.unwrap().len(), 40_000);
    assert!(find("15-").args.contains(&String::new()));
}

#[test]
fn the_server_sends_what_gos_server_sends() {
    for vector in vectors() {
        let answers = match vector.name.as_str() {
            "16-bad-method/1" => Vec::new(),
            name if name.starts_with("14-") => {
                let requests = requests(&vector);
                let (results, _) = replay(&vector, &requests);
                results
                    .into_iter()
                    .map(|result| result.map_err(|e| e.to_string()))
                    .collect()
            }
            name => expected(name),
        };
        let captured: Vec<u8> = vector
            .turns
            .iter()
            .flat_map(|turn| turn.1.clone())
            .collect();
        // The last runs come from a server whose process had given its first
        // ids away on other connections.
        if !["r3-real-juju-4.1-errors/3", "r3-real-juju-4.1-errors/4"].contains(&&*vector.name) {
            assert_eq!(served(&vector, &answers), captured, "{}", vector.name);
        }
    }
}

/// Calls against a peer that answers with these bytes and closes.
fn call_against(answer: Vec<u8>) -> Result<Reply, Error> {
    let (client, mut server) = UnixStream::pair().unwrap();
    let peer = thread::spawn(move || {
        let mut buffer = [0; 4096];
        let _ = server.read(&mut buffer);
        let _ = server.write_all(&answer);
    });
    let args = ["--format=json".to_owned()];
    let call = Call {
        context_id: "c",
        dir: "/",
        tool: "config-get",
        args: &args,
        stdin: None,
    };
    let result = Connection::over(client).call(&call);
    peer.join().unwrap();
    result
}

#[test]
fn a_cut_answer_says_that_the_agent_closed_the_connection() {
    let vector = vectors()
        .into_iter()
        .find(|v| v.name.starts_with("02-"))
        .unwrap();
    let answer = &vector.turns[0].1;
    for length in 0..answer.len() {
        let error = call_against(answer[..length].to_vec()).unwrap_err();
        assert!(matches!(error, Error::Closed { .. }), "{length}: {error}");
        assert!(error.after_send());
        assert_eq!(
            error.to_string(),
            "cannot finish config-get: the Juju agent closed the connection before it answered"
        );
    }
}

#[test]
fn a_damaged_answer_never_panics_and_never_hangs() {
    for prefix in ["02-", "10-", "13-"] {
        let vector = vectors()
            .into_iter()
            .find(|v| v.name.starts_with(prefix))
            .unwrap();
        let answer = &vector.turns[0].1;
        for position in 0..answer.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = answer.clone();
                damaged[position] ^= flip;
                // Any outcome is fine that is one.
                let _ = call_against(damaged);
            }
        }
    }
}

#[test]
fn garbage_is_told_as_such() {
    for (answer, wanted) in [
        (&b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"[..], "cannot understand the Juju agent's answer"),
        (&[0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], "is too long"),
        (&[0x05, 0xff, 0x80, 0x01, 0x02, 0x03][..], "type 64 is no struct that was defined"),
        (&[0x80; 16][..], "is not a number"),
    ] {
        let error = call_against(answer.to_vec()).unwrap_err();
        assert!(error.to_string().contains(wanted), "{answer:x?}: {error}");
        assert!(error.after_send());
    }
}

#[test]
fn types_without_end_are_refused() {
    let definition = b"\x16\xff\x83\x02\x01\x01\x08[]string\x01\xff\x84\x00\x01\x0c\x00\x00";
    let error = call_against(definition.repeat(100_000)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("it defines types without end"), "{text}");
}

#[test]
fn a_missing_socket_is_named() {
    let address = charmhost_jujuc::Address::parse("unix", "/nowhere/agent.socket").unwrap();
    let error = Connection::connect(&address).err().unwrap();
    assert!(!error.after_send());
    let text = error.to_string();
    assert!(
        text.contains("cannot connect to the Juju agent at /nowhere/agent.socket"),
        "{text}"
    );
}

#[test]
fn a_request_that_is_too_long_is_answered_and_the_connection_lives() {
    let (client, server) = UnixStream::pair().unwrap();
    let serving = std::thread::spawn(move || {
        serve_connection(server, |request| {
            let reply = Reply {
                stdout: request.tool.into_bytes(),
                ..Reply::default()
            };
            Ok(reply)
        })
    });
    let mut connection = Connection::over(client);
    let mut call = |args: &[String]| {
        let call = Call {
            context_id: "c",
            dir: "/",
            tool: "relation-set",
            args,
            stdin: None,
        };
        connection.call(&call)
    };
    let Err(Error::Rpc { message, .. }) = call(&["x".repeat(65 << 20)]) else {
        panic!("it was not refused");
    };
    let end = "bytes is too long: it may have 64 MiB";
    assert!(
        message.starts_with("bad request: a message of 68157"),
        "{message}"
    );
    assert!(message.ends_with(end), "{message}");
    assert_eq!(call(&[]).unwrap().stdout, b"relation-set");
    drop(connection);
    serving.join().unwrap().unwrap();
}
