//! What is delivered, to whom, in which order.

use std::collections::BTreeMap;
use std::time::Duration;

use charmhost_juju::{Event as JujuEvent, EventKind, Scope, StatusName};

use super::*;

/// A model that notes what the framework did to it.
#[derive(Default)]
struct Notes {
    leader: bool,
    done: Vec<String>,
}

impl Effects for Notes {
    type Error = std::convert::Infallible;

    fn is_leader(&mut self) -> Result<bool, Self::Error> {
        self.done.push("is-leader".to_owned());
        Ok(self.leader)
    }

    fn set_status(&mut self, scope: Scope, status: &StatusValue) -> Result<(), Self::Error> {
        self.done
            .push(format!("{scope:?} {:?} {}", status.name, status.message));
        Ok(())
    }

    fn debug(&mut self, message: &str) {
        self.done.push(message.to_owned());
    }

    fn info(&mut self, message: &str) {
        self.done.push(message.to_owned());
    }

    fn warning(&mut self, message: &str) {
        self.done.push(message.to_owned());
    }
}

/// A clock that stands still, half a second after noon.
struct Noon;

impl Clock for Noon {
    fn wall(&self) -> Duration {
        Duration::from_millis(43_200_500)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn framework(event: Option<JujuEvent>) -> Framework {
    framework_with(event, Queue::default())
}

fn framework_with(event: Option<JujuEvent>, queue: Queue) -> Framework {
    Framework::new(
        event.map(Event::Juju),
        false,
        Box::new(|name| ["start", "stop"].contains(&name)),
        queue,
        Arc::new(Noon),
    )
}

/// Everything that `next` gives, as `method(event)`.
fn run(framework: &mut Framework, notes: &mut Notes) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(delivery) = framework.next(notes).unwrap() {
        seen.push(format!("{}({})", delivery.method, delivery.event.name()));
    }
    seen
}

#[test]
fn the_event_comes_before_statuses_and_statuses_before_the_commit() {
    let mut framework = framework(Some(JujuEvent::of_unit(EventKind::Start)));
    for (source, event) in [
        ("", "commit"),
        ("", "pre_commit"),
        ("Charm", "collect_unit_status"),
        ("Charm", "collect_app_status"),
        ("Charm", "stop"),
        ("Charm", "start"),
    ] {
        framework.observe(source, event, "Charm", "on").unwrap();
    }
    let mut notes = Notes {
        leader: true,
        ..Notes::default()
    };
    let seen = run(&mut framework, &mut notes);
    assert_eq!(
        seen,
        [
            "on(start)",
            "on(collect_app_status)",
            "on(collect_unit_status)",
            "on(pre_commit)",
            "on(commit)"
        ]
    );
    assert_eq!(notes.done, ["Emitting Juju event start.", "is-leader"]);
}

#[test]
fn observers_are_called_in_the_order_of_registration_and_once() {
    let mut framework = framework(Some(JujuEvent::of_unit(EventKind::Start)));
    for method in ["second", "first", "second"] {
        framework
            .observe("Charm", "start", "Charm", method)
            .unwrap();
    }
    assert_eq!(
        run(&mut framework, &mut Notes::default()),
        ["second(start)", "first(start)"]
    );
}

#[test]
fn a_follower_evaluates_only_the_status_of_its_unit() {
    let mut framework = framework(None);
    framework
        .observe("Charm", "collect_app_status", "Charm", "app")
        .unwrap();
    framework
        .observe("Charm", "collect_unit_status", "Charm", "unit")
        .unwrap();
    assert_eq!(
        run(&mut framework, &mut Notes::default()),
        ["unit(collect_unit_status)"]
    );
}

#[test]
fn a_restricted_context_evaluates_no_status() {
    let mut framework = Framework::new(
        Some(Event::Juju(JujuEvent::of_unit(EventKind::CollectMetrics))),
        true,
        Box::new(|_| true),
        Queue::default(),
        Arc::new(Noon),
    );
    framework
        .observe("Charm", "collect_metrics", "Charm", "on")
        .unwrap();
    framework
        .observe("Charm", "collect_unit_status", "Charm", "on")
        .unwrap();
    framework.observe("", "commit", "Charm", "on").unwrap();
    let mut notes = Notes::default();
    assert_eq!(
        run(&mut framework, &mut notes),
        ["on(collect_metrics)", "on(commit)"]
    );
    assert_eq!(notes.done, ["Emitting Juju event collect_metrics."]);
}

#[test]
fn the_status_that_won_is_set_after_the_last_observer() {
    let mut framework = framework(None);
    framework
        .observe("Charm", "collect_unit_status", "Charm", "a")
        .unwrap();
    framework
        .observe("Charm", "collect_unit_status", "Charm", "b")
        .unwrap();
    let mut notes = Notes::default();
    for name in [StatusName::Active, StatusName::Waiting] {
        framework.next(&mut notes).unwrap().unwrap();
        let status = StatusValue {
            name,
            message: "m".to_owned(),
        };
        assert_eq!(framework.collect(status), Some(Ok(Collecting::Unit)));
        assert_eq!(notes.done, ["is-leader"]);
    }
    assert_eq!(framework.next(&mut notes).unwrap(), None);
    assert_eq!(notes.done, ["is-leader", "Unit Waiting m"]);
}

#[test]
fn nothing_is_collected_outside_of_the_evaluation() {
    let status = StatusValue {
        name: StatusName::Active,
        message: String::new(),
    };
    assert_eq!(framework(None).collect(status), None);
}

#[test]
fn an_emitted_event_goes_to_its_observers_at_once() {
    let mut framework = framework(None);
    framework.define("Charm/Lib[db]", "ready").unwrap();
    framework
        .observe("Charm/Lib[db]", "ready", "Charm", "on_ready")
        .unwrap();
    let deliveries = framework
        .emit("Charm/Lib[db]", "ready", "{\"n\":1}", &mut Notes::default())
        .unwrap();
    assert_eq!(deliveries.len(), 1);
    assert_eq!(
        deliveries[0].event,
        Event::Custom {
            name: "ready".to_owned(),
            snapshot: "{\"n\":1}".to_owned()
        }
    );
    assert_eq!(
        framework.settle(deliveries[0].id, &Outcome::Handled, &mut Notes::default()),
        Ok(())
    );
}

#[test]
fn only_defined_events_are_observed_and_emitted() {
    let mut framework = framework(None);
    let notes = &mut Notes::default();
    let lacks = |framework: &mut Framework, source: &str, name: &str| {
        let observed = framework.observe(source, name, "Charm", "on").unwrap_err();
        (observed.to_string(), name.to_owned())
    };
    for (source, name, wanted) in [
        (
            "Charm/Lib[db]",
            "ready",
            "Charm/Lib[db] has no event \"ready\"",
        ),
        ("Charm", "redy", "cannot observe \"redy\" of Charm"),
    ] {
        let (error, name) = lacks(&mut framework, source, name);
        assert!(error.contains(wanted), "{error}");
        let emitted = framework.emit(source, &name, "{}", notes).unwrap_err();
        assert_eq!(emitted, Error::undefined_event(source, &name));
        framework.define(source, &name).unwrap();
        framework.define(source, &name).unwrap();
        framework.observe(source, &name, "Charm", "on").unwrap();
        let deliveries = framework.emit(source, &name, "{}", notes).unwrap();
        assert_eq!(deliveries.len(), 1, "{source} {name}");
    }
    for name in ["start", "collect_unit_status"] {
        let taken = framework.define("Charm", name).unwrap_err();
        assert_eq!(taken, Error::TakenEvent(name.to_owned()));
        framework.define("Charm/Lib[db]", name).unwrap();
    }
}

/// A dispatch of `start` in which the charm emits `ready` of a library; both
/// handlers defer, the inner one first.
#[test]
fn nested_events_are_kept_behind_those_that_they_were_emitted_in() {
    let mut framework = framework(Some(JujuEvent::of_unit(EventKind::Start)));
    let notes = &mut Notes::default();
    framework.define("Charm/Lib[db]", "ready").unwrap();
    for (source, event, method) in [
        ("Charm", "start", "first"),
        ("Charm", "start", "second"),
        ("Charm/Lib[db]", "ready", "ready"),
    ] {
        framework.observe(source, event, "Charm", method).unwrap();
    }
    let first = framework.next(notes).unwrap().unwrap();
    let ready = framework.emit("Charm/Lib[db]", "ready", "{}", notes);
    let ready = ready.unwrap();
    framework.settle(ready[0].id, &later(""), notes).unwrap();
    framework.settle(first.id, &later(""), notes).unwrap();
    let second = framework.next(notes).unwrap().unwrap();
    framework.settle(second.id, &later(""), notes).unwrap();
    assert_eq!(
        changes(framework.queue()),
        ["add first", "add second", "add ready"]
    );
}

/// The changes of a queue, as `add method`.
fn changes(queue: &Queue) -> Vec<String> {
    let changes = queue.changes().map(|change| match change {
        Change::Drop(notice) => format!("drop {}", notice.method),
        Change::Update(notice) => format!("update {}", notice.method),
        Change::Add(notice) => format!("add {}", notice.method),
    });
    changes.collect()
}

fn notices(queue: &Queue) -> Vec<DeferredNotice> {
    queue.notices().cloned().collect()
}

/// The queue as the next dispatch finds it.
fn saved(queue: &Queue) -> Queue {
    Queue::new(notices(queue), queue.counter())
}

#[test]
fn what_a_guest_has_not_settled_comes_again() {
    let mut framework = framework(Some(JujuEvent::of_unit(EventKind::Start)));
    framework.observe("Charm", "start", "Charm", "on").unwrap();
    assert_eq!(run(&mut framework, &mut Notes::default()).len(), 1);
    let (called, queue) = dispatch(saved(framework.queue()), &[]);
    // Nobody has the method `on` here.
    assert_eq!((called.len(), queue.notices().len()), (2, 0));
    assert_eq!(
        notices(framework.queue())[0].reason,
        "its handler did not finish"
    );
}

#[test]
fn a_delivery_is_settled_once() {
    let mut framework = framework(Some(JujuEvent::of_unit(EventKind::Start)));
    framework.observe("Charm", "start", "Charm", "on").unwrap();
    let delivery = framework.next(&mut Notes::default()).unwrap().unwrap();
    assert_eq!(
        framework.settle(delivery.id, &Outcome::Handled, &mut Notes::default()),
        Ok(())
    );
    assert_eq!(
        framework.settle(delivery.id, &Outcome::Handled, &mut Notes::default()),
        Err(Error::UnknownDelivery(delivery.id))
    );
}

#[test]
fn what_cannot_be_deferred_is_refused_with_the_reason() {
    let mut framework = framework(Some(JujuEvent::of_unit(EventKind::Stop)));
    framework.observe("Charm", "stop", "Charm", "on").unwrap();
    let delivery = framework.next(&mut Notes::default()).unwrap().unwrap();
    let refused = framework.settle(delivery.id, &later("why"), &mut Notes::default());
    assert_eq!(refused, Err(Error::NotDeferrable("stop".to_owned())));
}

fn later(reason: &str) -> Outcome {
    Outcome::Deferred(reason.to_owned())
}

/// One dispatch of `start` for the observers `a` and `b`, of which those named
/// defer. Gives who was called, and the queue afterwards.
fn dispatch(queue: Queue, deferring: &[&str]) -> (Vec<String>, Queue) {
    let mut framework = framework_with(Some(JujuEvent::of_unit(EventKind::Start)), queue);
    for method in ["a", "b"] {
        framework
            .observe("Charm", "start", "Charm", method)
            .unwrap();
    }
    let mut called = Vec::new();
    let mut notes = Notes::default();
    while let Some(delivery) = framework.next(&mut notes).unwrap() {
        let again = if delivery.deferred.is_some() {
            " again"
        } else {
            ""
        };
        called.push(format!("{}{again}", delivery.method));
        let outcome = match deferring.contains(&delivery.method.as_str()) {
            true => later("not yet"),
            false => Outcome::Handled,
        };
        framework
            .settle(delivery.id, &outcome, &mut Notes::default())
            .unwrap();
    }
    (called, framework.queue().clone())
}

#[test]
fn an_event_is_deferred_for_each_observer_alone() {
    let (called, queue) = dispatch(Queue::default(), &["a"]);
    assert_eq!(called, ["a", "b"]);
    let [notice] = notices(&queue).try_into().unwrap();
    assert_eq!(notice.event_path, "Charm/on/start[1]");
    assert_eq!(notice.count, 1);
    assert_eq!(changes(&queue), ["add a"]);
    // The event comes again before the new one. Once it is handled, the new one
    // is another.
    let (called, queue) = dispatch(saved(&queue), &[]);
    assert_eq!(called, ["a again", "a", "b"]);
    assert_eq!(changes(&queue), ["drop a"]);
}

#[test]
fn an_equal_event_is_not_kept_twice() {
    let (_, queue) = dispatch(Queue::default(), &["a"]);
    let (called, queue) = dispatch(saved(&queue), &["a"]);
    assert_eq!(called, ["a again", "b"]);
    assert_eq!(changes(&queue), ["update a"]);
    let [notice] = notices(&queue).try_into().unwrap();
    assert_eq!((notice.count, notice.reason.as_str()), (2, "not yet"));
}

#[test]
fn nothing_deferred_changes_nothing() {
    let (_, queue) = dispatch(Queue::default(), &[]);
    assert_eq!(queue.changes().count(), 0);
}

#[test]
fn what_a_guest_leaves_behind_that_ends_early_comes_again() {
    let mut framework = framework(Some(JujuEvent::of_unit(EventKind::Start)));
    for method in ["a", "b"] {
        let observed = framework.observe("Charm", "start", "Charm", method);
        observed.unwrap();
    }
    let notes = &mut Notes::default();
    let first = framework.next(notes).unwrap().unwrap();
    framework
        .settle(first.id, &Outcome::Handled, notes)
        .unwrap();
    assert_eq!(framework.close(), 1);
    assert_eq!(changes(framework.queue()), ["add b"]);
    assert_eq!(framework.close(), 0);
}

/// The queue after a dispatch of a revision that has no such handler.
fn after_a_change_of_charm(change: impl Fn(DeferredNotice) -> DeferredNotice) -> Queue {
    let (_, queue) = dispatch(Queue::default(), &["a"]);
    let gone = |notice: DeferredNotice| DeferredNotice {
        method: "gone".to_owned(),
        ..change(notice)
    };
    let gone = notices(&queue).into_iter().map(gone).collect();
    let (called, queue) = dispatch(Queue::new(gone, 1), &[]);
    assert_eq!(called, ["a", "b"]);
    queue
}

#[test]
fn notices_of_an_observer_that_is_gone_are_dropped() {
    let queue = after_a_change_of_charm(|notice| notice);
    assert_eq!(changes(&queue), ["drop gone"]);
}

#[test]
fn notices_of_ops_for_an_unknown_observer_stay_and_unreadable_ones_too() {
    let foreign = |notice| DeferredNotice {
        since: None,
        ..notice
    };
    let unreadable = |notice| DeferredNotice {
        event: None,
        ..notice
    };
    for queue in [
        after_a_change_of_charm(foreign),
        after_a_change_of_charm(unreadable),
    ] {
        assert_eq!(queue.notices().len(), 1);
        assert_eq!(queue.changes().count(), 0);
    }
}

#[test]
fn many_notices_without_a_handler_are_a_few_lines() {
    let (_, queue) = dispatch(Queue::default(), &["a"]);
    let [notice] = notices(&queue).try_into().unwrap();
    for (since, doing) in [(None, "keeping them in"), (Some(1.0), "dropping them from")] {
        let notice = |number: usize| DeferredNotice {
            event_path: format!("Charm/on/start[{number}]"),
            method: "gone".to_owned(),
            since,
            ..notice.clone()
        };
        let queue = Queue::new((0..1000).map(notice).collect(), 1000);
        let mut framework = framework_with(None, queue);
        let mut notes = Notes::default();
        assert!(run(&mut framework, &mut notes).is_empty());
        let lines: Vec<&String> = notes
            .done
            .iter()
            .filter(|line| line.starts_with("No handler for"))
            .collect();
        assert_eq!(lines.len(), 21);
        assert_eq!(
            *lines[20],
            format!("No handler for 980 more deferred events in this revision; {doing} the queue.")
        );
        let left = if since.is_some() { 0 } else { 1000 };
        assert_eq!(framework.queue().notices().len(), left);
    }
}

#[test]
fn a_handler_that_emits_its_own_event_again_is_not_called_twice() {
    let mut framework = framework(None);
    framework.define("Charm/Lib[db]", "ready").unwrap();
    framework
        .observe("Charm/Lib[db]", "ready", "Charm", "on")
        .unwrap();
    let mut notes = Notes::default();
    let first = framework
        .emit("Charm/Lib[db]", "ready", "{}", &mut notes)
        .unwrap();
    assert_eq!(first.len(), 1);
    assert!(
        framework
            .emit("Charm/Lib[db]", "ready", "{}", &mut notes)
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        framework
            .emit("Charm/Lib[db]", "ready", "{\"n\":1}", &mut notes)
            .unwrap()
            .len(),
        1
    );
    framework
        .settle(first[0].id, &later(""), &mut Notes::default())
        .unwrap();
    // Equal to what is kept now.
    assert!(
        framework
            .emit("Charm/Lib[db]", "ready", "{}", &mut notes)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn bad_registrations_are_refused_by_name() {
    for (source, event, observer, method, wanted) in [
        (
            "Charm",
            "strat",
            "Charm",
            "on",
            "cannot observe \"strat\" of Charm: the charm has no such event",
        ),
        (
            "",
            "start",
            "Charm",
            "on",
            "cannot observe \"start\" of the framework",
        ),
        (
            "Charm",
            "pre-commit",
            "Charm",
            "on",
            "event name \"pre-commit\" is malformed",
        ),
        ("Charm", "start", "", "on", "observer \"\" is malformed"),
        (
            "Charm",
            "start",
            "Charm",
            "1on",
            "method \"1on\" is malformed",
        ),
        (
            "Charm/Lib[a][b]",
            "x",
            "Charm",
            "on",
            "source \"Charm/Lib[a][b]\" is malformed",
        ),
        (
            &"x".repeat(4097),
            "x",
            "Charm",
            "on",
            "it must have at most 4096 bytes",
        ),
        (
            "Charm//Lib",
            "x",
            "Charm",
            "on",
            "source \"Charm//Lib\" is malformed",
        ),
    ] {
        let error = framework(None)
            .observe(source, event, observer, method)
            .unwrap_err();
        assert!(
            error.to_string().contains(wanted),
            "got {error}, wanted {wanted}"
        );
    }
}

#[test]
fn a_deferral_has_the_time_of_the_clock() {
    let mut framework = framework(Some(JujuEvent::of_unit(EventKind::Start)));
    framework.observe("Charm", "start", "Charm", "on").unwrap();
    let mut notes = Notes::default();
    let delivery = framework.next(&mut notes).unwrap().unwrap();
    let deferred = Outcome::Deferred(String::new());
    framework
        .settle(delivery.id, &deferred, &mut notes)
        .unwrap();
    assert_eq!(notices(framework.queue())[0].since, Some(43_200.5));
}

/// A hook that has no event of its own.
fn other() -> Event {
    let variables = [("JUJU_X".to_owned(), "1".to_owned())];
    Event::Other {
        name: "meter_status_changed".to_owned(),
        variables: BTreeMap::from(variables),
    }
}

#[test]
fn a_hook_without_an_event_is_observed_as_other_and_can_be_deferred() {
    let new = |event, queue| {
        let names = Box::new(|_: &str| false);
        Framework::new(Some(event), false, names, queue, Arc::new(Noon))
    };
    let notes = &mut Notes::default();
    let mut unobserved = new(other(), Queue::default());
    while unobserved.next(notes).unwrap().is_some() {}
    let mut framework = new(other(), Queue::default());
    framework
        .observe("Charm", "other", "Charm", "on_other")
        .unwrap();
    let delivery = framework.next(notes).unwrap().unwrap();
    assert_eq!(delivery.event, other());
    let deferred = Outcome::Deferred("later".to_owned());
    framework.settle(delivery.id, &deferred, notes).unwrap();
    while framework.next(notes).unwrap().is_some() {}
    // ops neither emits nor counts a hook that the charm does not define.
    assert_eq!(
        unobserved.queue().counter() + 1,
        framework.queue().counter()
    );
    let [notice] = notices(framework.queue()).try_into().unwrap();
    assert_eq!(notice.name, "other");
    assert_eq!(Event::restore_other(&notice.snapshot), Some(other()));
}

#[test]
fn an_event_without_a_handler_in_the_guest_stays_in_the_queue() {
    let mut framework = framework(Some(JujuEvent::of_unit(EventKind::Start)));
    framework.observe("Charm", "start", "Charm", "a").unwrap();
    let notes = &mut Notes::default();
    let delivery = framework.next(notes).unwrap().unwrap();
    let outcome = Outcome::Undeliverable("there is no method a".to_owned());
    framework.settle(delivery.id, &outcome, notes).unwrap();
    assert_eq!(changes(framework.queue()), ["add a"]);
    let logged = "Cannot deliver event start to Charm.a: there is no method a; keeping it in the queue for the next revision of the charm.";
    assert_eq!(notes.done.last().map(String::as_str), Some(logged));
}

#[test]
fn an_event_that_a_revision_cannot_handle_waits_for_the_next_one() {
    let next = |queue: Queue, revision: Option<&'static str>| {
        let queue = Queue::new(notices(&queue), 0);
        let mut framework = framework_with(None, queue)
            .with_revision(Box::new(move || revision.map(str::to_owned)));
        framework.observe("Charm", "start", "Charm", "a").unwrap();
        let mut notes = Notes::default();
        let delivered = framework.next(&mut notes).unwrap();
        if let Some(delivery) = &delivered {
            let outcome = Outcome::Undeliverable("no method a".to_owned());
            framework.settle(delivery.id, &outcome, &mut notes).unwrap();
        }
        (framework.queue().clone(), delivered.is_some())
    };
    let mut first = framework(Some(JujuEvent::of_unit(EventKind::Start)));
    first.observe("Charm", "start", "Charm", "a").unwrap();
    let delivery = first.next(&mut Notes::default()).unwrap().unwrap();
    let deferred = Outcome::Deferred("later".to_owned());
    let notes = &mut Notes::default();
    first.settle(delivery.id, &deferred, notes).unwrap();
    let mut queue = first.queue().clone();
    for (revision, wanted) in [
        (Some("1"), true),
        (Some("1"), false),
        (Some("2"), true),
        (Some("2"), false),
        // Unknown revisions are not equal.
        (None, true),
        (None, true),
        (Some("2"), true),
    ] {
        let delivered;
        (queue, delivered) = next(queue, revision);
        assert_eq!(delivered, wanted, "{revision:?}");
        assert_eq!(queue.notices().len(), 1, "{revision:?}");
    }
}

#[test]
fn a_stored_state_has_the_path_of_ops() {
    for (object, key, wanted) in [
        ("Charm", "_stored", Some("Charm/StoredStateData[_stored]")),
        (
            "Charm/Lib[db]",
            "x",
            Some("Charm/Lib[db]/StoredStateData[x]"),
        ),
        ("", "x", None),
        ("Charm", "", None),
        ("Charm", "a]b", None),
        ("Charm", "a/b", None),
        ("Charm//x", "y", None),
    ] {
        assert_eq!(stored_state_path(object, key).ok().as_deref(), wanted);
        let read = wanted.and_then(|path| stored_state_key(object, path));
        assert_eq!(read, wanted.map(|_| key));
    }
    for path in [
        "Charm/Lib[db]/StoredStateData[x]",
        "Charm2/StoredStateData[x]",
        "Charm/on/start[1]",
    ] {
        assert_eq!(stored_state_key("Charm", path), None, "{path}");
    }
}
