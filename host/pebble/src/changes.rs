//! `/v1/changes`: work that the daemon does in the background (`pebble §5`).

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::client::checked;
use crate::http::MAX_ANSWER;
use crate::{Change, Client, Error};

/// One request waits for a change for this fraction of the time that the daemon
/// may be silent: its loss is noticed after both together.
const SLICES: u32 = 4;
/// How much longer than the caller's limit a response may take.
const GRACE: Duration = Duration::from_secs(1);

/// How waiting for a change ended.
pub(crate) enum Waited {
    /// The change is over.
    Ready(Change),
    /// The caller's limit has passed.
    Limit,
}

impl Client {
    /// Returns the current state of a change.
    pub async fn change(&self, id: &str) -> Result<Change, Error> {
        let path = format!("/v1/changes/{}", checked(id)?);
        Ok(self.get(&path).await?.result)
    }

    /// Waits until a change is over, up to a limit. Returns [`Error::Change`] if the
    /// change failed.
    pub async fn wait_change(&self, id: &str, limit: Option<Duration>) -> Result<Change, Error> {
        match self.wait_ready(id, limit).await? {
            Waited::Ready(change) if change.err.is_some() => Err(Error::Change(Box::new(change))),
            Waited::Ready(change) => Ok(change),
            Waited::Limit => Err(Error::Timeout {
                doing: format!("finish change {id}"),
                limit: limit.unwrap_or_default(),
                change: Some(id.to_owned()),
            }),
        }
    }

    /// Waits until a change is over, whether it failed or not. Sends at least one
    /// request, whatever the limit.
    pub(crate) async fn wait_ready(
        &self,
        id: &str,
        limit: Option<Duration>,
    ) -> Result<Waited, Error> {
        let id = checked(id)?;
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let start = Instant::now();
            let left = end.map(|end| end.saturating_duration_since(start));
            let slice = self.silence() / SLICES;
            let slice = left.map_or(slice, |left| left.min(slice));
            // A timeout of 0 would mean none.
            let slice = slice.max(Duration::from_millis(1));
            if let Some(change) = self.wait_slice(id, slice, left).await? {
                return Ok(Waited::Ready(change));
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(Waited::Limit);
            }
            // The daemon may respond before the slice is over.
            sleep_until(start + slice).await;
        }
    }

    /// Sends one request; returns the change if it is over.
    async fn wait_slice(
        &self,
        id: &str,
        slice: Duration,
        left: Option<Duration>,
    ) -> Result<Option<Change>, Error> {
        let path = format!("/v1/changes/{id}/wait?timeout={:.3}s", slice.as_secs_f64());
        let answer = self.get_within::<Change>(&path, slice, MAX_ANSWER);
        let limit = left.map_or(Duration::MAX, |left| left.saturating_add(GRACE));
        match timeout(limit, answer).await {
            Ok(Ok(answer)) => Ok(Some(answer.result).filter(|change| change.ready)),
            Ok(Err(Error::Api { status: 504, .. })) => Ok(None),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::Silent {
                doing: format!("finish change {id}"),
                limit,
            }),
        }
    }
}
