use super::*;

struct Sample;

impl Charm for Sample {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.start(Self::on_start);
        on.action("do-it", Self::on_action);
        on.relation("my-db")
            .changed(Self::on_changed)
            .broken(Self::on_broken);
        on.commit(Self::on_commit);
        Ok(Sample)
    }
}

impl Sample {
    fn on_start(&self, event: StartEvent) -> Result<Settlement> {
        event.defer("later")
    }
    fn on_action(&self, _: ActionEvent) -> Result<()> {
        Ok(())
    }
    fn on_changed(&self, _: RelationChangedEvent) -> Result<(), std::fmt::Error> {
        Err(std::fmt::Error)
    }
    fn on_broken(&self, _: RelationBrokenEvent) {}
    fn on_commit(&self, _: CommitEvent) {}
}

/// Registrations of the running test: each test has its own thread.
fn registered() -> Vec<String> {
    objects::names()
}

fn event(event: crate::bindings::events::Event) -> Event {
    events::from_wit(event, None)
}

#[test]
fn observers_are_named_by_the_charm_the_event_and_the_method() {
    objects::create(Observe::root(), Sample::new).unwrap();
    assert_eq!(
        registered(),
        [
            "Sample.start Sample.on_start",
            "Sample.do_it_action Sample.on_action",
            "Sample.my_db_relation_changed Sample.on_changed",
            "Sample.my_db_relation_broken Sample.on_broken",
            ".commit Sample.on_commit",
        ]
    );
}

#[test]
fn a_handler_may_return_any_error_nothing_or_a_deferral() {
    use crate::bindings::events::{Event as WitEvent, RelationChangedEvent as Changed};
    let changed = WitEvent::RelationChanged(Changed {
        endpoint: "my-db".into(),
        relation_id: 1,
        app: None,
        unit: None,
    });
    let changed = RelationChangedEvent::from_event(event(changed)).unwrap();
    let failure = Sample::on_changed.handle(&Sample, changed).unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("error occurred when formatting")
    );

    let start = StartEvent::from_event(event(WitEvent::Start)).unwrap();
    assert_eq!(start.deferred(), None);
    let settlement = Sample::on_start.handle(&Sample, start).unwrap();
    assert!(matches!(settlement, Settlement::Deferred(d) if d.reason == "later"));
    let commit = CommitEvent::from_event(event(WitEvent::Commit)).unwrap();
    let settlement = Sample::on_commit.handle(&Sample, commit).unwrap();
    assert_eq!(settlement, Settlement::Handled);
}

#[test]
fn an_event_of_another_kind_is_undeliverable() {
    use crate::bindings::events::Event as WitEvent;
    let mut on = Observe::<Sample>::root();
    on.start(Sample::on_start);
    let (_, call) = on.calls.pop().unwrap();
    let settlement = call(&Sample, event(WitEvent::Stop)).unwrap();
    assert!(matches!(settlement, wit::Settlement::Undeliverable(_)));
}

#[test]
#[should_panic(expected = "cannot observe start with a closure")]
fn a_closure_has_no_name_to_save() {
    Observe::<Sample>::root().start(|_: &Sample, _: StartEvent| {});
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Ready {
    port: u16,
}

struct Outer;
struct Inner {
    ready: Source<Ready>,
}
struct Shop;

impl Inner {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.start(Self::on_start);
        Ok(Inner {
            ready: on.define("ready"),
        })
    }
    fn on_start(&self, _: StartEvent) {}
}

impl Outer {
    fn on_ready(&self, _: Custom<Ready>) {}
}

impl Charm for Shop {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.stop(Self::on_stop);
        on.library("o", |on| {
            let inner = on.library("i", Inner::new)?;
            on.custom(&inner.ready, Outer::on_ready);
            Ok(Outer)
        })?;
        on.remove(Self::on_remove);
        Ok(Shop)
    }
}

impl Shop {
    fn on_stop(&self, _: StopEvent) {}
    fn on_remove(&self, _: RemoveEvent) {}
}

#[test]
fn libraries_observe_by_their_own_paths_in_the_order_of_all() {
    objects::create(Observe::root(), Shop::new).unwrap();
    assert_eq!(
        registered(),
        [
            "Shop.stop Shop.on_stop",
            "Shop.start Shop/Outer[o]/Inner[i].on_start",
            "Shop/Outer[o]/Inner[i].ready Shop/Outer[o].on_ready",
            "Shop.remove Shop.on_remove",
        ]
    );
}

#[test]
fn data_of_another_form_is_undeliverable_and_no_failure() {
    use crate::bindings::events::{CustomEvent as WitCustom, Event as WitEvent};
    let mut on = Observe::<Outer>::root_of("Outer");
    let ready = on.define::<Ready>("ready");
    on.custom(&ready, Outer::on_ready);
    let (_, call) = on.calls.pop().unwrap();
    let custom = |snapshot: &str| {
        event(WitEvent::Custom(WitCustom {
            name: "ready".into(),
            snapshot: snapshot.into(),
        }))
    };
    let settlement = call(&Outer, custom("{\"port\": 80}")).unwrap();
    assert!(matches!(settlement, wit::Settlement::Handled));
    let settlement = call(&Outer, custom("{\"port\": \"eighty\"}")).unwrap();
    let wit::Settlement::Undeliverable(reason) = settlement else {
        panic!("{settlement:?}");
    };
    assert!(reason.contains("does not fit the handler"), "{reason}");
}

#[test]
#[should_panic(expected = "two objects have the path Shop/Outer[o]")]
fn two_libraries_with_one_path_are_rejected() {
    let mut on = Observe::<Shop>::root();
    on.library("o", |_| Ok(Outer)).unwrap();
    on.library("o", |_| Ok(Outer)).unwrap();
}

#[test]
#[should_panic(expected = "cannot call the SDK in a native program")]
fn a_call_in_a_native_test_fails_with_a_sentence() {
    let _ = unit().is_leader();
}
