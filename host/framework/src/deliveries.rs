//! Observers, deliveries, and the order of one dispatch.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use charmhost_juju::{Event as JujuEvent, StatusValue};

use crate::equal::EqualIndex;
use crate::error::{check_name, check_path, undefined_event, unknown_event};
use crate::queue::{DeferredNotice, Queue};
use crate::{Collected, Collecting, Delivery, Effects, Error, Event, Settlement};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

/// A delivery that is not settled.
struct InFlight {
    id: u32,
    event: Event,
    /// The notice that is queued if it is deferred.
    notice: DeferredNotice,
    /// Whether the notice comes from an earlier dispatch.
    is_old: bool,
}

/// Which events the charm's metadata defines, asked by name with underscores.
pub type Defines = Box<dyn Fn(&str) -> bool + Send>;

/// The observers and deliveries of one dispatch.
pub struct Framework {
    event: Option<JujuEvent>,
    restricted: bool,
    defines: Defines,
    /// The custom events by the path of the object that has them.
    custom: HashMap<String, HashSet<String>>,
    /// By the name of the event, in the order of registration.
    observers: HashMap<String, Vec<Observer>>,
    stage: Stage,
    pending: VecDeque<(Delivery, InFlight)>,
    in_flight: BTreeMap<u32, InFlight>,
    in_flight_equal: EqualIndex<u32>,
    queue: Queue,
    last_id: u32,
    collecting: Option<Collecting>,
    collected: Collected,
}

/// Events that every charm has beside those of its metadata.
const LIFECYCLE: [&str; 2] = ["collect_app_status", "collect_unit_status"];
/// The reason of an event whose handler was started and did not settle it.
const UNFINISHED: &str = "its handler did not finish";
/// How many notices without a handler are logged one by one.
const MAX_LINES: usize = 20;
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
            custom: HashMap::new(),
            observers: HashMap::new(),
            stage: if restricted {
                Stage::Event
            } else {
                Stage::Deferred
            },
            pending: VecDeque::new(),
            in_flight: BTreeMap::new(),
            in_flight_equal: EqualIndex::default(),
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
            let events = self.custom.entry(source.to_owned()).or_default();
            events.insert(name.to_owned());
        }
        Ok(())
    }

    fn has_custom(&self, source: &str, name: &str) -> bool {
        let events = self.custom.get(source);
        events.is_some_and(|events| events.contains(name))
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
        self.observers
            .entry(event.to_owned())
            .or_default()
            .push(observer);
        Ok(())
    }

    /// The next delivery, or none at the end of the dispatch.
    ///
    /// Deliveries that are not settled were not handled to their end, and are
    /// queued again if they can be. Effects that belong between two deliveries, such as setting the
    /// status that won, happen here.
    pub fn next<E: Effects>(&mut self, effects: &mut E) -> Result<Option<Delivery>, E::Error> {
        self.requeue_unsettled();
        loop {
            if let Some((delivery, in_flight)) = self.pending.pop_front() {
                if let Some(deferral) = &delivery.deferred {
                    let name = delivery.event.name();
                    effects.debug(&format!(
                        "Re-emitting deferred event {name} ({} of {} in queue).",
                        deferral.place, deferral.queued
                    ));
                }
                self.start(in_flight);
                return Ok(Some(delivery));
            }
            self.finish_collecting(effects)?;
            if !self.advance(effects)? {
                return Ok(None);
            }
        }
    }

    fn start(&mut self, in_flight: InFlight) {
        let InFlight { id, notice, .. } = &in_flight;
        self.in_flight_equal.insert(notice, *id);
        self.in_flight.insert(*id, in_flight);
    }

    /// Whether an equal event is being handled by the same observer right now.
    fn is_in_flight(&self, notice: &DeferredNotice) -> bool {
        let mut candidates = self.in_flight_equal.candidates(notice);
        candidates.any(|id| {
            let other = self.in_flight.get(id);
            other.is_some_and(|other| other.notice.equals(notice))
        })
    }

    fn requeue_unsettled(&mut self) -> usize {
        let unsettled = std::mem::take(&mut self.in_flight);
        self.in_flight_equal = EqualIndex::default();
        let count = unsettled.len();
        for unfinished in unsettled.into_values() {
            if unfinished.event.is_deferrable() {
                self.defer(unfinished, UNFINISHED);
            }
        }
        count
    }

    /// Queues the deliveries that a guest has left behind that ended early;
    /// returns how many these are.
    pub fn close(&mut self) -> usize {
        for (_, in_flight) in std::mem::take(&mut self.pending) {
            self.start(in_flight);
        }
        self.requeue_unsettled()
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

    /// Plans the events that were deferred before, for the observers that the
    /// charm still has. Notices of this host without an observer are dropped;
    /// those of native ops stay, for a revision that handles them.
    fn plan_deferred<E: Effects>(&mut self, effects: &mut E) {
        let notices: Vec<DeferredNotice> = self.queue.notices().cloned().collect();
        let queued = notices.len();
        let observers: HashSet<Observer> = self.observers.values().flatten().cloned().collect();
        let (mut kept, mut dropped) = (Unhandled::default(), Unhandled::default());
        for (index, notice) in notices.into_iter().enumerate() {
            // Whoever read the queue has logged why there is no event.
            let Some(event) = notice.event.clone() else {
                continue;
            };
            if !observers.contains(&Observer::of(&notice)) {
                match notice.since {
                    None => kept.log(&notice, "keeping it in", effects),
                    Some(_) => {
                        dropped.log(&notice, "dropping it from", effects);
                        self.queue.drop_notice(&notice);
                    }
                }
                continue;
            }
            self.last_id += 1;
            let delivery = Delivery {
                id: self.last_id,
                observer: notice.observer.clone(),
                method: notice.method.clone(),
                source: notice.source.clone(),
                event: event.clone(),
                deferred: Some(notice.deferral(index + 1, queued)),
            };
            let in_flight = InFlight {
                id: self.last_id,
                event,
                notice,
                is_old: true,
            };
            self.pending.push_back((delivery, in_flight));
        }
        kept.log_rest("keeping them in", effects);
        dropped.log_rest("dropping them from", effects);
    }

    /// Plans an event of the charm's own path, or of the framework's.
    fn plan<E: Effects>(&mut self, of_charm: bool, event: Event, effects: &mut E) {
        let name = event.name();
        let fits = |observer: &&Observer| match of_charm {
            true => !observer.source.is_empty() && !observer.source.contains('/'),
            false => observer.source.is_empty(),
        };
        let counter = self.queue.count();
        let observers = self.observers.get(&name).into_iter().flatten();
        let mut planned = HashSet::new();
        for observer in observers.filter(fits) {
            let notice = notice(observer, &event, counter);
            // An observer that is registered twice is called once.
            if !planned.insert(observer) || self.queue.has_equal(&notice) {
                effects.info(&skipping(&notice));
                continue;
            }
            self.last_id += 1;
            let delivery = delivery(self.last_id, observer, event.clone());
            let in_flight = InFlight {
                id: self.last_id,
                event: event.clone(),
                notice,
                is_old: false,
            };
            self.pending.push_back((delivery, in_flight));
        }
    }

    /// How many observers an event of a source has.
    pub fn observer_count(&self, source: &str, name: &str) -> usize {
        let observers = self.observers.get(name).into_iter().flatten();
        observers.filter(|other| other.source == source).count()
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
        let observers = self.observers.get(name).into_iter().flatten();
        let observers: Vec<Observer> = observers
            .filter(|observer| observer.source == source)
            .cloned()
            .collect();
        for observer in &observers {
            let notice = notice(observer, &event, counter);
            if self.is_in_flight(&notice) || self.queue.has_equal(&notice) {
                effects.info(&skipping(&notice));
                continue;
            }
            self.last_id += 1;
            deliveries.push(delivery(self.last_id, observer, event.clone()));
            self.start(InFlight {
                id: self.last_id,
                event: event.clone(),
                notice,
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
        let Some(in_flight) = self.in_flight.get(&id) else {
            return Err(Error::UnknownDelivery(id));
        };
        if matches!(settlement, Settlement::Deferred(_)) && !in_flight.event.is_deferrable() {
            return Err(Error::NotDeferrable(in_flight.event.name()));
        }
        let Some(in_flight) = self.in_flight.remove(&id) else {
            return Err(Error::UnknownDelivery(id));
        };
        self.in_flight_equal.remove(&in_flight.notice, &id);
        match settlement {
            Settlement::Handled => self.queue.drop_notice(&in_flight.notice),
            Settlement::Deferred(reason) => {
                effects.debug(&format!("Deferring {}: {reason}", in_flight.event.name()));
                self.defer(in_flight, reason);
            }
        }
        Ok(())
    }

    fn defer(&mut self, in_flight: InFlight, reason: &str) {
        let InFlight {
            id, notice, is_old, ..
        } = in_flight;
        match is_old {
            true => self.queue.deferred_again(&notice, reason),
            false => self.queue.add(id, notice, reason),
        }
    }

    /// The deferred events.
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

impl Observer {
    fn of(notice: &DeferredNotice) -> Self {
        Observer {
            source: notice.source.clone(),
            event: notice.name.clone(),
            observer: notice.observer.clone(),
            method: notice.method.clone(),
        }
    }
}

/// Notices without a handler: the first ones are logged one by one.
#[derive(Default)]
struct Unhandled(usize);

impl Unhandled {
    fn log(&mut self, notice: &DeferredNotice, doing: &str, effects: &mut impl Effects) {
        self.0 += 1;
        if self.0 <= MAX_LINES {
            effects.debug(&format!(
                "No handler for deferred event {} on {}.{} in this revision; {doing} the queue.",
                notice.name, notice.observer, notice.method
            ));
        }
    }

    fn log_rest(&self, doing: &str, effects: &mut impl Effects) {
        if let Some(rest @ 1..) = self.0.checked_sub(MAX_LINES) {
            effects.debug(&format!(
                "No handler for {rest} more deferred events in this revision; {doing} the queue."
            ));
        }
    }
}

/// The notice of an event for an observer, if it is deferred.
fn notice(observer: &Observer, event: &Event, counter: u64) -> DeferredNotice {
    DeferredNotice {
        event_path: format!("{}/on/{}[{counter}]", observer.source, event.name()),
        source: observer.source.clone(),
        name: event.name(),
        observer: observer.observer.clone(),
        method: observer.method.clone(),
        snapshot: event.snapshot(),
        event: Some(event.clone()),
        since: None,
        count: 0,
        reason: String::new(),
    }
}

fn skipping(notice: &DeferredNotice) -> String {
    format!(
        "Skipping notice ({}/{}/{}) - already in the queue.",
        notice.event_path, notice.observer, notice.method
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
