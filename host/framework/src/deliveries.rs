//! Observers, deliveries, and the order of one dispatch.

use std::collections::VecDeque;

use charmhost_juju::{Event as JujuEvent, StatusValue};

use crate::error::{check_name, check_path, undefined_event, unknown_event};
use crate::queue::{Kept, Queue};
use crate::{Collected, Collecting, Delivery, Effects, Error, Event, Settlement};

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
    Deferred,
    Event,
    CollectApp,
    CollectUnit,
    PreCommit,
    Commit,
    End,
}

/// A delivery that was handed out.
struct Underway {
    id: u32,
    event: Event,
    /// What would be kept of it.
    kept: Kept,
    /// Whether it was kept before this dispatch.
    is_old: bool,
}

/// Which events the charm's metadata defines, asked by name with underscores.
pub type Defines = Box<dyn Fn(&str) -> bool + Send>;

/// The observers and deliveries of one dispatch.
pub struct Framework {
    event: Option<JujuEvent>,
    restricted: bool,
    defines: Defines,
    /// The custom events, each with the path of the object that has it.
    custom: Vec<(String, String)>,
    observers: Vec<Observer>,
    stage: Stage,
    planned: VecDeque<(Delivery, Underway)>,
    unsettled: Vec<Underway>,
    queue: Queue,
    last_id: u32,
    collecting: Option<Collecting>,
    collected: Collected,
}

/// Events that every charm has beside those of its metadata.
const LIFECYCLE: [&str; 2] = ["collect_app_status", "collect_unit_status"];
/// Why an event is kept whose handler failed, and somebody made light of it.
const UNFINISHED: &str = "its handler did not finish";
/// Events of the framework itself, whose source is the empty path.
const FRAMEWORK: [&str; 2] = ["pre_commit", "commit"];

impl Framework {
    /// A dispatch of an event, or of none when Juju sent a name that the charm
    /// does not define. In a restricted context no status is evaluated.
    /// `queue` holds the events that were deferred before; they come first, but
    /// in a restricted context not at all.
    pub fn new(event: Option<JujuEvent>, restricted: bool, defines: Defines, queue: Queue) -> Self {
        Framework {
            event,
            restricted,
            defines,
            custom: Vec::new(),
            observers: Vec::new(),
            stage: if restricted {
                Stage::Event
            } else {
                Stage::Deferred
            },
            planned: VecDeque::new(),
            unsettled: Vec::new(),
            queue,
            last_id: 0,
            collecting: None,
            collected: Collected::default(),
        }
    }

    /// Says that an object has a custom event, which it can then emit. Saying it
    /// again changes nothing.
    pub fn define(&mut self, source: &str, name: &str) -> Result<(), Error> {
        check_path("source", source)?;
        check_name("event name", name)?;
        let of_charm = !source.contains('/');
        if of_charm && (LIFECYCLE.contains(&name) || (self.defines)(name)) {
            return Err(Error::TakenEvent(name.to_owned()));
        }
        if !self.has_custom(source, name) {
            self.custom.push((source.to_owned(), name.to_owned()));
        }
        Ok(())
    }

    fn has_custom(&self, source: &str, name: &str) -> bool {
        let mut custom = self.custom.iter();
        custom.any(|(object, event)| object == source && event == name)
    }

    /// Registers an observer for deliveries that are not planned yet. One that
    /// is registered twice is called once.
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
            let of_charm = !source.contains('/');
            let of_juju = of_charm && (LIFECYCLE.contains(&event) || (self.defines)(event));
            if !of_juju && !self.has_custom(source, event) {
                return Err(match of_charm {
                    true => unknown_event(source, event),
                    false => undefined_event(source, event),
                });
            }
        }
        let observer = Observer {
            source: source.to_owned(),
            event: event.to_owned(),
            observer: observer.to_owned(),
            method: method.to_owned(),
        };
        self.observers.push(observer);
        Ok(())
    }

    /// The next delivery, or none at the end of the dispatch.
    ///
    /// What is unsettled has not been handled to its end, and is kept if it can
    /// be. Effects that belong between two deliveries, such as setting the
    /// status that won, happen here.
    pub fn next<E: Effects>(&mut self, effects: &mut E) -> Result<Option<Delivery>, E::Error> {
        self.keep_unsettled();
        loop {
            if let Some((delivery, underway)) = self.planned.pop_front() {
                if let Some(deferral) = &delivery.deferred {
                    let name = delivery.event.name();
                    effects.debug(&format!(
                        "Re-emitting deferred event {name} ({} of {} in queue).",
                        deferral.place, deferral.queued
                    ));
                }
                self.unsettled.push(underway);
                return Ok(Some(delivery));
            }
            self.finish_collecting(effects)?;
            if !self.advance(effects)? {
                return Ok(None);
            }
        }
    }

    fn keep_unsettled(&mut self) -> usize {
        let unsettled = std::mem::take(&mut self.unsettled);
        let count = unsettled.len();
        for unfinished in unsettled {
            if unfinished.event.is_deferrable() {
                self.keep(unfinished, UNFINISHED);
            }
        }
        count
    }

    /// Keeps what a guest has left behind that ended before there was nothing
    /// more to do; gives how many deliveries that were.
    pub fn close(&mut self) -> usize {
        let planned = std::mem::take(&mut self.planned);
        self.unsettled
            .extend(planned.into_iter().map(|(_, underway)| underway));
        self.keep_unsettled()
    }

    /// Plans the deliveries of the next stage; false when there is none left.
    fn advance<E: Effects>(&mut self, effects: &mut E) -> Result<bool, E::Error> {
        match self.stage {
            Stage::Deferred => {
                self.stage = Stage::Event;
                self.plan_deferred(effects);
            }
            Stage::Event => {
                self.stage = if self.restricted {
                    Stage::PreCommit
                } else {
                    Stage::CollectApp
                };
                if let Some(event) = self.event.take() {
                    effects.debug(&format!("Emitting Juju event {}.", event.name()));
                    self.plan(true, Event::Juju(event), effects);
                }
            }
            Stage::CollectApp => {
                self.stage = Stage::CollectUnit;
                if effects.is_leader()? {
                    self.collecting = Some(Collecting::App);
                    self.plan(true, Event::CollectAppStatus, effects);
                }
            }
            Stage::CollectUnit => {
                self.stage = Stage::PreCommit;
                self.collecting = Some(Collecting::Unit);
                self.plan(true, Event::CollectUnitStatus, effects);
            }
            Stage::PreCommit => {
                self.stage = Stage::Commit;
                self.plan(false, Event::PreCommit, effects);
            }
            Stage::Commit => {
                self.stage = Stage::End;
                self.plan(false, Event::Commit, effects);
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

    /// Plans the events that were deferred before, for the observers that there
    /// still are. For the others the host forgets what it has kept itself; what
    /// came from elsewhere stays, for a charm that can read it.
    fn plan_deferred<E: Effects>(&mut self, effects: &mut E) {
        let kept: Vec<Kept> = self.queue.kept().to_vec();
        let queued = kept.len();
        for (place, kept) in kept.into_iter().enumerate() {
            let known = self.observers.iter().any(|observer| {
                observer.observer == kept.observer
                    && observer.method == kept.method
                    && observer.event == kept.name
                    && observer.source == kept.source
            });
            let Some(event) = kept.event.clone().filter(|_| known) else {
                let doing = match kept.is_foreign() || kept.event.is_none() {
                    true => "Keeping",
                    false => {
                        self.queue.handled(&kept);
                        "Dropping"
                    }
                };
                effects.debug(&format!(
                    "{doing} deferred event {} for {}.{}, which is not there now.",
                    kept.name, kept.observer, kept.method
                ));
                continue;
            };
            self.last_id += 1;
            let delivery = Delivery {
                id: self.last_id,
                observer: kept.observer.clone(),
                method: kept.method.clone(),
                source: kept.source.clone(),
                event: event.clone(),
                deferred: Some(kept.deferral(place + 1, queued)),
            };
            let underway = Underway {
                id: self.last_id,
                event,
                kept,
                is_old: true,
            };
            self.planned.push_back((delivery, underway));
        }
    }

    /// Plans an event of the charm's own path, or of the framework's.
    fn plan<E: Effects>(&mut self, of_charm: bool, event: Event, effects: &mut E) {
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
        let counter = self.queue.count();
        let observers = self.observers.iter().filter(matches);
        for observer in observers {
            let kept = kept(observer, &event, counter, self.last_id + 1);
            // An observer that is registered twice is called once.
            let mut planned = self.planned.iter();
            let twice = planned.any(|(_, underway)| underway.kept.equals(&kept));
            if twice || self.queue.has_equal(&kept) {
                effects.info(&skipping(&kept));
                continue;
            }
            self.last_id += 1;
            let delivery = delivery(self.last_id, observer, event.clone());
            let underway = Underway {
                id: self.last_id,
                event: event.clone(),
                kept,
                is_old: false,
            };
            self.planned.push_back((delivery, underway));
        }
    }

    /// The deliveries of a custom event, which the guest runs at once. An
    /// observer that has deferred an equal event, or handles one right now,
    /// is left out.
    pub fn emit<E: Effects>(
        &mut self,
        source: &str,
        name: &str,
        snapshot: &str,
        effects: &mut E,
    ) -> Result<Vec<Delivery>, Error> {
        if !self.has_custom(source, name) {
            return Err(undefined_event(source, name));
        }
        let event = Event::Custom {
            name: name.to_owned(),
            snapshot: snapshot.to_owned(),
        };
        effects.debug(&format!("Emitting custom event {name}."));
        let counter = self.queue.count();
        let mut deliveries = Vec::new();
        let of_event = |observer: &&Observer| observer.source == source && observer.event == name;
        for observer in self.observers.iter().filter(of_event) {
            let kept = kept(observer, &event, counter, self.last_id + 1);
            let handles = self
                .unsettled
                .iter()
                .any(|underway| underway.kept.equals(&kept));
            if handles || self.queue.has_equal(&kept) {
                effects.info(&skipping(&kept));
                continue;
            }
            self.last_id += 1;
            deliveries.push(delivery(self.last_id, observer, event.clone()));
            self.unsettled.push(Underway {
                id: self.last_id,
                event: event.clone(),
                kept,
                is_old: false,
            });
        }
        Ok(deliveries)
    }

    /// Settles a delivery.
    pub fn done<E: Effects>(
        &mut self,
        id: u32,
        settlement: &Settlement,
        effects: &mut E,
    ) -> Result<(), Error> {
        let found = self.unsettled.iter().position(|underway| underway.id == id);
        let Some(position) = found else {
            return Err(Error::UnknownDelivery(id));
        };
        if let (Settlement::Deferred(_), Some(underway)) =
            (settlement, self.unsettled.get(position))
            && !underway.event.is_deferrable()
        {
            return Err(Error::NotDeferrable(underway.event.name()));
        }
        let underway = self.unsettled.remove(position);
        if let Settlement::Deferred(reason) = settlement {
            effects.debug(&format!("Deferring {}: {reason}", underway.event.name()));
        }
        match settlement {
            Settlement::Handled => self.queue.handled(&underway.kept),
            Settlement::Deferred(reason) => self.keep(underway, reason),
        }
        Ok(())
    }

    fn keep(&mut self, underway: Underway, reason: &str) {
        match underway.is_old {
            true => self.queue.deferred_again(&underway.kept, reason),
            false => self.queue.add(underway.kept, reason),
        }
    }

    /// The events to keep, after the dispatch.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Adds a status to the ones being collected; gives it back when a charm
    /// cannot set it, and none when nothing is being collected.
    pub fn collect(&mut self, status: StatusValue) -> Option<Result<Collecting, StatusValue>> {
        let collecting = self.collecting?;
        Some(self.collected.add(status).map(|()| collecting))
    }
}

/// What would be kept of an event on its way to an observer.
fn kept(observer: &Observer, event: &Event, counter: u64, place: u32) -> Kept {
    Kept {
        place,
        event_path: format!("{}/on/{}[{counter}]", observer.source, event.name()),
        source: observer.source.clone(),
        name: event.name(),
        observer: observer.observer.clone(),
        method: observer.method.clone(),
        snapshot: event.snapshot(),
        event: Some(event.clone()),
        since: 0.0,
        count: 0,
        reason: String::new(),
    }
}

fn skipping(kept: &Kept) -> String {
    format!(
        "Skipping notice ({}/{}/{}) - already in the queue.",
        kept.event_path, kept.observer, kept.method
    )
}

fn delivery(id: u32, observer: &Observer, event: Event) -> Delivery {
    Delivery {
        deferred: None,
        id,
        observer: observer.observer.clone(),
        method: observer.method.clone(),
        source: observer.source.clone(),
        event,
    }
}

#[cfg(test)]
mod tests;
