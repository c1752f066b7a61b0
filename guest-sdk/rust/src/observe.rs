//! Registration of handlers for events.

use std::any::type_name;
use std::panic::Location;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::framework as wit;
use crate::error::Failure;
use crate::objects::{self, Holder};
use crate::*;

/// Return type of a handler: `()` or `Result<()>`.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    note = "a handler returns nothing or `Result<()>`"
)]
pub trait IntoResult {
    #[doc(hidden)]
    fn into_result(self) -> Result<(), Failure>;
}

impl IntoResult for () {
    fn into_result(self) -> Result<(), Failure> {
        Ok(())
    }
}

impl<E: Into<Failure>> IntoResult for Result<(), E> {
    fn into_result(self) -> Result<(), Failure> {
        self.map_err(Into::into)
    }
}

/// A method that handles an event, returning nothing or a [`Result`]:
/// `fn(&self, event: E)`, or, in a charm, `fn(&mut self, event: E)`.
///
/// `How` is [`Reads`] or [`Changes`], which the compiler infers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{E}` for `{O}`",
    label = "this is not a handler of `{E}`",
    note = "write a method `fn name(&mut self, event: {E}) -> Result<()>` and name it as `Self::name`; it may return nothing, and a library's takes `&self`"
)]
pub trait Handler<O, E, How>: 'static {
    #[doc(hidden)]
    fn handle(&self, object: &Holder<O>, event: E) -> Result<(), Failure>;
}

/// A handler that takes `&self`.
pub struct Reads;
/// A handler that takes `&mut self`.
pub struct Changes;

impl<O, E, F, R> Handler<O, E, Reads> for F
where
    F: Fn(&O, E) -> R + 'static,
    R: IntoResult,
{
    fn handle(&self, object: &Holder<O>, event: E) -> Result<(), Failure> {
        match object {
            Holder::Charm(charm) => match charm.try_borrow() {
                Ok(charm) => self(&charm, event).into_result(),
                Err(_) => Err(busy::<F>().into()),
            },
            Holder::Library(library) => self(library, event).into_result(),
        }
    }
}

impl<C: Charm, E, F, R> Handler<C, E, Changes> for F
where
    F: Fn(&mut C, E) -> R + 'static,
    R: IntoResult,
{
    fn handle(&self, object: &Holder<C>, event: E) -> Result<(), Failure> {
        match object {
            Holder::Charm(charm) => match charm.try_borrow_mut() {
                Ok(mut charm) => self(&mut charm, event).into_result(),
                Err(_) => Err(busy::<F>().into()),
            },
            // `Charm::new` creates charms only.
            Holder::Library(_) => Err(busy::<F>().into()),
        }
    }
}

fn busy<F>() -> Error {
    let method = method_name(type_name::<F>()).unwrap_or("a handler");
    Error::invalid(format!(
        "cannot call {method} while another handler of the charm emits its event: both must take &self instead of &mut self"
    ))
}

type Call<O> = Box<dyn Fn(&Holder<O>, Event) -> Result<(), Failure>>;

/// Registers handlers of the charm, in [`Charm::new`], or of a library, in its
/// constructor.
///
/// Handlers of one event are called in the order of registration.
pub struct Observe<O> {
    object: Object,
    /// The charm's path, which is the source of Juju's events.
    charm: &'static str,
    /// Registrations by number, with their handlers.
    calls: Vec<(usize, Call<O>)>,
}

/// Returns the last part of a type's path, without its parameters.
fn bare_name(path: &'static str) -> &'static str {
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

/// Returns the name of the method of a function type.
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
            pub fn $name<H>(&mut self, handler: impl Handler<O, $event, H>) {
                self.add(stringify!($name).to_owned(), handler);
            }
        )*
    };
}

impl<C: Charm> Observe<C> {
    /// Creates it without handlers.
    pub(crate) fn root() -> Self {
        let charm = bare_name(type_name::<C>());
        stored::set_owner(charm);
        Observe::new(charm.to_owned(), charm)
    }
}

impl<O: 'static> Observe<O> {
    fn new(path: String, charm: &'static str) -> Self {
        objects::claim(&path);
        Observe {
            object: Object::new(path),
            charm,
            calls: Vec::new(),
        }
    }

    /// Connects the registrations with their object.
    pub(crate) fn bind(self, object: Rc<Holder<O>>) {
        for (number, call) in self.calls {
            let object = Rc::clone(&object);
            objects::bind(number, move |event| call(&object, event));
        }
    }

    /// The observing object: its path and its saved state.
    pub fn object(&self) -> Object {
        self.object.clone()
    }

    /// Adds a library to the charm: an object with its own observers, events and
    /// state.
    ///
    /// The type's name and the key, which distinguishes two of one type, are its path
    /// in saved state. Handlers of a library take `&self`.
    ///
    /// ```
    /// use charmhost::prelude::*;
    /// use std::rc::Rc;
    ///
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Ready { url: String }
    ///
    /// struct Database { pub ready: Source<Ready> }
    ///
    /// impl Database {
    ///     fn new(on: &mut Observe<Self>, endpoint: &str) -> Self {
    ///         on.relation(endpoint).changed(Self::on_changed);
    ///         Database { ready: on.define("ready") }
    ///     }
    ///
    ///     fn on_changed(&self, event: RelationChangedEvent) -> Result<()> {
    ///         self.ready.emit(Ready { url: "postgresql://…".into() })
    ///     }
    /// }
    ///
    /// struct Shop { db: Rc<Database> }
    ///
    /// impl Charm for Shop {
    ///     fn new(on: &mut Observe<Self>) -> Self {
    ///         let db = on.library("db", |on| Database::new(on, "db"));
    ///         on.custom(&db.ready, Self::on_database_ready);
    ///         Shop { db }
    ///     }
    /// }
    ///
    /// impl Shop {
    ///     fn on_database_ready(&mut self, event: Custom<Ready>) {
    ///         log::info!("the database is at {}", event.url);
    ///     }
    /// }
    /// ```
    pub fn library<L: 'static>(
        &mut self,
        key: &str,
        new: impl FnOnce(&mut Observe<L>) -> L,
    ) -> Rc<L> {
        let kind = bare_name(type_name::<L>());
        let path = format!("{}/{kind}[{key}]", self.object.path());
        let mut on = Observe::new(path, self.charm);
        let library = Rc::new(new(&mut on));
        on.bind(Rc::new(Holder::Library(Rc::clone(&library))));
        library
    }

    /// Defines a custom event of the object, with data of any serde type.
    #[track_caller]
    pub fn define<E: Serialize + DeserializeOwned>(&mut self, name: &str) -> Source<E> {
        self.object.define(name)
    }

    /// Observes a custom event of a library or of the charm.
    #[track_caller]
    pub fn custom<E, H>(&mut self, source: &Source<E>, handler: impl Handler<O, Custom<E>, H>)
    where
        E: DeserializeOwned + 'static,
    {
        let (object, event) = (source.object.clone(), source.event.clone());
        let source = source.clone();
        let read = move |event| Custom::read(event, &source).map(Some);
        self.add_reading(object, event, handler, read);
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
        /// Juju collects metrics (Juju before 3.6.11).
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

    /// Local state is about to be saved.
    #[track_caller]
    pub fn pre_commit<H>(&mut self, handler: impl Handler<O, PreCommitEvent, H>) {
        self.add_to(String::new(), "pre_commit".to_owned(), handler);
    }

    /// State is being saved.
    #[track_caller]
    pub fn commit<H>(&mut self, handler: impl Handler<O, CommitEvent, H>) {
        self.add_to(String::new(), "commit".to_owned(), handler);
    }

    /// An operator runs an action of the charm's metadata.
    #[track_caller]
    pub fn action<H>(&mut self, name: &str, handler: impl Handler<O, ActionEvent, H>) {
        self.add(format!("{}_action", name.replace('-', "_")), handler);
    }

    /// The events of an endpoint of the charm's metadata.
    pub fn relation(&mut self, endpoint: &str) -> ObserveRelation<'_, O> {
        ObserveRelation {
            prefix: endpoint.replace('-', "_"),
            observe: self,
        }
    }

    /// The events of a storage of the charm's metadata.
    pub fn storage(&mut self, name: &str) -> ObserveStorage<'_, O> {
        ObserveStorage {
            prefix: name.replace('-', "_"),
            observe: self,
        }
    }

    /// The events of a container of the charm's metadata.
    pub fn container(&mut self, name: &str) -> ObserveContainer<'_, O> {
        ObserveContainer {
            prefix: name.replace('-', "_"),
            observe: self,
        }
    }

    /// Observes an event by its name in ops, for example `db_relation_changed`, with
    /// a handler that takes any [`Event`].
    #[track_caller]
    pub fn event<H>(&mut self, name: &str, handler: impl Handler<O, Event, H>) {
        self.add(name.to_owned(), handler);
    }

    #[track_caller]
    fn add<E: FromEvent, H>(&mut self, event: String, handler: impl Handler<O, E, H>) {
        self.add_to(self.charm.to_owned(), event, handler);
    }

    #[track_caller]
    fn add_to<E: FromEvent, H>(
        &mut self,
        source: String,
        event: String,
        handler: impl Handler<O, E, H>,
    ) {
        self.add_reading(source, event, handler, |event| Ok(E::from_event(event)));
    }

    #[track_caller]
    fn add_reading<E, How, H: Handler<O, E, How>>(
        &mut self,
        source: String,
        event: String,
        handler: H,
        read: impl Fn(Event) -> Result<Option<E>> + 'static,
    ) {
        let Some(method) = method_name(type_name::<H>()) else {
            panic!(
                "cannot observe {event} with a closure: deferred events are saved with the name of their handler; write a method and name it as Self::method"
            );
        };
        let observer = self.object.path().to_owned();
        let place = Location::caller();
        let key = wit::Observer {
            event: wit::EventKey {
                source,
                name: event,
            },
            path: observer,
            method: method.to_owned(),
        };
        let number = objects::register(key, place);
        let call = move |object: &Holder<O>, event: Event| match read(event)? {
            Some(event) => handler.handle(object, event),
            None => Ok(()),
        };
        self.calls.push((number, Box::new(call)));
    }
}

macro_rules! owned_events {
    ($(#[$struct_doc:meta])* $observe:ident { $($(#[$doc:meta])* $method:ident($event:ty) = $suffix:literal;)* }) => {
        $(#[$struct_doc])*
        pub struct $observe<'a, O> {
            prefix: String,
            observe: &'a mut Observe<O>,
        }

        impl<O: 'static> $observe<'_, O> {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $method<H>(self, handler: impl Handler<O, $event, H>) -> Self {
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
        /// A relation was created.
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

    /// Registrations of the running test: each test has its own thread.
    fn registered() -> Vec<String> {
        objects::names()
    }

    #[test]
    fn observers_are_named_by_the_charm_the_event_and_the_method() {
        objects::make::<Sample>();
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
    fn any_error_of_a_handler_becomes_a_failure() {
        let event = RelationChangedEvent {
            endpoint: "my-db".into(),
            relation_id: 1,
            app: None,
            unit: None,
        };
        let charm = Holder::Charm(std::cell::RefCell::new(Sample));
        let error = Sample::on_changed.handle(&charm, event).unwrap_err();
        assert!(error.to_string().contains("error occurred when formatting"));
    }

    #[test]
    #[should_panic(expected = "cannot observe start with a closure")]
    fn a_closure_has_no_name_to_save() {
        Observe::<Sample>::root().start(|_: &mut Sample, _: StartEvent| {});
    }

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Ready;

    struct Outer;
    struct Inner {
        ready: Source<Ready>,
    }
    struct Shop;

    impl Inner {
        fn new(on: &mut Observe<Self>) -> Self {
            on.start(Self::on_start);
            Inner {
                ready: on.define("ready"),
            }
        }
        fn on_start(&self, _: StartEvent) {}
    }

    impl Outer {
        fn on_ready(&self, _: Custom<Ready>) {}
    }

    impl Charm for Shop {
        fn new(on: &mut Observe<Self>) -> Self {
            on.stop(Self::on_stop);
            on.library("o", |on| {
                let inner = on.library("i", Inner::new);
                on.custom(&inner.ready, Outer::on_ready);
                Outer
            });
            on.remove(Self::on_remove);
            Shop
        }
    }

    impl Shop {
        fn on_stop(&self, _: StopEvent) {}
        fn on_remove(&mut self, _: RemoveEvent) {}
    }

    #[test]
    fn libraries_observe_by_their_own_paths_in_the_order_of_all() {
        objects::make::<Shop>();
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
    #[should_panic(expected = "two objects have the path Shop/Outer[o]")]
    fn two_libraries_with_one_path_are_rejected() {
        let mut on = Observe::<Shop>::root();
        on.library("o", |_| Outer);
        on.library("o", |_| Outer);
    }

    #[test]
    fn a_handler_that_changes_the_charm_cannot_run_within_another() {
        let charm = std::cell::RefCell::new(Shop);
        let holder = Holder::Charm(charm);
        let Holder::Charm(cell) = &holder else {
            unreachable!()
        };
        let _handling = cell.borrow();
        Shop::on_stop.handle(&holder, StopEvent {}).unwrap();
        let error = Shop::on_remove.handle(&holder, RemoveEvent {}).unwrap_err();
        assert!(error.to_string().contains("cannot call on_remove"));
    }
}
