//! The minimum rate at which the daemon must deliver.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

/// Bytes per second; a peer that delivers less over its limit is silent.
const MIN_RATE: f64 = 1024.0;
/// How late a timer may fire. A later one means that this program did not run,
/// not that the peer was silent.
const LATE: Duration = Duration::from_millis(500);

/// The peer was silent for this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence(pub Duration);

/// Waits for the peer until a point in time; none if that passes. If the timer is
/// late, the peer's answer may be there unread, and it has `again` as long.
pub async fn until<T>(
    deadline: Instant,
    again: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    if let Ok(done) = timeout_at(deadline, work.as_mut()).await {
        return Some(done);
    }
    match is_late(deadline) {
        true => timeout(again, work).await.ok(),
        false => None,
    }
}

/// Whether a point in time has passed for so long that this program did not run
/// then.
pub fn is_late(deadline: Instant) -> bool {
    deadline.elapsed() > LATE
}

/// The time that is left for a transfer: waiting uses it up, and every byte adds
/// the time that it takes at the minimum rate, up to the limit.
#[derive(Debug)]
pub struct Pace {
    limit: Duration,
    left: Duration,
    /// Whether a late timer was forgiven since the last byte.
    forgiven: bool,
}

impl Pace {
    pub fn new(limit: Duration) -> Self {
        Pace {
            limit,
            left: limit,
            forgiven: false,
        }
    }

    /// Waits for the peer. Time between two calls is the caller's own and does
    /// not count.
    pub async fn wait<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Silence> {
        let mut work = pin!(work);
        loop {
            let start = Instant::now();
            let done = timeout(self.left, work.as_mut()).await;
            let waited = start.elapsed();
            let late = waited > self.left + LATE;
            match done {
                Ok(done) => {
                    self.left = match late {
                        true => self.limit,
                        false => self.left.saturating_sub(waited),
                    };
                    return Ok(done);
                }
                Err(_) if late && !self.forgiven => {
                    self.forgiven = true;
                    self.left = self.limit;
                }
                Err(_) => return Err(Silence(self.limit)),
            }
        }
    }

    /// Adds bytes that the peer delivered.
    pub fn add(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let earned = Duration::from_secs_f64(bytes as f64 / MIN_RATE);
        self.left = self.left.saturating_add(earned).min(self.limit);
        self.forgiven = false;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    /// When a peer that delivers so many bytes each second is found silent.
    async fn silent_after(bytes: usize) -> Option<u64> {
        let start = Instant::now();
        let mut pace = Pace::new(LIMIT);
        for _ in 0..600 {
            if pace.wait(sleep(Duration::from_secs(1))).await.is_err() {
                return Some(start.elapsed().as_secs());
            }
            pace.add(bytes);
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_below_the_minimum_rate_is_silent() {
        assert_eq!(silent_after(0).await, Some(5));
        assert_eq!(silent_after(1).await, Some(5));
        assert_eq!(silent_after(512).await, Some(9));
        assert_eq!(silent_after(1024).await, None);
        assert_eq!(silent_after(100_000).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_buys_no_more_than_the_limit() {
        let mut pace = Pace::new(LIMIT);
        pace.add(1 << 30);
        let start = Instant::now();
        assert_eq!(pace.wait(pending::<()>()).await, Err(Silence(LIMIT)));
        assert_eq!(start.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_timer_is_forgiven_once() {
        let start = Instant::now();
        // Nothing else runs for a minute: the timer fires late.
        let stalled = async {
            tokio::time::advance(Duration::from_secs(60)).await;
            sleep(Duration::from_secs(1)).await;
        };
        assert_eq!(until(start + LIMIT, LIMIT, stalled).await, Some(()));
        let start = Instant::now();
        assert_eq!(until(start + LIMIT, LIMIT, pending::<()>()).await, None);
        assert_eq!(start.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn time_of_the_caller_does_not_count() {
        let mut pace = Pace::new(LIMIT);
        for _ in 0..20 {
            pace.wait(sleep(Duration::from_millis(100))).await.unwrap();
            sleep(Duration::from_secs(60)).await;
        }
    }
}
