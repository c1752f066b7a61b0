//! The charm and its libraries at run time: observers, and the call of a handler.

use std::cell::{OnceCell, RefCell};
use std::panic::Location;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::framework::{self as wit, Delivery, EventKey, Settlement};
use crate::error::{Failure, ModelResult};
use crate::{Charm, Error, ErrorKind, Event, Result, Stored, events};

/// The charm, or a library that is part of it.
pub enum Holder<O> {
    /// The charm, whose handlers may take `&mut self`.
    Charm(RefCell<O>),
    /// A library, shared with the charm.
    Library(Rc<O>),
}

type Call = Box<dyn Fn(Event) -> Result<(), Failure>>;

/// One registration: an event, its handler, and the location of the registration.
pub(crate) struct Observer {
    pub key: wit::Observer,
    pub place: &'static Location<'static>,
    /// Set when the object of the method is created.
    call: OnceCell<Call>,
}

/// A custom event of an object.
struct Defined {
    event: EventKey,
    place: &'static Location<'static>,
}

#[derive(Default)]
struct Registry {
    /// In the order of registration, over all objects.
    observers: Vec<Rc<Observer>>,
    defined: Vec<Defined>,
    paths: Vec<String>,
}

thread_local! {
    static REGISTRY: RefCell<Registry> = RefCell::default();
}

/// Reserves a path for an object; two objects with one path would overwrite each
/// other's state.
pub(crate) fn claim(path: &str) {
    REGISTRY.with_borrow_mut(|registry| {
        if registry.paths.iter().any(|other| other == path) {
            panic!("two objects have the path {path}: give each library its own key");
        }
        registry.paths.push(path.to_owned());
    });
}

/// Adds a registration without its handler; returns its number.
pub(crate) fn register(key: wit::Observer, place: &'static Location<'static>) -> usize {
    REGISTRY.with_borrow_mut(|registry| {
        registry.observers.push(Rc::new(Observer {
            key,
            place,
            call: OnceCell::new(),
        }));
        registry.observers.len() - 1
    })
}

/// Sets the handler of a registration.
pub(crate) fn bind(number: usize, call: impl Fn(Event) -> Result<(), Failure> + 'static) {
    REGISTRY.with_borrow(|registry| {
        if let Some(observer) = registry.observers.get(number) {
            // A registration belongs to one object, which is created once.
            let _ = observer.call.set(Box::new(call));
        }
    });
}

/// Registers all events and observers with the host; errors have the line of the
/// charm.
pub(crate) fn announce() -> Result<()> {
    REGISTRY.with_borrow(|registry| {
        for Defined { event, place } in &registry.defined {
            let defined = wit::define(event).model();
            defined.map_err(|error| error.at(place))?;
        }
        for observer in &registry.observers {
            let observed = wit::observe(&observer.key).model();
            observed.map_err(|error| error.at(observer.place))?;
        }
        Ok(())
    })
}

/// Calls the handler of a delivery, and settles the delivery.
pub(crate) fn deliver(delivery: Delivery) -> Result<(), Failure> {
    let is_meant = |observer: &&Rc<Observer>| is_same(&observer.key, &delivery.observer);
    let observer = REGISTRY.with_borrow(|r| r.observers.iter().find(is_meant).cloned());
    // Handlers can be nested.
    let outer = events::take_deferral();
    let called = match observer.as_ref().and_then(|observer| observer.call.get()) {
        Some(call) => call(events::from_wit(delivery.event)),
        None => Ok(()),
    };
    let reason = events::put_deferral(outer);
    called.map_err(|failure| failure.in_delivery(delivery.id))?;
    let settlement = match reason {
        Some(reason) => Settlement::Deferred(reason),
        None => Settlement::Handled,
    };
    Ok(wit::done(delivery.id, &settlement).model()?)
}

fn is_same(a: &wit::Observer, b: &wit::Observer) -> bool {
    a.method == b.method
        && a.path == b.path
        && a.event.name == b.event.name
        && a.event.source == b.event.source
}

/// Path of an object, to which its state belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    path: String,
}

impl Object {
    pub(crate) fn new(path: String) -> Self {
        Object { path }
    }

    /// The path, for example `MyCharm/Database[db]`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Loads the value that the object saved under a name, or the type's default.
    #[track_caller]
    pub fn stored<T: Serialize + DeserializeOwned + Default>(
        &self,
        name: &str,
    ) -> Result<Stored<T>> {
        Stored::load_of(&self.path, name)
    }

    #[track_caller]
    pub(crate) fn define<E>(&self, name: &str) -> Source<E> {
        REGISTRY.with_borrow_mut(|registry| {
            registry.defined.push(Defined {
                event: EventKey {
                    source: self.path.clone(),
                    name: name.to_owned(),
                },
                place: Location::caller(),
            });
        });
        Source {
            object: self.path.clone(),
            event: name.to_owned(),
            data: std::marker::PhantomData,
        }
    }
}

/// A custom event of an object: created by [`Observe::define`](crate::Observe::define),
/// observed with [`Observe::custom`](crate::Observe::custom).
#[derive(Debug)]
pub struct Source<E> {
    pub(crate) object: String,
    pub(crate) event: String,
    data: std::marker::PhantomData<fn(E)>,
}

impl<E> Clone for Source<E> {
    fn clone(&self) -> Self {
        Source {
            object: self.object.clone(),
            event: self.event.clone(),
            data: std::marker::PhantomData,
        }
    }
}

impl<E: Serialize> Source<E> {
    /// Emits the event: every observer handles a copy of it before this returns,
    /// except observers that have deferred an equal event or are handling one.
    #[track_caller]
    pub fn emit(&self, data: E) -> Result<()> {
        let snapshot = match serde_json::to_string(&data) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                let Source { object, event, .. } = self;
                return Err(Error::invalid(format!(
                    "cannot emit {event} of {object}: {error}"
                )));
            }
        };
        let key = EventKey {
            source: self.object.clone(),
            name: self.event.clone(),
        };
        for delivery in wit::emit(&key, &snapshot).model()? {
            deliver(delivery).map_err(|failure| Error::of_handler(&self.event, failure))?;
        }
        Ok(())
    }
}

/// A custom event, as passed to its handlers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custom<E> {
    data: E,
}

impl<E> Custom<E> {
    /// The event's data.
    pub fn into_inner(self) -> E {
        self.data
    }

    /// Defers the event to the next dispatch. The handler should return afterwards.
    pub fn defer(&self, reason: impl Into<String>) {
        events::defer(reason.into());
    }
}

impl<E> std::ops::Deref for Custom<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.data
    }
}

impl<E: DeserializeOwned> Custom<E> {
    /// Restores the event's data from the time when it was emitted.
    pub(crate) fn read(event: Event, source: &Source<E>) -> Result<Self> {
        let Event::Custom(event) = event else {
            return Err(Error::invalid(format!(
                "{} of {} is not a custom event",
                source.event, source.object
            )));
        };
        match serde_json::from_str(&event.snapshot) {
            Ok(data) => Ok(Custom { data }),
            Err(error) => Err(Error::new(
                ErrorKind::InvalidValue,
                format!(
                    "cannot read the event {} of {}: {error}",
                    source.event, source.object
                ),
            )),
        }
    }
}

/// Creates the charm; it is dropped when the dispatch ends.
pub(crate) fn make<C: Charm>() {
    let mut on = crate::Observe::root();
    let charm = C::new(&mut on);
    on.bind(Rc::new(Holder::Charm(RefCell::new(charm))));
}

#[cfg(test)]
pub(crate) fn names() -> Vec<String> {
    let name = |observer: &Rc<Observer>| {
        let key = &observer.key;
        let EventKey { source, name } = &key.event;
        format!("{source}.{name} {}.{}", key.path, key.method)
    };
    REGISTRY.with_borrow(|registry| registry.observers.iter().map(name).collect())
}
