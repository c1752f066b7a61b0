use std::time::Duration;

use charmhost_pebble::{Client, Error, LogEntry, Logs, poll};

use crate::daemon::with;

const LAYER: &str = r#"
services:
  a: {override: replace, startup: enabled, command: "sh -c 'echo one; echo \"<two>\"; sleep 2; echo three; exec sleep 60'"}
  b: {override: replace, startup: enabled, command: "sh -c 'echo other; exec sleep 60'"}
  never: {override: replace, command: "true"}
"#;

async fn start(client: &Client) {
    client.add_layer("all", LAYER, true).await.unwrap();
    client.autostart(None).await.unwrap();
}

fn messages(entries: &[LogEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.message.as_str()).collect()
}

async fn all(logs: Logs) -> Vec<LogEntry> {
    let mut all = Vec::new();
    loop {
        let entries = logs.read(2).await.unwrap();
        assert!(entries.len() <= 2);
        if entries.is_empty() {
            return all;
        }
        all.extend(entries);
    }
}

fn names(name: &str) -> Vec<String> {
    vec![name.to_owned()]
}

#[test]
fn lines_of_services_are_read_and_followed() {
    with(async |_, client| {
        start(&client).await;
        let logs = client.logs(&names("a"), Some(1), true).await.unwrap();
        let first = logs.read(10).await.unwrap();
        assert_eq!(messages(&first), ["<two>"]);
        assert_eq!(first[0].service, "a");
        let short = Some(Duration::from_millis(100));
        assert!(poll(&[logs.readiness()], short).await.is_empty());
        assert_eq!(poll(&[logs.readiness()], None).await, [0]);
        assert_eq!(messages(&logs.read(10).await.unwrap()), ["three"]);
        let every = all(client.logs(&[], None, false).await.unwrap()).await;
        assert_eq!(every.len(), 4);
        assert!(every.is_sorted_by_key(|entry| entry.time));
        let last = all(client.logs(&[], Some(1), false).await.unwrap()).await;
        assert_eq!(messages(&last), ["three"]);
        let none = all(client.logs(&[], Some(0), false).await.unwrap()).await;
        assert!(none.is_empty());
        let unknown = all(client.logs(&names("no"), None, false).await.unwrap()).await;
        assert!(unknown.is_empty());
    });
}

/// The daemon sends nothing before the first line: opening does not wait for it.
#[test]
fn a_service_that_prints_nothing_is_followed_until_the_daemon_ends() {
    with(async |daemon, client| {
        let client = client.with_silence(Duration::from_millis(300));
        start(&client).await;
        let logs = client.logs(&names("b"), Some(0), true).await.unwrap();
        let long = Some(Duration::from_secs(2));
        assert!(poll(&[logs.readiness()], long).await.is_empty());
        daemon.stop();
        let error = logs.read(10).await.unwrap_err();
        assert!(matches!(error, Error::NotReady { .. }), "{error:?}");
        let error = client.logs(&[], None, true).await.map(drop).unwrap_err();
        assert!(matches!(error, Error::NotReady { .. }), "{error:?}");
    });
}
