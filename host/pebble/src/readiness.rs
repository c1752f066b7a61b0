//! Waiting for several streams at once.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::task::yield_now;

/// The end of a stream that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Waits for something to take.
    Reader,
    /// Waits for room.
    Writer,
}

/// A stream that becomes ready.
pub(crate) trait Source: Send + Sync {
    /// Whether a side would not wait now. Otherwise the waker is called when that
    /// may have changed.
    fn is_ready(&self, side: Side, waker: Option<&Waker>) -> bool;
}

/// Becomes ready when a call on a stream would not wait: because it can go on, has
/// ended, or would fail.
///
/// It does not keep the stream open. That of a stream that was dropped is ready.
#[derive(Clone)]
pub struct Readiness {
    source: Weak<dyn Source>,
    side: Side,
}

impl Readiness {
    pub(crate) fn of(source: &Arc<impl Source + 'static>, side: Side) -> Self {
        let source: Arc<dyn Source> = source.clone();
        Readiness {
            source: Arc::downgrade(&source),
            side,
        }
    }

    /// The readiness of calls that never wait.
    pub(crate) fn always() -> Self {
        struct Never;
        impl Source for Never {
            fn is_ready(&self, _: Side, _: Option<&Waker>) -> bool {
                true
            }
        }
        Readiness {
            source: Weak::<Never>::new(),
            side: Side::Reader,
        }
    }

    /// Whether it is ready now. Lets the tasks of all streams run first.
    pub async fn is_ready(&self) -> bool {
        let_tasks_run().await;
        self.check(None)
    }

    fn check(&self, waker: Option<&Waker>) -> bool {
        match self.source.upgrade() {
            Some(source) => source.is_ready(self.side, waker),
            None => true,
        }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Readiness { source: _, side } = self;
        f.debug_struct("Readiness").field("side", side).finish()
    }
}

/// Waits until at least one source is ready, or until the time has passed. Returns
/// the indices of those that are ready, in ascending order; none without sources.
pub async fn poll(sources: &[Readiness], timeout: Option<Duration>) -> Vec<u32> {
    if sources.is_empty() {
        return Vec::new();
    }
    let_tasks_run().await;
    let ready = poll_fn(|cx| {
        let indices = (0..).zip(sources);
        let ready: Vec<u32> = indices
            .filter(|(_, source)| source.check(Some(cx.waker())))
            .map(|(index, _)| index)
            .collect();
        match ready.is_empty() {
            true => Poll::Pending,
            false => Poll::Ready(ready),
        }
    });
    match timeout {
        None => ready.await,
        Some(timeout) => {
            let ready = tokio::time::timeout(timeout, ready).await;
            ready.unwrap_or_default()
        }
    }
}

/// Lets every task run that can. The first round finds out what has arrived, the
/// second passes it on: a caller that asks again and again without waiting would
/// otherwise stop them all.
pub(crate) async fn let_tasks_run() {
    yield_now().await;
    yield_now().await;
}
