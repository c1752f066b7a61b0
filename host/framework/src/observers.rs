//! Observers and custom events, in the order of registration (ops §4.2).

use std::collections::{HashMap, HashSet};

use crate::error::Error;
use crate::event::Event;
use crate::handle_paths::{Source, check_name, check_path};

/// A function that returns whether the charm has an event from Juju, by its name
/// with underscores.
pub type EventNames = Box<dyn Fn(&str) -> bool + Send>;

/// A method that is called for an event of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Observer {
    pub source: Source,
    pub event: String,
    /// The path of the object that has the method.
    pub observer: String,
    pub method: String,
}

/// What is registered in a dispatch.
pub(crate) struct Observers {
    event_names: EventNames,
    /// The names of custom events by the path of the object that has them.
    custom: HashMap<String, HashSet<String>>,
    /// By the name of the event.
    observers: HashMap<String, Vec<Observer>>,
}

impl Observers {
    pub fn new(event_names: EventNames) -> Self {
        Observers {
            event_names,
            custom: HashMap::new(),
            observers: HashMap::new(),
        }
    }

    pub fn define(&mut self, source: &str, name: &str) -> Result<(), Error> {
        check_path("source", source)?;
        check_name("event name", name)?;
        if self.is_event_of_charm(&Source::new(source), name) {
            return Err(Error::TakenEvent(name.to_owned()));
        }
        if !self.has_custom(source, name) {
            let events = self.custom.entry(source.to_owned()).or_default();
            events.insert(name.to_owned());
        }
        Ok(())
    }

    pub fn has_custom(&self, source: &str, name: &str) -> bool {
        let events = self.custom.get(source);
        events.is_some_and(|events| events.contains(name))
    }

    pub fn observe(
        &mut self,
        source: &str,
        event: &str,
        observer: &str,
        method: &str,
    ) -> Result<(), Error> {
        check_name("event name", event)?;
        check_name("method", method)?;
        check_path("observer", observer)?;
        let source = Source::new(source);
        self.check_event(&source, event)?;
        let observer = Observer {
            source,
            event: event.to_owned(),
            observer: observer.to_owned(),
            method: method.to_owned(),
        };
        self.observers
            .entry(event.to_owned())
            .or_default()
            .push(observer);
        Ok(())
    }

    /// Rejects an event that an object does not have.
    fn check_event(&self, source: &Source, event: &str) -> Result<(), Error> {
        if *source == Source::Framework {
            return match Event::OF_FRAMEWORK.contains(&event) {
                true => Ok(()),
                false => Err(Error::unknown_event("the framework", event)),
            };
        }
        check_path("source", source.path())?;
        if self.is_event_of_charm(source, event) || self.has_custom(source.path(), event) {
            return Ok(());
        }
        Err(match source {
            Source::Object(path) => Error::undefined_event(path, event),
            Source::Charm(path) => Error::unknown_event(path, event),
            Source::Framework => Error::unknown_event("the framework", event),
        })
    }

    fn is_event_of_charm(&self, source: &Source, name: &str) -> bool {
        let is_charm = matches!(source, Source::Charm(_));
        is_charm
            && (Event::OF_LIFECYCLE.contains(&name)
                || name == Event::OTHER
                || (self.event_names)(name))
    }

    /// Returns the observers of an event of an object.
    pub fn of<'a>(&'a self, source: &'a Source, name: &str) -> impl Iterator<Item = &'a Observer> {
        self.named(name)
            .filter(move |other| other.source == *source)
    }

    /// Returns the observers of an event of any object.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Observer> {
        self.observers.get(name).into_iter().flatten()
    }

    /// Returns all observers.
    pub fn all(&self) -> impl Iterator<Item = &Observer> {
        self.observers.values().flatten()
    }
}
