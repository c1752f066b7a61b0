//! The charm and its libraries at run time: observers, and the call of a handler.

use std::cell::{Cell, OnceCell, RefCell};
use std::panic::Location;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::framework::{self as wit, Delivery, EventKey, Observer, Settlement};
use crate::error::{Failure, ModelResult};
use crate::settlement::{self, Deferral};
use crate::{Error, Event, Result, Stored, events};

/// Runs the handler of a delivered event.
type Call = Box<dyn Fn(Event) -> Result<Settlement, Failure>>;

/// One registration: an event, its handler, and the location of the registration.
struct Registration {
    key: Observer,
    place: &'static Location<'static>,
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
    observers: Vec<Rc<Registration>>,
    defined: Vec<Defined>,
    paths: Vec<String>,
}

thread_local! {
    static REGISTRY: RefCell<Registry> = RefCell::default();
    static CURRENT: Cell<Option<u32>> = const { Cell::new(None) };
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
        registry.observers.push(Rc::new(Registration {
            key,
            place,
            call: OnceCell::new(),
        }));
        registry.observers.len() - 1
    })
}

/// Sets the handler of a registration.
pub(crate) fn bind(number: usize, call: impl Fn(Event) -> Result<Settlement, Failure> + 'static) {
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
    let id = delivery.id;
    // Handlers can be nested.
    let outer = CURRENT.replace(Some(id));
    let handled = handle(delivery);
    CURRENT.set(outer);
    let settlement = handled.map_err(|failure| failure.in_delivery(id))?;
    Ok(wit::done(id, &settlement).model()?)
}

/// The delivery whose handler runs.
pub(crate) fn current_delivery() -> Option<u32> {
    CURRENT.get()
}

fn handle(delivery: Delivery) -> Result<Settlement, Failure> {
    let Delivery {
        observer: key,
        event,
        deferred,
        ..
    } = delivery;
    let is_meant = |observer: &&Rc<Registration>| is_same(&observer.key, &key);
    let observer = REGISTRY.with_borrow(|r| r.observers.iter().find(is_meant).cloned());
    match observer.as_ref().and_then(|observer| observer.call.get()) {
        Some(call) => call(events::from_wit(event, deferred.map(settlement::from_wit))),
        None => {
            let Observer {
                event,
                path,
                method,
            } = key;
            Ok(Settlement::Undeliverable(format!(
                "{path} has no handler {method} of {}",
                event.name
            )))
        }
    }
}

fn is_same(a: &Observer, b: &Observer) -> bool {
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
    /// Each name can be loaded once in a dispatch.
    #[track_caller]
    pub fn stored<T>(&self, name: &str) -> Result<Stored<T>>
    where
        T: Serialize + DeserializeOwned + Default + 'static,
    {
        Stored::load(&self.path, name)
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
    deferral: Option<Deferral>,
}

impl<E> Custom<E> {
    /// The event's data.
    pub fn into_inner(self) -> E {
        self.data
    }

    /// Returns what defers the event to the next dispatch, if the handler returns
    /// it: `return event.defer("…");`.
    pub fn defer<F>(&self, reason: impl Into<String>) -> Result<crate::Settlement, F> {
        settlement::defer(reason)
    }

    /// Its earlier deferrals by this handler; `None` if it is new.
    pub fn deferred(&self) -> Option<&Deferral> {
        self.deferral.as_ref()
    }
}

impl<E> std::ops::Deref for Custom<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.data
    }
}

impl<E: DeserializeOwned> Custom<E> {
    /// Restores the event's data from the time when it was emitted, or returns why
    /// that is not possible.
    pub(crate) fn read(event: Event) -> Result<Self, String> {
        let Event::Custom(event) = event else {
            return Err("it is not a custom event".to_owned());
        };
        match serde_json::from_str(&event.snapshot) {
            Ok(data) => Ok(Custom {
                data,
                deferral: event.deferred().cloned(),
            }),
            Err(error) => Err(format!("its data does not fit the handler: {error}")),
        }
    }
}

/// Creates an object, and connects its registrations with it.
pub(crate) fn create<O: 'static>(
    mut on: crate::Observe<O>,
    new: impl FnOnce(&mut crate::Observe<O>) -> Result<O>,
) -> Result<Rc<O>> {
    let object = Rc::new(new(&mut on)?);
    on.bind(&object);
    Ok(object)
}

#[cfg(test)]
pub(crate) fn names() -> Vec<String> {
    let name = |observer: &Rc<Registration>| {
        let key = &observer.key;
        let EventKey { source, name } = &key.event;
        format!("{source}.{name} {}.{}", key.path, key.method)
    };
    REGISTRY.with_borrow(|registry| registry.observers.iter().map(name).collect())
}
