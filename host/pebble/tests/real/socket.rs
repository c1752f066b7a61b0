use std::sync::Arc;
use std::time::Duration;

use charmhost_pebble::{Connection, Error, UnixSocket, poll};

use crate::daemon::{Daemon, Limit, with};

const SECOND: Duration = Duration::from_secs(1);
const LARGE: usize = 4 << 20;

async fn connect(daemon: &Daemon, budget: &Arc<Limit>) -> Connection {
    let socket = UnixSocket::new(daemon.socket());
    let connection = Connection::open(&socket, SECOND, budget.clone()).await;
    connection.unwrap()
}

async fn request(connection: &Connection, path: &str) {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nAccept: multipart/form-data\r\nConnection: close\r\n\r\n"
    );
    let mut rest = request.as_bytes();
    while !rest.is_empty() {
        rest = &rest[connection.write(rest, None).await.unwrap()..];
    }
}

async fn read_all(connection: &Connection) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    loop {
        let chunk = connection.read(65536, Some(SECOND * 5)).await?;
        if chunk.is_empty() {
            return Ok(all);
        }
        all.extend(chunk);
    }
}

#[test]
fn bytes_go_both_ways() {
    with(async |daemon, _| {
        let budget = Limit::of(1 << 20);
        let connection = connect(daemon, &budget).await;
        let early = connection.read(10, Some(SECOND / 10)).await;
        assert!(matches!(early, Err(Error::Timeout { .. })), "{early:?}");
        let readable = [connection.readable()];
        assert!(poll(&readable, Some(SECOND / 10)).await.is_empty());
        assert!(connection.writable().is_ready().await);
        request(&connection, "/v1/system-info").await;
        assert_eq!(poll(&readable, None).await, [0]);
        let answer = String::from_utf8(read_all(&connection).await.unwrap()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("boot-id"), "{answer}");
        assert!(connection.read(10, None).await.unwrap().is_empty());
        assert_eq!(budget.held(), 0);
        connection.finish().unwrap();
        let closed = connection.write(b"more", None).await;
        assert!(matches!(closed, Err(Error::Closed(_))), "{closed:?}");
        assert!(matches!(connection.finish(), Err(Error::Closed(_))));
    });
}

#[test]
fn what_arrives_is_received_while_the_caller_waits_elsewhere() {
    with(async |daemon, _| {
        std::fs::write(daemon.path("large"), vec![b'x'; LARGE]).unwrap();
        let path = format!("/v1/files?action=read&path={}", daemon.path("large"));
        let budget = Limit::of(3 * LARGE);
        let first = connect(daemon, &budget).await;
        let second = connect(daemon, &budget).await;
        request(&first, &path).await;
        request(&second, &path).await;
        while budget.held() < 2 * LARGE {
            tokio::time::sleep(SECOND / 20).await;
        }
        daemon.stop();
        assert!(read_all(&first).await.unwrap().len() > LARGE);
        let read = second.read(1000, None).await.unwrap();
        assert_eq!(read.len(), 1000);
        assert!(budget.held() > LARGE - 65536);
        drop((first, second));
        tokio::time::sleep(SECOND / 20).await;
        assert_eq!(budget.held(), 0);
    });
}

#[test]
fn all_connections_share_the_budget_and_fail_beyond_it() {
    with(async |daemon, _| {
        std::fs::write(daemon.path("large"), vec![b'x'; LARGE]).unwrap();
        let path = format!("/v1/files?action=read&path={}", daemon.path("large"));
        let budget = Limit::of(LARGE * 3 / 2);
        let first = connect(daemon, &budget).await;
        request(&first, &path).await;
        while budget.held() < LARGE {
            tokio::time::sleep(SECOND / 20).await;
        }
        let second = connect(daemon, &budget).await;
        request(&second, &path).await;
        let limit = Error::Memory("the limit of the test".to_owned());
        while second.write(b"x", None).await != Err(limit.clone()) {
            tokio::time::sleep(SECOND / 20).await;
        }
        assert_eq!(read_all(&second).await, Err(limit));
        assert!(read_all(&first).await.unwrap().len() > LARGE);
    });
}

#[test]
fn a_daemon_that_is_not_there_and_one_that_goes_have_errors() {
    with(async |daemon, _| {
        let budget = Limit::of(1 << 20);
        let connection = connect(daemon, &budget).await;
        daemon.stop();
        let ended = read_all(&connection).await;
        assert!(
            matches!(&ended, Ok(bytes) if bytes.is_empty())
                || matches!(ended, Err(Error::Closed(_))),
            "{ended:?}"
        );
        let error = loop {
            match connection.write(b"GET ", Some(SECOND)).await {
                Ok(_) => tokio::time::sleep(SECOND / 20).await,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Closed(_)), "{error:?}");
        let socket = UnixSocket::new(daemon.socket());
        let gone = Connection::open(&socket, SECOND, budget).await.map(drop);
        assert!(matches!(gone, Err(Error::NotReady { .. })), "{gone:?}");
    });
}
