use std::time::{Duration, Instant};

use charmhost_pebble::{CheckLevel, CheckStartup, CheckStatus, Error};

use crate::daemon::{error_response, with};

const LAYER: &str = "checks:
  good: {override: replace, level: ready, exec: {command: 'true'}, threshold: 2}
  bad: {override: replace, level: alive, period: 50ms, exec: {command: 'false'}, threshold: 1}
  idle: {override: replace, startup: disabled, exec: {command: 'true'}}
  slow: {override: replace, startup: disabled, timeout: 9s, exec: {command: sleep 8}}
";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn checks_are_selected_by_name_and_level() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let list = async |names, level| {
            let checks = client.checks(names, level).await.unwrap();
            let names = checks.into_iter().map(|check| check.name);
            names.collect::<Vec<String>>().join(" ")
        };
        assert_eq!(list(&[], None).await, "bad good idle slow");
        assert_eq!(list(&[], Some(&CheckLevel::Ready)).await, "good");
        assert_eq!(list(&names(&["good", "nobody"]), None).await, "good");
        let unknown = CheckLevel::Other("none".to_owned());
        assert_eq!(
            error_response(client.checks(&[], Some(&unknown)).await).0,
            400
        );
    });
}

#[test]
fn a_check_is_complete() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let check = async |name| {
            client
                .checks(&names(&[name]), None)
                .await
                .unwrap()
                .remove(0)
        };
        let good = check("good").await;
        assert_eq!(good.level, Some(CheckLevel::Ready));
        assert_eq!(good.startup, Some(CheckStartup::Enabled));
        assert_eq!((good.status, good.threshold), (CheckStatus::Up, 2));
        assert_eq!((good.successes, good.failures), (Some(0), 0));
        let change = client.change(&good.change_id.unwrap()).await.unwrap();
        assert_eq!(change.kind, "perform-check");
        let idle = check("idle").await;
        assert_eq!((idle.status, idle.change_id), (CheckStatus::Inactive, None));
        assert_eq!(
            (idle.level, idle.startup),
            (None, Some(CheckStartup::Disabled))
        );
        let end = Instant::now() + Duration::from_secs(5);
        while check("bad").await.status != CheckStatus::Down {
            assert!(Instant::now() < end, "it is not down");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(check("bad").await.failures >= 1);
        // 502 is an answer.
        assert!(!client.health(&[], None).await.unwrap());
        assert!(!client.health(&[], Some(&CheckLevel::Ready)).await.unwrap());
        assert!(
            client
                .health(&names(&["good", "nobody"]), None)
                .await
                .unwrap()
        );
    });
}

#[test]
fn checks_are_started_and_stopped() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let both = names(&["idle", "good"]);
        assert_eq!(client.start_checks(&both).await.unwrap(), ["idle"]);
        assert!(client.start_checks(&both).await.unwrap().is_empty());
        assert_eq!(client.stop_checks(&both).await.unwrap(), ["good", "idle"]);
        let unknown = names(&["nobody"]);
        assert_eq!(error_response(client.start_checks(&unknown).await).0, 400);
        assert_eq!(error_response(client.stop_checks(&unknown).await).0, 400);
        let none = client.stop_checks(&[]).await;
        assert!(matches!(none, Err(Error::Invalid(_))), "{none:?}");
    });
}

#[test]
fn a_check_is_run_on_demand() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let good = client.refresh_check("good", None).await.unwrap();
        assert_eq!((good.info.successes, good.error), (Some(1), None));
        let idle = client.refresh_check("idle", None).await.unwrap();
        assert_eq!(idle.info.status, CheckStatus::Inactive);
        let bad = client.refresh_check("bad", None).await.unwrap();
        assert!(bad.error.unwrap().contains("exit"), "{:?}", bad.info);
        assert_eq!(
            error_response(client.refresh_check("nobody", None).await).0,
            404
        );
        let limit = Duration::from_millis(300);
        let start = Instant::now();
        let late = client.refresh_check("slow", Some(limit)).await;
        assert!(matches!(late, Err(Error::Timeout { .. })), "{late:?}");
        assert!(start.elapsed() < Duration::from_secs(2));
    });
}

#[test]
fn a_check_may_run_longer_than_the_daemon_may_be_silent() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let client = client.with_silence(Duration::from_millis(500));
        let slow = client.refresh_check("slow", Some(Duration::from_secs(20)));
        assert_eq!(slow.await.unwrap().error, None);
    });
}
