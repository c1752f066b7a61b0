//! The charm and its libraries while they run: who observes what, and how an
//! event finds its handler.

use std::cell::{OnceCell, RefCell};
use std::panic::Location;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::framework::{self as wit, Delivery, Settlement};
use crate::error::ModelResult;
use crate::{Charm, Error, Event, Result, Stored, events};

/// The charm, or a library that is part of it.
pub enum Holder<O> {
    /// The charm, whose handlers may change it.
    Charm(RefCell<O>),
    /// A library, which the charm shares.
    Library(Rc<O>),
}

type Call = Box<dyn Fn(Event) -> Result<()>>;

/// One registration: an event, the method that handles it, and where that is
/// said.
pub(crate) struct Observer {
    pub source: String,
    pub event: String,
    pub observer: String,
    pub method: String,
    pub place: &'static Location<'static>,
    /// Set once the object is made whose method it is.
    call: OnceCell<Call>,
}

/// A custom event that an object has.
struct Defined {
    source: String,
    event: String,
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

/// Takes a path for an object; two objects with one path would mix up what is
/// saved for them.
pub(crate) fn claim(path: &str) {
    REGISTRY.with_borrow_mut(|registry| {
        if registry.paths.iter().any(|other| other == path) {
            panic!("there are two objects {path}: give each library a key of its own");
        }
        registry.paths.push(path.to_owned());
    });
}

/// Adds a registration whose call is not known yet; gives its number.
pub(crate) fn register(
    source: String,
    event: String,
    observer: String,
    method: String,
    place: &'static Location<'static>,
) -> usize {
    REGISTRY.with_borrow_mut(|registry| {
        registry.observers.push(Rc::new(Observer {
            source,
            event,
            observer,
            method,
            place,
            call: OnceCell::new(),
        }));
        registry.observers.len() - 1
    })
}

/// Says what a registration calls.
pub(crate) fn bind(number: usize, call: impl Fn(Event) -> Result<()> + 'static) {
    REGISTRY.with_borrow(|registry| {
        if let Some(observer) = registry.observers.get(number) {
            // A registration belongs to one object, which is made once.
            let _ = observer.call.set(Box::new(call));
        }
    });
}

/// Tells the host of all events and observers; the error comes with the line of
/// the charm.
pub(crate) fn announce() -> Result<(), (Error, &'static Location<'static>)> {
    REGISTRY.with_borrow(|registry| {
        for Defined {
            source,
            event,
            place,
        } in &registry.defined
        {
            let defined = wit::define(source, event).model();
            defined.map_err(|error| (error, *place))?;
        }
        for observer in &registry.observers {
            let Observer {
                source,
                event,
                observer,
                method,
                place,
                ..
            } = &**observer;
            let observed = wit::observe(source, event, observer, method).model();
            observed.map_err(|error| (error, *place))?;
        }
        Ok(())
    })
}

/// Calls the handler of a delivery, and tells the host what it made of it.
pub(crate) fn deliver(delivery: Delivery) -> Result<()> {
    let is_meant = |observer: &&Rc<Observer>| {
        observer.method == delivery.method
            && observer.event == delivery.name
            && observer.source == delivery.source
            && observer.observer == delivery.observer
    };
    let observer = REGISTRY.with_borrow(|r| r.observers.iter().find(is_meant).cloned());
    // An event can be handled while another one is.
    let outer = events::take_deferral();
    if let Some(call) = observer.as_ref().and_then(|observer| observer.call.get()) {
        call(events::from_wit(delivery.event))?;
    }
    let settlement = match events::put_deferral(outer) {
        Some(reason) => Settlement::Deferred(reason),
        None => Settlement::Handled,
    };
    wit::done(delivery.id, &settlement).model()
}

/// An object's place among the objects of the charm, to which its state
/// belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    path: String,
}

impl Object {
    pub(crate) fn new(path: String) -> Self {
        Object { path }
    }

    /// The path, as `MyCharm/Database[db]`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the object has saved under a name, or the type's default.
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
                source: self.path.clone(),
                event: name.to_owned(),
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

/// A custom event of an object: made by [`Observe::define`](crate::Observe::define),
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
    /// Emits the event: every observer handles it before this returns, each
    /// with a copy of its own. An observer that has deferred an equal event, or
    /// handles one right now, is left out.
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
        let deliveries = wit::emit(&self.object, &self.event, &snapshot).model()?;
        deliveries.into_iter().try_for_each(deliver)
    }
}

/// A custom event as its handlers get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custom<E> {
    data: E,
}

impl<E> Custom<E> {
    /// The event's data.
    pub fn into_inner(self) -> E {
        self.data
    }

    /// Asks for the event again in the next dispatch. The handler should
    /// return afterwards.
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
    /// Reads the event's data again, as it was when it was emitted.
    pub(crate) fn read(event: Event, source: &Source<E>) -> Result<Self> {
        let Event::Custom(event) = event else {
            return Err(Error::msg(format!(
                "{} of {} is no custom event",
                source.event, source.object
            )));
        };
        match serde_json::from_str(&event.snapshot) {
            Ok(data) => Ok(Custom { data }),
            Err(error) => Err(Error::invalid(format!(
                "cannot read the event {} of {}: {error}",
                source.event, source.object
            ))),
        }
    }
}

/// Makes the charm; it lives until the dispatch ends.
pub(crate) fn make<C: Charm>() {
    let mut on = crate::Observe::root();
    let charm = C::new(&mut on);
    on.bind(Rc::new(Holder::Charm(RefCell::new(charm))));
}

#[cfg(test)]
pub(crate) fn names() -> Vec<String> {
    let name = |o: &Rc<Observer>| format!("{}.{} {}.{}", o.source, o.event, o.observer, o.method);
    REGISTRY.with_borrow(|registry| registry.observers.iter().map(name).collect())
}
