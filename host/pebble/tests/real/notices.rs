use std::time::Duration;

use charmhost_pebble::{Client, Error, NoticeFilter};

use crate::daemon::{error_response, with};

async fn keys(client: &Client, filter: NoticeFilter) -> Vec<String> {
    let notices = client.notices(&filter).await.unwrap().into_iter();
    notices.map(|notice| notice.key).collect()
}

fn text(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_notice_is_recorded_and_counted() {
    with(async |_, client| {
        let data = [("k", "v"), ("other", "w")];
        let hour = Some(Duration::from_secs(3600));
        let id = client.notify("example.com/done", data, hour).await.unwrap();
        let first = client.notice(&id).await.unwrap();
        assert_eq!(
            (first.kind.as_str(), first.key.as_str()),
            ("custom", "example.com/done")
        );
        let first_data = first
            .last_data
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()));
        assert_eq!(first_data.collect::<Vec<_>>(), data);
        assert_eq!(first.repeat_after, hour);
        assert_eq!(first.expire_after, Some(Duration::from_secs(168 * 3600)));
        assert!(first.user_id.is_some());
        assert_eq!(
            client.notify("example.com/done", [], hour).await.unwrap(),
            id
        );
        let second = client.notice(&id).await.unwrap();
        assert_eq!((second.occurrences, second.last_data.len()), (2, 0));
        assert!(second.last_occurred > second.first_occurred);
        // It is not repeated within the hour.
        assert_eq!(second.last_repeated, second.first_occurred);
    });
}

#[test]
fn notices_are_selected_and_in_order() {
    with(async |_, client| {
        for key in ["example.com/b", "example.com/a", "example.com/b"] {
            client.notify(key, [], None).await.unwrap();
        }
        let me = client.notices(&NoticeFilter::default()).await.unwrap()[0].user_id;
        let all = ["example.com/a", "example.com/b"];
        assert_eq!(keys(&client, NoticeFilter::default()).await, all);
        for (filter, wanted) in [
            (
                NoticeFilter {
                    all_users: true,
                    ..NoticeFilter::default()
                },
                &all[..],
            ),
            (
                NoticeFilter {
                    user_id: me,
                    ..NoticeFilter::default()
                },
                &all,
            ),
            (
                NoticeFilter {
                    user_id: Some(54321),
                    ..NoticeFilter::default()
                },
                &[],
            ),
            (
                NoticeFilter {
                    kinds: text(&["custom", "new"]),
                    ..NoticeFilter::default()
                },
                &all,
            ),
            (
                NoticeFilter {
                    kinds: text(&["new"]),
                    ..NoticeFilter::default()
                },
                &[],
            ),
            (
                NoticeFilter {
                    keys: text(&["example.com/b"]),
                    ..NoticeFilter::default()
                },
                &all[1..],
            ),
        ] {
            assert_eq!(keys(&client, filter.clone()).await, wanted, "{filter:?}");
        }
    });
}

#[test]
fn errors_of_notices() {
    with(async |_, client| {
        for key in ["nonsense", "example.com", "Example.com/a"] {
            assert_eq!(
                error_response(client.notify(key, [], None).await).0,
                400,
                "{key}"
            );
        }
        let long = "x".repeat(5000);
        let rejected = client
            .notify("example.com/a", [("k", long.as_str())], None)
            .await;
        assert_eq!(error_response(rejected).0, 400);
        assert_eq!(error_response(client.notice("99").await).0, 404);
        let malformed = client.notice("../changes").await;
        assert!(matches!(malformed, Err(Error::Invalid(_))), "{malformed:?}");
        let both = NoticeFilter {
            all_users: true,
            user_id: Some(0),
            ..NoticeFilter::default()
        };
        let rejected = client.notices(&both).await;
        assert!(matches!(rejected, Err(Error::Invalid(_))), "{rejected:?}");
    });
}
