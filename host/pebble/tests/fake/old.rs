//! The client against daemons of older versions.

use charmhost_pebble::{Client, Error, Identity, IdentityAccess, NoticeFilter, Timestamp};

use crate::old_pebble::OldPebble;

/// Runs a test against a daemon v1.MINOR.2.
fn with<T>(minor: u32, test: impl AsyncFnOnce(&OldPebble, Client) -> T) -> T {
    let old = OldPebble::new(minor);
    let client = Client::new(old.socket());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test(&old, client))
}

/// The versions that are needed and found.
fn unsupported<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    match result {
        Err(Error::Unsupported {
            message,
            needed,
            found,
        }) => {
            assert!(
                message.contains(&needed) && message.contains(&found),
                "{message}"
            );
            (needed, found)
        }
        other => panic!("another result: {other:?}"),
    }
}

fn names() -> Vec<String> {
    vec!["c".to_owned()]
}

#[test]
fn what_an_old_version_lacks_is_an_error_that_names_the_version() {
    with(4, async |_, client| {
        let filter = NoticeFilter::default();
        let identity = Identity {
            access: IdentityAccess::Admin,
            local_user_id: Some(0),
            basic_password: None,
            certificate: None,
        };
        let identities = [("me".to_owned(), identity)];
        for (result, since) in [
            (client.start_checks(&names()).await.map(drop), 19),
            (client.stop_checks(&names()).await.map(drop), 19),
            (client.refresh_check("c", None).await.map(drop), 20),
            (client.metrics().await.map(drop), 19),
            (client.identities().await.map(drop), 15),
            (client.replace_identities(identities).await, 15),
            (client.remove_identities(&names()).await, 15),
            (client.notices(&filter).await.map(drop), 5),
            (client.notice("1").await.map(drop), 5),
            (client.notify("example.com/a", [], None).await.map(drop), 5),
        ] {
            let wanted = (format!("v1.{since} and later"), "v1.4.2".to_owned());
            assert_eq!(unsupported(result), wanted);
        }
        let checks = client.checks(&[], None).await.unwrap();
        assert_eq!(
            (checks[0].startup.as_ref(), checks[0].successes),
            (None, None)
        );
    });
}

#[test]
fn a_filter_that_a_version_would_ignore_is_not_sent() {
    with(8, async |old, client| {
        for (all_users, user_id) in [(true, None), (false, Some(0))] {
            let filter = NoticeFilter {
                all_users,
                user_id,
                ..NoticeFilter::default()
            };
            let (needed, _) = unsupported(client.notices(&filter).await);
            assert_eq!(needed, "v1.9 and later");
        }
        let requests = old.requests();
        assert!(
            requests
                .iter()
                .all(|request| request == "GET /v1/system-info")
        );
        client.notices(&NoticeFilter::default()).await.unwrap();
    });
}

#[test]
fn no_changed_checks_are_an_empty_list() {
    with(19, async |_, client| {
        assert!(client.start_checks(&names()).await.unwrap().is_empty());
    });
}

#[test]
fn warnings_exist_up_to_a_version() {
    with(15, async |old, client| {
        let warnings = client.warnings(false).await.unwrap();
        assert_eq!(warnings[0].message, "low");
        assert_eq!(warnings[0].repeat_after.unwrap().as_secs(), 24 * 3600);
        assert_eq!(warnings[0].last_shown, None);
        let until = warnings[0].last_added.seconds();
        let until = Timestamp::from_seconds(until).unwrap();
        assert_eq!(client.acknowledge_warnings(until).await.unwrap(), 1);
        client.warnings(true).await.unwrap();
        assert_eq!(
            old.requests(),
            [
                "GET /v1/warnings?select=pending",
                r#"POST /v1/warnings {"action":"okay","timestamp":"2026-11-22T00:00:01.5Z"}"#,
                "GET /v1/warnings?select=all",
            ]
        );
    });
    with(16, async |_, client| {
        let wanted = ("v1.15 and earlier".to_owned(), "v1.16.2".to_owned());
        assert_eq!(unsupported(client.warnings(true).await), wanted);
        let now = Timestamp::parse("2026-11-22T00:00:00Z").unwrap();
        assert_eq!(unsupported(client.acknowledge_warnings(now).await), wanted);
    });
}

#[test]
fn a_rejection_by_a_version_that_has_the_function_stays_what_it_is() {
    with(15, async |_, client| {
        let missing = client.notice("7").await;
        assert!(
            matches!(missing, Err(Error::Api { status: 404, .. })),
            "{missing:?}"
        );
    });
}
