//! What is delivered, to whom, in which order.

use charmhost_juju::{Scope, StatusName};

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
}

fn framework(event: Option<JujuEvent>) -> Framework {
    Framework::new(
        event,
        false,
        Box::new(|name| ["start", "stop"].contains(&name)),
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
    let mut framework = framework(Some(JujuEvent::Start));
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
    let mut framework = framework(Some(JujuEvent::Start));
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
    let mut framework = Framework::new(Some(JujuEvent::CollectMetrics), true, Box::new(|_| true));
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
    framework
        .observe("Charm/Lib[db]", "ready", "Charm", "on_ready")
        .unwrap();
    let deliveries = framework
        .emit("Charm/Lib[db]", "ready", "{\"n\":1}")
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
        framework.done(deliveries[0].id, &Settlement::Handled),
        Ok(())
    );
    assert!(
        framework
            .emit("Charm/Lib[other]", "ready", "{}")
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_delivery_is_settled_once() {
    let mut framework = framework(Some(JujuEvent::Start));
    framework.observe("Charm", "start", "Charm", "on").unwrap();
    let delivery = framework.next(&mut Notes::default()).unwrap().unwrap();
    assert_eq!(framework.done(delivery.id, &Settlement::Handled), Ok(()));
    assert_eq!(
        framework.done(delivery.id, &Settlement::Handled),
        Err(Error::UnknownDelivery(delivery.id))
    );
}

#[test]
fn what_cannot_be_deferred_is_refused_with_the_reason() {
    for (event, wanted) in [
        (JujuEvent::Stop, Error::NotDeferrable("stop".to_owned())),
        (JujuEvent::Start, Error::NoQueue("start".to_owned())),
    ] {
        let mut framework = framework(Some(event.clone()));
        framework
            .observe("Charm", &event.name(), "Charm", "on")
            .unwrap();
        let delivery = framework.next(&mut Notes::default()).unwrap().unwrap();
        let later = Settlement::Deferred("later".to_owned());
        assert_eq!(framework.done(delivery.id, &later), Err(wanted));
    }
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
