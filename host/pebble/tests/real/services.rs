use std::time::Duration;

use charmhost_pebble::{Client, Error};

use crate::daemon::{error_response, with};

const LAYER: &str = "services:
  a: {override: replace, command: sleep 1000, startup: enabled}
  b: {override: replace, command: sleep 1000}
  bad: {override: replace, command: sh -c 'echo no reason; exit 3'}
checks:
  up: {override: replace, level: ready, exec: {command: 'true'}, threshold: 2}
";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn running(client: &Client) -> Vec<String> {
    let services = client.services(&[]).await.unwrap();
    let active = services
        .into_iter()
        .filter(|service| service.current == "active");
    active.map(|service| service.name).collect()
}

#[test]
fn a_missing_daemon_is_one_error() {
    with(async |daemon, client| {
        assert_eq!(client.system_info().await.unwrap().version, "v1.32.1");
        daemon.stop();
        for missing in [false, true] {
            if missing {
                std::fs::remove_file(daemon.socket()).unwrap();
            }
            let error = client.system_info().await.unwrap_err();
            assert!(matches!(error, Error::NotReady { .. }), "{error:?}");
            assert!(error.to_string().contains("pebble.socket"), "{error}");
        }
        // The client connects again once the daemon runs again.
        daemon.run();
        client.system_info().await.unwrap();
    });
}

#[test]
fn layers_are_combined_to_a_plan() {
    with(async |_, client| {
        assert_eq!(client.plan().await.unwrap(), "{}\n");
        client.add_layer("one", LAYER, false).await.unwrap();
        let (status, message) = error_response(client.add_layer("one", LAYER, false).await);
        assert_eq!(
            (status, message.as_str()),
            (400, "layer \"one\" already exists")
        );
        client
            .add_layer(
                "one",
                "services: {b: {override: merge, environment: {K: v}}}",
                true,
            )
            .await
            .unwrap();
        let plan = client.plan().await.unwrap();
        assert!(
            plan.contains("K: v") && plan.contains("command: sleep 1000"),
            "{plan}"
        );
        let (status, _) = error_response(client.add_layer("two", "services: [", false).await);
        assert_eq!(status, 400);
    });
}

#[test]
fn services_start_and_stop() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        client.replan(None).await.unwrap();
        assert_eq!(running(&client).await, ["a"]);
        client.start(&names(&["b"]), None).await.unwrap();
        client.stop(&names(&["a"]), None).await.unwrap();
        assert_eq!(running(&client).await, ["b"]);
        client.autostart(None).await.unwrap();
        client.restart(&names(&["a", "b"]), None).await.unwrap();
        assert_eq!(running(&client).await, ["a", "b"]);
        let change = client
            .stop(&names(&["a"]), Some(Duration::ZERO))
            .await
            .unwrap();
        let change = client.wait_change(&change, None).await.unwrap();
        assert_eq!(change.kind, "stop");
        assert!(change.spawn_time.seconds() > 1.7e9);
        let only = client.services(&names(&["b", "nobody"])).await.unwrap();
        assert_eq!(only.len(), 1);
        assert!(only[0].current_since.is_some());
    });
}

#[test]
fn a_service_that_does_not_start_has_an_error() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let error = client.start(&names(&["bad"]), None).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Change(change) if change.kind == "start"));
        for wanted in [
            "cannot perform the following tasks:",
            "exited quickly with code 3",
            "----- Logs from task 0 -----",
            "no reason",
        ] {
            assert!(text.contains(wanted), "{wanted:?} is not in {text}");
        }
        let (status, message) = error_response(client.start(&names(&["nobody"]), None).await);
        assert_eq!(status, 400);
        assert!(
            message.contains("service \"nobody\" does not exist"),
            "{message}"
        );
        assert!(matches!(
            client.start(&[], None).await,
            Err(Error::Invalid(_))
        ));
    });
}

#[test]
fn checks_and_notices() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let checks = client.checks(&names(&["up"]), None).await.unwrap();
        assert_eq!((checks[0].status.as_str(), checks[0].threshold), ("up", 2));
        assert_eq!(checks[0].level, "ready");
        assert!(checks[0].change_id.is_some());
        let alive = client.checks(&names(&["up"]), Some("alive")).await.unwrap();
        assert_eq!(alive, []);
        let id = client
            .notify("example.com/done", [("k", "v")])
            .await
            .unwrap();
        assert_eq!(client.notify("example.com/done", []).await.unwrap(), id);
        let (status, _) = error_response(client.notify("nonsense", []).await);
        assert_eq!(status, 400);
    });
}
