use std::time::Duration;

use charmhost_pebble::{Client, Error, ServiceStartup, ServiceStatus};
use serde_json::json;

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
        .filter(|service| service.current == ServiceStatus::Active);
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
        assert_eq!(client.plan().await.unwrap(), json!({}));
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
        let odd = r#"{"K": "v", "yes": "no", "1": "0o17", "T": "12:30", "N": "", "L": "a\nb"}"#;
        let merged =
            format!("services: {{b: {{override: merge, user-id: 0, environment: {odd}}}}}");
        client.add_layer("one", &merged, true).await.unwrap();
        let plan = client.plan().await.unwrap();
        assert_eq!(
            plan["services"]["b"],
            json!({
                "override": "replace", "command": "sleep 1000", "user-id": 0,
                "environment": {"K": "v", "yes": "no", "1": "0o17", "T": "12:30", "N": "", "L": "a\nb"},
            })
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
fn an_action_returns_the_change_that_it_began() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let id = client.start(&names(&["b"]), None).await.unwrap();
        let change = client.change(&id).await.unwrap();
        assert_eq!((change.kind.as_str(), change.ready), ("start", true));
        // Nobody waits: the change of a service that fails is no error.
        let id = client.start(&names(&["bad"]), Some(Duration::ZERO)).await;
        let change = client.wait_change(&id.unwrap(), None).await.unwrap();
        assert!(change.err.is_some(), "{change:?}");
        let short = Some(Duration::from_millis(100));
        let error = client.start(&names(&["a"]), short).await.unwrap_err();
        let Error::Timeout {
            change: Some(id),
            limit,
            ..
        } = error
        else {
            panic!("another error: {error:?}");
        };
        assert_eq!(Some(limit), short);
        client.wait_change(&id, None).await.unwrap();
        assert_eq!(running(&client).await, ["a", "b"]);
        // A plan without changes.
        let id = client.replan(None).await.unwrap();
        assert_eq!(client.change(&id).await.unwrap().kind, "replan");
    });
}

#[test]
fn a_rejected_restart_is_a_stop_and_a_start() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        client.start(&names(&["a"]), None).await.unwrap();
        // As ops does; Pebble rejects the start then (ops §18.1).
        let rejected = client.restart(&names(&["a", "nobody"]), None).await;
        let (status, message) = error_response(rejected);
        assert_eq!(status, 400);
        assert!(message.starts_with("cannot start services"), "{message}");
        assert!(running(&client).await.is_empty());
        let rejected = client.restart(&[], None).await;
        assert!(matches!(rejected, Err(Error::Invalid(_))), "{rejected:?}");
    });
}

#[test]
fn a_service_knows_since_when() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let service = || async { client.services(&names(&["a"])).await.unwrap().remove(0) };
        assert_eq!(service().await.current_since, None);
        assert_eq!(service().await.startup, ServiceStartup::Enabled);
        client.start(&names(&["a"]), None).await.unwrap();
        let since = service().await.current_since.unwrap().seconds();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        assert!(
            (now - 30.0..now).contains(&since),
            "{since} is not before {now}"
        );
        client.stop(&names(&["a"]), None).await.unwrap();
        assert!(service().await.current_since.unwrap().seconds() > since);
        assert_eq!(service().await.current, ServiceStatus::Inactive);
    });
}

#[test]
fn signals_reach_the_services_that_run() {
    let layer = "services: {a: {override: replace, on-success: ignore, \
        command: sh -c 'trap \"exit 0\" HUP; while :; do sleep 0.05; done'}}";
    with(async |_, client| {
        client.add_layer("one", layer, false).await.unwrap();
        let rejected = client.send_signal("SIGHUP", &names(&["a"])).await;
        assert_eq!(error_response(rejected).0, 500);
        client.start(&names(&["a"]), None).await.unwrap();
        let rejected = client.send_signal("NONSENSE", &names(&["a"])).await;
        assert_eq!(error_response(rejected).0, 500);
        client.send_signal("SIGHUP", &names(&["a"])).await.unwrap();
        let end = std::time::Instant::now() + Duration::from_secs(5);
        while !running(&client).await.is_empty() {
            assert!(std::time::Instant::now() < end, "it still runs");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let none = client.send_signal("SIGHUP", &[]).await;
        assert!(matches!(none, Err(Error::Invalid(_))), "{none:?}");
    });
}

#[test]
fn a_negative_period_does_not_reach_the_daemon() {
    with(async |_, client| {
        let layer = "checks: {c: {override: replace, period: -1s, exec: {command: 'true'}}}";
        let rejected = client.add_layer("one", layer, false).await;
        assert!(matches!(rejected, Err(Error::Invalid(_))), "{rejected:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.system_info().await.unwrap();
        let layer = "checks: {c: {override: replace, period: -1, exec: {command: 'true'}}}";
        let (status, _) = error_response(client.add_layer("one", layer, false).await);
        assert_eq!(status, 400);
    });
}

#[test]
fn metrics_count_the_starts_of_services() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        client.start(&names(&["b"]), None).await.unwrap();
        let metrics = client.metrics().await.unwrap();
        assert!(
            metrics.contains("pebble_service_start_count{service=\"b\"} 1"),
            "{metrics}"
        );
    });
}
