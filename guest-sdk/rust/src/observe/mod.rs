//! Registration of handlers for events.

use std::any::type_name;
use std::panic::Location;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::framework as wit;
use crate::error::Failure;
use crate::objects;
use crate::*;

/// A method that handles an event: `fn(&self, event: E)`, returning nothing, a
/// [`Result`], or a `Result<Settlement>` if it can defer the event. The error may be
/// of any type that is a `std::error::Error` or can become one, for example
/// `anyhow::Error`.
///
/// `Returns` is inferred: [`Value`] or [`Fallible`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{E}` for `{O}`",
    label = "this is not a handler of `{E}`",
    note = "write a method `fn name(&self, event: {E}) -> Result<()>` and name it as `Self::name`; it may return nothing, or `Result<Settlement>` to defer its event"
)]
pub trait Handler<O, E, Returns>: 'static {
    #[doc(hidden)]
    fn handle(&self, object: &O, event: E) -> Result<Settlement, Failure>;
}

/// A handler that returns nothing or a [`Settlement`].
pub struct Value;
/// A handler that returns a [`Result`].
pub struct Fallible;

// With one implementation instead of two, the compiler would report its bounds
// instead of the message above.
impl<O, E, F, R> Handler<O, E, Value> for F
where
    F: Fn(&O, E) -> R + 'static,
    R: Into<Settlement>,
{
    fn handle(&self, object: &O, event: E) -> Result<Settlement, Failure> {
        Ok(self(object, event).into())
    }
}

impl<O, E, F, R, X> Handler<O, E, Fallible> for F
where
    F: Fn(&O, E) -> Result<R, X> + 'static,
    R: Into<Settlement>,
    X: Into<Failure>,
{
    fn handle(&self, object: &O, event: E) -> Result<Settlement, Failure> {
        match self(object, event) {
            Ok(settled) => Ok(settled.into()),
            Err(error) => Err(error.into()),
        }
    }
}

type Call<O> = Box<dyn Fn(&O, Event) -> Result<wit::Settlement, Failure>>;

/// Registers handlers of the charm, in [`Charm::new`], or of a library, in its
/// constructor.
///
/// Handlers of one event are called in the order of registration.
///
/// | event of ops | registration |
/// |---|---|
/// | `install`, `start`, `config_changed`, … | [`install`](Self::install), [`start`](Self::start), [`config_changed`](Self::config_changed), … |
/// | `<endpoint>_relation_created`, `_joined`, `_changed`, `_departed`, `_broken` | [`relation`](Self::relation)`("endpoint")` and a method of [`ObserveRelation`] |
/// | `<storage>_storage_attached`, `_detaching` | [`storage`](Self::storage)`("storage")` and a method of [`ObserveStorage`] |
/// | `<container>_pebble_ready`, `_pebble_custom_notice`, `_pebble_check_failed`, `_pebble_check_recovered` | [`container`](Self::container)`("container")` and a method of [`ObserveContainer`] |
/// | `<action>_action` | [`action`](Self::action)`("action")` |
/// | `secret_changed`, … | [`secret_changed`](Self::secret_changed), … |
/// | `collect_unit_status`, `collect_app_status` | [`collect_unit_status`](Self::collect_unit_status), [`collect_app_status`](Self::collect_app_status) |
/// | events of a library | [`custom`](Self::custom) |
/// | hooks that ops does not know | [`other`](Self::other) |
///
/// ```
/// # use charmhost::prelude::*;
/// # struct Shop;
/// impl Charm for Shop {
///     fn new(on: &mut Observe<Self>) -> Result<Self> {
///         on.relation("db")
///             .changed(Self::on_db_changed)
///             .broken(Self::on_db_broken);
///         on.storage("data").attached(Self::on_data_attached);
///         on.container("web")
///             .pebble_ready(Self::on_web_pebble_ready)
///             .pebble_custom_notice(Self::on_web_notice)
///             .pebble_check_failed(Self::on_web_check_failed);
///         Ok(Shop)
///     }
/// }
/// # impl Shop {
/// #     fn on_db_changed(&self, _: RelationChangedEvent) {}
/// #     fn on_db_broken(&self, _: RelationBrokenEvent) {}
/// #     fn on_data_attached(&self, _: StorageAttachedEvent) {}
/// #     fn on_web_pebble_ready(&self, _: PebbleReadyEvent) {}
/// #     fn on_web_notice(&self, _: PebbleCustomNoticeEvent) {}
/// #     fn on_web_check_failed(&self, _: PebbleCheckFailedEvent) {}
/// # }
/// ```
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
            pub fn $name<R>(&mut self, handler: impl Handler<O, $event, R>) {
                self.add(stringify!($name).to_owned(), handler);
            }
        )*
    };
}

impl<C: Charm> Observe<C> {
    /// Creates it without handlers.
    pub(crate) fn root() -> Self {
        Observe::root_of(bare_name(type_name::<C>()))
    }
}

impl<O: 'static> Observe<O> {
    /// Creates it for an object that is the charm, by its name.
    fn root_of(charm: &'static str) -> Self {
        Observe::new(charm.to_owned(), charm)
    }

    fn new(path: String, charm: &'static str) -> Self {
        objects::claim(&path);
        Observe {
            object: Object::new(path),
            charm,
            calls: Vec::new(),
        }
    }

    /// Connects the registrations with their object.
    pub(crate) fn bind(self, object: &Rc<O>) {
        for (number, call) in self.calls {
            let object = Rc::clone(object);
            objects::bind(number, move |event| call(&object, event));
        }
    }

    /// The observing object: its path and its saved state.
    pub fn object(&self) -> Object {
        self.object.clone()
    }

    /// Loads the value that the object saved under a name, or the type's default.
    /// Each name can be loaded once in a dispatch.
    #[track_caller]
    pub fn stored<T>(&self, name: &str) -> Result<Stored<T>>
    where
        T: Serialize + DeserializeOwned + Default + 'static,
    {
        self.object.stored(name)
    }

    /// Adds a library to the charm: an object with its own observers, events and
    /// state.
    ///
    /// The type's name and the key, which distinguishes two of one type, are its path
    /// in saved state.
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
    ///     fn new(on: &mut Observe<Self>, endpoint: &str) -> Result<Self> {
    ///         on.relation(endpoint).changed(Self::on_changed);
    ///         Ok(Database { ready: on.define("ready") })
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
    ///     fn new(on: &mut Observe<Self>) -> Result<Self> {
    ///         let db = on.library("db", |on| Database::new(on, "db"))?;
    ///         on.custom(&db.ready, Self::on_database_ready);
    ///         Ok(Shop { db })
    ///     }
    /// }
    ///
    /// impl Shop {
    ///     fn on_database_ready(&self, event: Custom<Ready>) {
    ///         log::info!("the database is at {}", event.url);
    ///     }
    /// }
    /// ```
    pub fn library<L: 'static>(
        &mut self,
        key: &str,
        new: impl FnOnce(&mut Observe<L>) -> Result<L>,
    ) -> Result<Rc<L>> {
        let kind = bare_name(type_name::<L>());
        let path = format!("{}/{kind}[{key}]", self.object.path());
        objects::create(Observe::new(path, self.charm), new)
    }

    /// Defines a custom event of the object, with data of any serde type.
    #[track_caller]
    pub fn define<E: Serialize + DeserializeOwned>(&mut self, name: &str) -> Source<E> {
        self.object.define(name)
    }

    /// Observes a custom event of a library or of the charm.
    #[track_caller]
    pub fn custom<E, R>(&mut self, source: &Source<E>, handler: impl Handler<O, Custom<E>, R>)
    where
        E: DeserializeOwned + 'static,
    {
        let (object, event) = (source.object.clone(), source.event.clone());
        self.add_reading(object, event, handler, Custom::read);
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
        /// Any hook that has no event of its own, for example one of a newer Juju.
        other(OtherEvent);
    }

    /// Local state is about to be saved.
    #[track_caller]
    pub fn pre_commit<R>(&mut self, handler: impl Handler<O, PreCommitEvent, R>) {
        self.add_to(String::new(), "pre_commit".to_owned(), handler);
    }

    /// State is being saved.
    #[track_caller]
    pub fn commit<R>(&mut self, handler: impl Handler<O, CommitEvent, R>) {
        self.add_to(String::new(), "commit".to_owned(), handler);
    }

    /// An operator runs an action of the charm's metadata.
    #[track_caller]
    pub fn action<R>(&mut self, name: &str, handler: impl Handler<O, ActionEvent, R>) {
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
    pub fn event<R>(&mut self, name: &str, handler: impl Handler<O, Event, R>) {
        self.add(name.to_owned(), handler);
    }

    #[track_caller]
    fn add<E: FromEvent, R>(&mut self, event: String, handler: impl Handler<O, E, R>) {
        self.add_to(self.charm.to_owned(), event, handler);
    }

    #[track_caller]
    fn add_to<E: FromEvent, R>(
        &mut self,
        source: String,
        event: String,
        handler: impl Handler<O, E, R>,
    ) {
        let read = |event| E::from_event(event).ok_or("the handler takes another event".to_owned());
        self.add_reading(source, event, handler, read);
    }

    #[track_caller]
    fn add_reading<E, R, H: Handler<O, E, R>>(
        &mut self,
        source: String,
        event: String,
        handler: H,
        read: impl Fn(Event) -> Result<E, String> + 'static,
    ) {
        let Some(method) = method_name(type_name::<H>()) else {
            panic!(
                "cannot observe {event} with a closure: deferred events are saved with the name of their handler; write a method and name it as Self::method"
            );
        };
        let key = wit::Observer {
            event: wit::EventKey {
                source,
                name: event,
            },
            path: self.object.path().to_owned(),
            method: method.to_owned(),
        };
        let number = objects::register(key, Location::caller());
        let call = move |object: &O, event: Event| match read(event) {
            Ok(event) => handler.handle(object, event).map(settlement::to_wit),
            Err(reason) => Ok(wit::Settlement::Undeliverable(reason)),
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
                pub fn $method<R>(self, handler: impl Handler<O, $event, R>) -> Self {
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
mod tests;
