//! The time limit of a call.

use std::time::{Duration, Instant};

/// The time limit of one call, and the time after which it is reported as slow.
/// Both count from the start of the call, so a slow sender gains nothing.
pub struct CallTimer<'a> {
    started: Instant,
    limit: Option<Duration>,
    slow: Option<(Duration, Box<dyn FnMut() + 'a>)>,
}

impl<'a> CallTimer<'a> {
    /// Starts a call with a limit; without one it waits for ever.
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

    /// Returns the limit, from the start of the call.
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Returns the time that is left; none without a limit.
    pub fn left(&self) -> Option<Duration> {
        let limit = self.limit?;
        Some(limit.saturating_sub(self.started.elapsed()))
    }

    /// Returns how long to wait at most before the next call of this function:
    /// never zero; none without a limit.
    ///
    /// # Errors
    ///
    /// [`Expired`] after the limit.
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

/// The time limit of a call expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not answered for {} s", limit.as_secs_f64())]
pub struct Expired {
    /// The limit.
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
