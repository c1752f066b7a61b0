//! How long one call may take.

use std::time::{Duration, Instant};

/// The limit of one call, and when to report that it is slow. Both count from
/// the start of the call, so an answer that trickles in gains nothing.
pub struct CallTimer<'a> {
    started: Instant,
    limit: Option<Duration>,
    slow: Option<(Duration, Box<dyn FnMut() + 'a>)>,
}

impl<'a> CallTimer<'a> {
    /// Starts a call that ends after `limit`, or waits for ever.
    pub fn new(limit: Option<Duration>) -> Self {
        CallTimer {
            started: Instant::now(),
            limit,
            slow: None,
        }
    }

    /// Calls a function, once, if the call has not ended after a time.
    #[must_use]
    pub fn when_slow(self, after: Duration, report: impl FnMut() + 'a) -> Self {
        CallTimer {
            slow: Some((after, Box::new(report))),
            ..self
        }
    }

    /// How long the call may take, from its start.
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// How long the call may still take; none for ever.
    pub fn left(&self) -> Option<Duration> {
        let limit = self.limit?;
        Some(limit.saturating_sub(self.started.elapsed()))
    }

    /// How long to wait at most before the next call of this function: never
    /// zero, and none for ever.
    ///
    /// # Errors
    ///
    /// [`Expired`] when the limit is over.
    pub fn wait(&mut self) -> Result<Option<Duration>, Expired> {
        let elapsed = self.started.elapsed();
        if let Some(limit) = self.limit
            && elapsed >= limit
        {
            return Err(Expired { limit });
        }
        if let Some((after, _)) = &self.slow
            && elapsed >= *after
            && let Some((_, mut report)) = self.slow.take()
        {
            report();
        }
        let slow = self.slow.as_ref().map(|(after, _)| *after);
        let next = [self.limit, slow].into_iter().flatten().min();
        Ok(next.map(|next| next.saturating_sub(elapsed).max(Duration::from_millis(1))))
    }
}

/// A call has taken longer than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not answered for {} s", limit.as_secs_f64())]
pub struct Expired {
    /// How long it could take.
    pub limit: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_reported_slow_once_and_ends_at_its_limit() {
        let mut reports = 0;
        let ms = Duration::from_millis;
        let mut timer = CallTimer::new(Some(ms(60))).when_slow(ms(20), || reports += 1);
        assert!(timer.wait().unwrap().unwrap() <= ms(20));
        std::thread::sleep(ms(25));
        assert!(timer.wait().unwrap().unwrap() <= ms(40));
        assert!(timer.wait().is_ok());
        std::thread::sleep(ms(40));
        assert_eq!(timer.wait(), Err(Expired { limit: ms(60) }));
        drop(timer);
        assert_eq!(reports, 1);
        assert_eq!(CallTimer::new(None).wait(), Ok(None));
    }
}
