//! Observers, deliveries, and the order of one dispatch.

use std::collections::VecDeque;

use charmhost_juju::{Event as JujuEvent, StatusValue};

use crate::{Collected, Collecting, Effects};

/// An event as observers see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// What Juju dispatched.
    Juju(JujuEvent),
    /// The application's status is being evaluated.
    CollectAppStatus,
    /// The unit's status is being evaluated.
    CollectUnitStatus,
    /// State is about to be saved.
    PreCommit,
    /// State is being saved.
    Commit,
    /// What the charm or a library emitted.
    Custom {
        /// The event's name.
        name: String,
        /// Its data, JSON text.
        snapshot: String,
    },
}

impl Event {
    /// The event's name with underscores.
    pub fn name(&self) -> String {
        match self {
            Event::Juju(event) => event.name(),
            Event::CollectAppStatus => "collect_app_status".to_owned(),
            Event::CollectUnitStatus => "collect_unit_status".to_owned(),
            Event::PreCommit => "pre_commit".to_owned(),
            Event::Commit => "commit".to_owned(),
            Event::Custom { name, .. } => name.clone(),
        }
    }

    fn is_deferrable(&self) -> bool {
        match self {
            Event::Juju(event) => event.is_deferrable(),
            Event::Custom { .. } => true,
            _ => false,
        }
    }
}

/// One event on its way to one observer.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Names the delivery when it is settled.
    pub id: u32,
    /// The path of the observer.
    pub observer: String,
    /// The observer's method.
    pub method: String,
    /// The path of the object whose event it is.
    pub source: String,
    /// The event.
    pub event: Event,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It was handled.
    Handled,
    /// It shall come again, for this reason.
    Deferred(String),
}

/// What a guest did wrong.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A path or a name is malformed.
    #[error("cannot observe: {what} {value:?} is malformed; {rule}")]
    Malformed {
        /// Which argument.
        what: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The charm has no such event.
    #[error(
        "cannot observe {name:?} of {source_path}: the charm has no such event; check the name against metadata.yaml and actions.yaml"
    )]
    UnknownEvent {
        /// The source's path.
        source_path: String,
        /// The event's name.
        name: String,
    },
    /// There is no such delivery, or it was settled already.
    #[error("cannot settle delivery {0}: there is no such delivery that is not settled yet")]
    UnknownDelivery(u32),
    /// The event cannot be deferred.
    #[error("cannot defer {0}: Juju sends it once and expects it to be handled at once")]
    NotDeferrable(String),
    /// Nothing keeps deferred events.
    #[error(
        "cannot defer {0}: this version of charmhost does not keep deferred events yet; handle the event now, or again in update-status"
    )]
    NoQueue(String),
}

#[derive(Debug, PartialEq, Eq)]
struct Observer {
    source: String,
    event: String,
    observer: String,
    method: String,
}

/// Where a dispatch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Event,
    CollectApp,
    CollectUnit,
    PreCommit,
    Commit,
    End,
}

/// Which events the charm's metadata defines, asked by name with underscores.
pub type Defines = Box<dyn Fn(&str) -> bool + Send>;

/// The observers and deliveries of one dispatch.
pub struct Framework {
    event: Option<JujuEvent>,
    restricted: bool,
    defines: Defines,
    observers: Vec<Observer>,
    stage: Stage,
    planned: VecDeque<Delivery>,
    unsettled: Vec<(u32, Event)>,
    last_id: u32,
    collecting: Option<Collecting>,
    collected: Collected,
}

/// Events that every charm has beside those of its metadata.
const LIFECYCLE: [&str; 2] = ["collect_app_status", "collect_unit_status"];
/// Events of the framework itself, whose source is the empty path.
const FRAMEWORK: [&str; 2] = ["pre_commit", "commit"];

impl Framework {
    /// A dispatch of an event, or of none when Juju sent a name that the charm
    /// does not define. In a restricted context no status is evaluated.
    pub fn new(event: Option<JujuEvent>, restricted: bool, defines: Defines) -> Self {
        Framework {
            event,
            restricted,
            defines,
            observers: Vec::new(),
            stage: Stage::Event,
            planned: VecDeque::new(),
            unsettled: Vec::new(),
            last_id: 0,
            collecting: None,
            collected: Collected::default(),
        }
    }

    /// Registers an observer for deliveries that are not planned yet.
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
        if source.is_empty() {
            if !FRAMEWORK.contains(&event) {
                return Err(unknown_event("the framework", event));
            }
        } else {
            check_path("source", source)?;
            let root = !source.contains('/');
            if root && !LIFECYCLE.contains(&event) && !(self.defines)(event) {
                return Err(unknown_event(source, event));
            }
        }
        let observer = Observer {
            source: source.to_owned(),
            event: event.to_owned(),
            observer: observer.to_owned(),
            method: method.to_owned(),
        };
        if !self.observers.contains(&observer) {
            self.observers.push(observer);
        }
        Ok(())
    }

    /// The next delivery, or none at the end of the dispatch.
    ///
    /// Whatever is unsettled counts as handled. Effects that belong between
    /// two deliveries, such as setting the status that won, happen here.
    pub fn next<E: Effects>(&mut self, effects: &mut E) -> Result<Option<Delivery>, E::Error> {
        self.unsettled.clear();
        loop {
            if let Some(delivery) = self.planned.pop_front() {
                self.unsettled.push((delivery.id, delivery.event.clone()));
                return Ok(Some(delivery));
            }
            self.finish_collecting(effects)?;
            if !self.advance(effects)? {
                return Ok(None);
            }
        }
    }

    /// Plans the deliveries of the next stage; false when there is none left.
    fn advance<E: Effects>(&mut self, effects: &mut E) -> Result<bool, E::Error> {
        match self.stage {
            Stage::Event => {
                self.stage = if self.restricted {
                    Stage::PreCommit
                } else {
                    Stage::CollectApp
                };
                if let Some(event) = self.event.take() {
                    effects.debug(&format!("Emitting Juju event {}.", event.name()));
                    self.plan(true, Event::Juju(event));
                }
            }
            Stage::CollectApp => {
                self.stage = Stage::CollectUnit;
                if effects.is_leader()? {
                    self.collecting = Some(Collecting::App);
                    self.plan(true, Event::CollectAppStatus);
                }
            }
            Stage::CollectUnit => {
                self.stage = Stage::PreCommit;
                self.collecting = Some(Collecting::Unit);
                self.plan(true, Event::CollectUnitStatus);
            }
            Stage::PreCommit => {
                self.stage = Stage::Commit;
                self.plan(false, Event::PreCommit);
            }
            Stage::Commit => {
                self.stage = Stage::End;
                self.plan(false, Event::Commit);
            }
            Stage::End => return Ok(false),
        }
        Ok(true)
    }

    fn finish_collecting<E: Effects>(&mut self, effects: &mut E) -> Result<(), E::Error> {
        if let Some(collecting) = self.collecting.take()
            && let Some(status) = self.collected.take()
        {
            effects.set_status(collecting.scope(), &status)?;
        }
        Ok(())
    }

    /// Plans an event of the charm's own path, or of the framework's.
    fn plan(&mut self, of_charm: bool, event: Event) {
        let name = event.name();
        let matches = |observer: &&Observer| {
            let source = &observer.source;
            let fits = if of_charm {
                !source.is_empty() && !source.contains('/')
            } else {
                source.is_empty()
            };
            fits && observer.event == name
        };
        for observer in self.observers.iter().filter(matches) {
            self.last_id += 1;
            self.planned
                .push_back(delivery(self.last_id, observer, event.clone()));
        }
    }

    /// The deliveries of a custom event, which the guest runs at once.
    pub fn emit(
        &mut self,
        source: &str,
        name: &str,
        snapshot: &str,
    ) -> Result<Vec<Delivery>, Error> {
        check_path("source", source)?;
        check_name("event name", name)?;
        let mut deliveries = Vec::new();
        for observer in self
            .observers
            .iter()
            .filter(|o| o.source == source && o.event == name)
        {
            self.last_id += 1;
            let event = Event::Custom {
                name: name.to_owned(),
                snapshot: snapshot.to_owned(),
            };
            deliveries.push(delivery(self.last_id, observer, event.clone()));
            self.unsettled.push((self.last_id, event));
        }
        Ok(deliveries)
    }

    /// Settles a delivery.
    pub fn done(&mut self, id: u32, settlement: &Settlement) -> Result<(), Error> {
        let found = self
            .unsettled
            .iter()
            .position(|(unsettled, _)| *unsettled == id);
        let Some(position) = found else {
            return Err(Error::UnknownDelivery(id));
        };
        if *settlement != Settlement::Handled
            && let Some((_, event)) = self.unsettled.get(position)
        {
            let name = event.name();
            return Err(if event.is_deferrable() {
                Error::NoQueue(name)
            } else {
                Error::NotDeferrable(name)
            });
        }
        self.unsettled.remove(position);
        Ok(())
    }

    /// Adds a status to the ones being collected; gives it back when a charm
    /// cannot set it, and none when nothing is being collected.
    pub fn collect(&mut self, status: StatusValue) -> Option<Result<Collecting, StatusValue>> {
        let collecting = self.collecting?;
        Some(self.collected.add(status).map(|()| collecting))
    }
}

fn delivery(id: u32, observer: &Observer, event: Event) -> Delivery {
    Delivery {
        id,
        observer: observer.observer.clone(),
        method: observer.method.clone(),
        source: observer.source.clone(),
        event,
    }
}

fn unknown_event(source: &str, name: &str) -> Error {
    Error::UnknownEvent {
        source_path: source.to_owned(),
        name: name.to_owned(),
    }
}

fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    let mut chars = name.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if starts_well && chars.all(|c| c.is_alphanumeric() || c == '_') {
        return Ok(());
    }
    let rule = "it must be an identifier, as `config_changed`";
    Err(Error::Malformed {
        what,
        value: name.to_owned(),
        rule,
    })
}

/// Paths are saved with deferred events: one that cannot be read back would
/// lose them.
fn check_path(what: &'static str, path: &str) -> Result<(), Error> {
    let well_formed = path.split('/').all(|element| {
        let (kind, key) = match element.split_once('[') {
            None => (element, ""),
            Some((kind, rest)) => match rest.strip_suffix(']') {
                Some(key) => (kind, key),
                None => return false,
            },
        };
        !kind.is_empty() && !kind.contains(']') && !key.contains(['[', ']'])
    });
    if well_formed {
        return Ok(());
    }
    let rule = "it must be a path of objects, as `MyCharm/DbLib[db]`";
    Err(Error::Malformed {
        what,
        value: path.to_owned(),
        rule,
    })
}

#[cfg(test)]
mod tests;
