//! Events that earlier dispatches deferred: they are delivered before the
//! dispatched event, in the order of the queue (ops §4.5, ops §5.4).

use std::collections::HashSet;

use crate::deferred_notice::DeferredNotice;
use crate::event::Delivery;
use crate::in_flight::InFlight;
use crate::observers::Observer;
use crate::{Effects, Framework};

/// How many notices without a handler are logged one by one.
const MAX_LINES: usize = 20;

impl Framework {
    /// Makes the deliveries of the deferred events pending, for observers that
    /// the charm still has. Of notices without an observer, those of this host
    /// are dropped; those of native ops are kept for a revision that handles
    /// them.
    pub(crate) fn re_emit_deferred<E: Effects>(&mut self, effects: &mut E) {
        let notices: Vec<DeferredNotice> = self.queue.notices().cloned().collect();
        let queued = notices.len();
        let observers: HashSet<Observer> = self.observers.all().cloned().collect();
        let (mut kept, mut dropped) = (Unhandled::default(), Unhandled::default());
        for (index, notice) in notices.into_iter().enumerate() {
            // The reader of the queue has logged why there is no event.
            let Some(event) = notice.event.clone() else {
                continue;
            };
            // Logged when this revision did not handle it.
            if self.is_undeliverable(&notice) {
                continue;
            }
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

    /// Whether this revision of the charm has said that it has no handler for the
    /// notice's event.
    fn is_undeliverable(&self, notice: &DeferredNotice) -> bool {
        notice.undeliverable_to.is_some() && notice.undeliverable_to == *self.revision
    }

    /// Logs a delivery of an event that was deferred (ops §4.5, ops §20.4).
    pub(crate) fn log_re_emission(delivery: &Delivery, effects: &mut impl Effects) {
        if let Some(deferral) = &delivery.deferred {
            let name = delivery.event.name();
            effects.debug(&format!(
                "Re-emitting deferred event {name} ({} of {} in queue).",
                deferral.position, deferral.queued
            ));
        }
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
