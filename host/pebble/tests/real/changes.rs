use std::time::{Duration, Instant};

use charmhost_pebble::{ChangeSelection, Error, Exec};

use crate::daemon::{error_response, with};

const LAYER: &str = "services:
  a: {override: replace, command: sleep 1000}
  b: {override: replace, command: sleep 1000}
checks:
  c: {override: replace, exec: {command: 'true'}}
";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn changes_are_listed_in_the_order_in_which_they_began() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        for service in ["a", "b", "a"] {
            client.start(&names(&[service]), None).await.unwrap();
            client.stop(&names(&[service]), None).await.unwrap();
        }
        let list = async |selection, service| {
            let changes = client.changes(selection, service).await.unwrap();
            let kinds = changes.into_iter().map(|change| change.kind);
            kinds.collect::<Vec<String>>().join(" ")
        };
        assert_eq!(
            list(ChangeSelection::All, None).await,
            "perform-check start stop start stop start stop"
        );
        assert_eq!(
            list(ChangeSelection::InProgress, None).await,
            "perform-check"
        );
        assert_eq!(list(ChangeSelection::Ready, Some("b")).await, "start stop");
        assert_eq!(list(ChangeSelection::All, Some("nobody")).await, "");
    });
}

#[test]
fn a_change_is_complete() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let id = client.start(&names(&["a"]), None).await.unwrap();
        let again = client.start(&names(&["a"]), None).await.unwrap();
        let change = client.change(&id).await.unwrap();
        assert_eq!(change.status, "Done");
        assert_eq!(change.summary, "Start service \"a\"");
        assert!(change.ready_time.unwrap() > change.spawn_time);
        let task = &change.tasks[0];
        assert_eq!(
            (task.kind.as_str(), task.status.as_str()),
            ("start", "Done")
        );
        assert_eq!((task.progress.done, task.progress.total), (1, 1));
        assert!(!task.id.is_empty() && task.spawn_time < task.ready_time.unwrap());
        let change = client.change(&again).await.unwrap();
        assert!(change.tasks[0].log[0].contains("INFO"), "{change:?}");
    });
}

#[test]
fn the_change_of_a_command_has_its_exit_code() {
    with(async |_, client| {
        let exec = Exec {
            command: names(&["sh", "-c", "exit 3"]),
            ..Exec::default()
        };
        client.exec(&exec).await.unwrap().wait().await.unwrap();
        let changes = client.changes(ChangeSelection::All, None).await.unwrap();
        assert_eq!(changes[0].tasks[0].exit_code(), Some(3));
    });
}

#[test]
fn unknown_and_malformed_ids_are_different_errors() {
    with(async |_, client| {
        assert_eq!(error_response(client.change("99").await).0, 404);
        assert_eq!(error_response(client.wait_change("99", None).await).0, 404);
        assert_eq!(error_response(client.abort_change("99").await).0, 404);
        for id in ["", "../plan", "1/wait", "1?", "ä"] {
            for result in [
                client.change(id).await,
                client.wait_change(id, None).await,
                client.abort_change(id).await,
            ] {
                assert!(matches!(result, Err(Error::Invalid(_))), "{id}: {result:?}");
            }
        }
    });
}

#[test]
fn waiting_has_a_deadline_and_keeps_the_id() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let changes = client.changes(ChangeSelection::All, None).await.unwrap();
        let start = Instant::now();
        let limit = Duration::from_millis(1500);
        let error = client.wait_change(&changes[0].id, Some(limit)).await;
        assert_eq!(
            error.unwrap_err(),
            Error::Timeout {
                doing: format!("finish change {}", changes[0].id),
                limit,
                change: Some(changes[0].id.clone()),
            }
        );
        assert!((1.5..3.0).contains(&start.elapsed().as_secs_f64()));
    });
}

#[test]
fn a_start_is_aborted_and_the_change_of_a_check_is_not() {
    with(async |_, client| {
        client.add_layer("one", LAYER, false).await.unwrap();
        let check = client.changes(ChangeSelection::All, None).await.unwrap();
        let refused = client.abort_change(&check[0].id).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        let id = client.start(&names(&["a"]), Some(Duration::ZERO)).await;
        let id = id.unwrap();
        client.abort_change(&id).await.unwrap();
        let change = client.wait_change(&id, None).await.unwrap();
        assert!(change.ready && change.status != "Done", "{change:?}");
        let (status, _) = error_response(client.abort_change(&id).await);
        assert_eq!(status, 400);
        // The check lives.
        let stopped = client.stop_checks(&names(&["c"])).await.unwrap();
        assert_eq!(stopped, ["c"]);
    });
}
