use std::time::Duration;

use charmhost_pebble::{Client, Error, NoticeFilter, NoticeWatch, poll};

use crate::daemon::with;

async fn notify(client: &Client, key: &str) {
    client.notify(key, [("k", "v")], None).await.unwrap();
}

fn of(keys: &[&str]) -> NoticeFilter {
    NoticeFilter {
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        ..NoticeFilter::default()
    }
}

/// The keys of so many notices, in the order in which they come.
async fn keys(watch: &NoticeWatch, count: usize) -> Vec<String> {
    let mut keys = Vec::new();
    while keys.len() < count {
        let notices = watch.read().await.unwrap();
        assert!(!notices.is_empty());
        keys.extend(notices.into_iter().map(|notice| notice.key));
    }
    keys
}

#[test]
fn notices_come_once_and_in_order_from_then_on() {
    with(async |_, client| {
        let client = client.with_silence(Duration::from_millis(500));
        notify(&client, "example.com/before").await;
        let watch = client.watch_notices(NoticeFilter::default()).await.unwrap();
        let some = client.watch_notices(of(&["example.com/b"])).await.unwrap();
        let sources = [watch.readiness(), some.readiness()];
        // Longer than one request waits.
        let long = Some(Duration::from_secs(1));
        assert!(poll(&sources, long).await.is_empty());
        for key in ["example.com/a", "example.com/b", "example.com/c"] {
            notify(&client, key).await;
        }
        let wanted = ["example.com/a", "example.com/b", "example.com/c"];
        assert_eq!(keys(&watch, 3).await, wanted);
        assert_eq!(keys(&some, 1).await, ["example.com/b"]);
        let short = Some(Duration::from_millis(200));
        assert!(poll(&sources, short).await.is_empty());
        notify(&client, "example.com/b").await;
        assert_eq!(poll(&sources[1..], None).await, [0]);
        let again = some.read().await.unwrap();
        assert_eq!(again.len(), 1);
        assert_eq!(
            (again[0].occurrences, &again[0].last_data["k"]),
            (2, &"v".to_owned())
        );
    });
}

#[test]
fn a_watch_has_the_errors_of_the_daemon() {
    with(async |daemon, client| {
        let invalid = NoticeFilter {
            all_users: true,
            user_id: Some(0),
            ..NoticeFilter::default()
        };
        let error = client.watch_notices(invalid).await.map(drop);
        assert!(matches!(error, Err(Error::Invalid(_))), "{error:?}");
        let watch = client.watch_notices(NoticeFilter::default()).await.unwrap();
        daemon.stop();
        let error = watch.read().await.unwrap_err();
        assert!(matches!(error, Error::NotReady { .. }), "{error:?}");
    });
}
