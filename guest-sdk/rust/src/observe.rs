//! Which events a charm observes, and with which methods.

use std::any::type_name;
use std::panic::Location;

use crate::*;

/// What a handler may return: nothing, or a result of nothing.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    note = "a handler returns nothing or `Result<()>`"
)]
pub trait IntoResult {
    /// The result.
    fn into_result(self) -> Result<()>;
}

impl IntoResult for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl<E: Into<Error>> IntoResult for Result<(), E> {
    fn into_result(self) -> Result<()> {
        self.map_err(Into::into)
    }
}

/// A method that handles an event: `fn(&mut self, event: E)`, returning
/// nothing or a [`Result`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{E}` for the charm `{C}`",
    label = "this is not a handler of `{E}`",
    note = "write a method `fn name(&mut self, event: {E}) -> Result<()>` and name it as `Self::name`"
)]
pub trait Handler<C, E>: 'static {
    /// Handles an event.
    fn call(&self, charm: &mut C, event: E) -> Result<()>;
}

impl<C, E, F, R> Handler<C, E> for F
where
    F: Fn(&mut C, E) -> R + 'static,
    R: IntoResult,
{
    fn call(&self, charm: &mut C, event: E) -> Result<()> {
        self(charm, event).into_result()
    }
}

type Call<C> = Box<dyn Fn(&mut C, Event) -> Result<()>>;

/// An event, the method that handles it, and where in the charm that is said.
pub(crate) struct Observer<C> {
    pub source: String,
    pub event: String,
    pub method: String,
    pub call: Call<C>,
    pub place: &'static Location<'static>,
}

/// What a charm observes: one method for each event, named in [`Charm::new`].
///
/// Handlers of one event are called in the order in which they are named.
pub struct Observe<C> {
    pub(crate) charm: &'static str,
    pub(crate) observers: Vec<Observer<C>>,
}

/// The last part of a type's path, without its parameters.
fn bare_name(path: &'static str) -> &'static str {
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

/// The name of the method that a type of function stands for.
fn method_name(path: &'static str) -> Option<&'static str> {
    let name = path.rsplit("::").next().unwrap_or(path);
    let is_identifier = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_identifier && !path.contains("{{closure}}")).then_some(name)
}

macro_rules! base_events {
    ($($(#[$doc:meta])* $name:ident($event:ty);)*) => {
        $(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&mut self, handler: impl Handler<C, $event>) {
                self.add(stringify!($name).to_owned(), handler);
            }
        )*
    };
}

impl<C: Charm> Observe<C> {
    pub(crate) fn new() -> Self {
        Observe {
            charm: bare_name(type_name::<C>()),
            observers: Vec::new(),
        }
    }

    base_events! {
        /// The charm was unpacked on this unit for the first time.
        install(InstallEvent);
        /// The unit starts.
        start(StartEvent);
        /// The unit is about to be stopped.
        stop(StopEvent);
        /// The unit is about to disappear.
        remove(RemoveEvent);
        /// Sent every few minutes.
        update_status(UpdateStatusEvent);
        /// Configuration, trust or addresses may have changed.
        config_changed(ConfigChangedEvent);
        /// A new revision of the charm was unpacked.
        upgrade_charm(UpgradeCharmEvent);
        /// This unit has become the leader.
        leader_elected(LeaderElectedEvent);
        /// The leader changed its settings (Juju before 4.0).
        leader_settings_changed(LeaderSettingsChangedEvent);
        /// The machine's series is about to be upgraded (Juju before 4.0).
        pre_series_upgrade(PreSeriesUpgradeEvent);
        /// The machine's series was upgraded (Juju before 4.0).
        post_series_upgrade(PostSeriesUpgradeEvent);
        /// Metrics are wanted (Juju before 3.6.11).
        collect_metrics(CollectMetricsEvent);
        /// A secret that this unit observes has a new revision.
        secret_changed(SecretChangedEvent);
        /// A secret is due for rotation.
        secret_rotate(SecretRotateEvent);
        /// A revision of a secret is no longer used.
        secret_remove(SecretRemoveEvent);
        /// A revision of a secret has expired.
        secret_expired(SecretExpiredEvent);
        /// The application's status is being evaluated; only in the leader.
        collect_app_status(CollectStatusEvent);
        /// The unit's status is being evaluated.
        collect_unit_status(CollectStatusEvent);
    }

    /// The last chance to change state before it is saved.
    #[track_caller]
    pub fn pre_commit(&mut self, handler: impl Handler<C, PreCommitEvent>) {
        self.add_to(String::new(), "pre_commit".to_owned(), handler);
    }

    /// State is being saved.
    #[track_caller]
    pub fn commit(&mut self, handler: impl Handler<C, CommitEvent>) {
        self.add_to(String::new(), "commit".to_owned(), handler);
    }

    /// An operator runs an action of the charm's metadata.
    #[track_caller]
    pub fn action(&mut self, name: &str, handler: impl Handler<C, ActionEvent>) {
        self.add(format!("{}_action", name.replace('-', "_")), handler);
    }

    /// The events of an endpoint of the charm's metadata.
    pub fn relation(&mut self, endpoint: &str) -> ObserveRelation<'_, C> {
        ObserveRelation {
            prefix: endpoint.replace('-', "_"),
            observe: self,
        }
    }

    /// The events of a storage of the charm's metadata.
    pub fn storage(&mut self, name: &str) -> ObserveStorage<'_, C> {
        ObserveStorage {
            prefix: name.replace('-', "_"),
            observe: self,
        }
    }

    /// The events of a container of the charm's metadata.
    pub fn container(&mut self, name: &str) -> ObserveContainer<'_, C> {
        ObserveContainer {
            prefix: name.replace('-', "_"),
            observe: self,
        }
    }

    /// An event by the name that ops gives it, as `db_relation_changed`, for
    /// handlers that take any [`Event`].
    #[track_caller]
    pub fn event(&mut self, name: &str, handler: impl Handler<C, Event>) {
        self.add(name.to_owned(), handler);
    }

    #[track_caller]
    fn add<E: FromEvent, H: Handler<C, E>>(&mut self, event: String, handler: H) {
        self.add_to(self.charm.to_owned(), event, handler);
    }

    #[track_caller]
    fn add_to<E: FromEvent, H: Handler<C, E>>(
        &mut self,
        source: String,
        event: String,
        handler: H,
    ) {
        let Some(method) = method_name(type_name::<H>()) else {
            panic!(
                "cannot observe {event} with a closure: deferred events are saved with the name of their handler; write a method and name it as Self::method"
            );
        };
        let call = move |charm: &mut C, event: Event| match E::from_event(event) {
            Some(event) => handler.call(charm, event),
            None => Ok(()),
        };
        self.observers.push(Observer {
            source,
            event,
            method: method.to_owned(),
            call: Box::new(call),
            place: Location::caller(),
        });
    }
}

macro_rules! owned_events {
    ($(#[$struct_doc:meta])* $observe:ident { $($(#[$doc:meta])* $method:ident($event:ty) = $suffix:literal;)* }) => {
        $(#[$struct_doc])*
        pub struct $observe<'a, C> {
            prefix: String,
            observe: &'a mut Observe<C>,
        }

        impl<C: Charm> $observe<'_, C> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $method(self, handler: impl Handler<C, $event>) -> Self {
                    self.observe.add(format!("{}_{}", self.prefix, $suffix), handler);
                    self
                }
            )*
        }
    };
}

owned_events! {
    /// The events of a relation's endpoint.
    ObserveRelation {
        /// A relation was made.
        created(RelationCreatedEvent) = "relation_created";
        /// A remote unit joined.
        joined(RelationJoinedEvent) = "relation_joined";
        /// Data of a remote unit or application changed.
        changed(RelationChangedEvent) = "relation_changed";
        /// A remote unit left.
        departed(RelationDepartedEvent) = "relation_departed";
        /// A relation is gone.
        broken(RelationBrokenEvent) = "relation_broken";
    }
}

owned_events! {
    /// The events of a storage.
    ObserveStorage {
        /// An instance was attached.
        attached(StorageAttachedEvent) = "storage_attached";
        /// An instance is about to be detached.
        detaching(StorageDetachingEvent) = "storage_detaching";
    }
}

owned_events! {
    /// The events of a workload container.
    ObserveContainer {
        /// Pebble started, or restarted.
        pebble_ready(PebbleReadyEvent) = "pebble_ready";
        /// A custom notice occurred.
        pebble_custom_notice(PebbleCustomNoticeEvent) = "pebble_custom_notice";
        /// A check reached its failure threshold.
        pebble_check_failed(PebbleCheckFailedEvent) = "pebble_check_failed";
        /// A failed check succeeded again.
        pebble_check_recovered(PebbleCheckRecoveredEvent) = "pebble_check_recovered";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample;

    impl Charm for Sample {
        fn new(on: &mut Observe<Self>) -> Self {
            on.start(Self::on_start);
            on.action("do-it", Self::on_action);
            on.relation("my-db")
                .changed(Self::on_changed)
                .broken(Self::on_broken);
            on.commit(Self::on_commit);
            Sample
        }
    }

    impl Sample {
        fn on_start(&mut self, _: StartEvent) {}
        fn on_action(&mut self, _: ActionEvent) -> Result<()> {
            Ok(())
        }
        fn on_changed(&mut self, _: RelationChangedEvent) -> Result<(), std::fmt::Error> {
            Err(std::fmt::Error)
        }
        fn on_broken(&mut self, _: RelationBrokenEvent) {}
        fn on_commit(&mut self, _: CommitEvent) {}
    }

    #[test]
    fn observers_are_named_by_the_charm_the_event_and_the_method() {
        let mut on = Observe::<Sample>::new();
        Sample::new(&mut on);
        let named: Vec<String> = on
            .observers
            .iter()
            .map(|o| format!("{}.{} {}", o.source, o.event, o.method))
            .collect();
        assert_eq!(
            named,
            [
                "Sample.start on_start",
                "Sample.do_it_action on_action",
                "Sample.my_db_relation_changed on_changed",
                "Sample.my_db_relation_broken on_broken",
                ".commit on_commit",
            ]
        );
    }

    #[test]
    fn any_error_of_a_handler_becomes_the_sdks() {
        let mut on = Observe::<Sample>::new();
        let mut charm = Sample::new(&mut on);
        let event = RelationChangedEvent {
            endpoint: "my-db".into(),
            relation_id: 1,
            app: None,
            unit: None,
        };
        let error = (on.observers[2].call)(&mut charm, Event::RelationChanged(event)).unwrap_err();
        assert!(error.to_string().contains("error occurred when formatting"));
    }

    #[test]
    #[should_panic(expected = "cannot observe start with a closure")]
    fn a_closure_has_no_name_to_save() {
        Observe::<Sample>::new().start(|_: &mut Sample, _: StartEvent| {});
    }
}
