//! `/v1/changes`: work that the daemon does in the background (`pebble §5`).

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use crate::client::{checked, with_query};
use crate::http::{MAX_ANSWER, MAX_LIST};
use crate::pace::{is_late, until};
use crate::{Change, Client, Error};

/// One request waits for a change for this fraction of the time that the daemon
/// may be silent: its loss is noticed after both together.
const SLICES: u32 = 4;
/// How much longer than the caller's limit a response may take.
const GRACE: Duration = Duration::from_secs(1);

/// How long to wait for a change, unless the caller says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which changes are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeSelection {
    /// All that the daemon remembers.
    All,
    /// Those that are not over.
    InProgress,
    /// Those that are over.
    Ready,
}

#[derive(Serialize)]
struct Act {
    action: &'static str,
}

/// How waiting for a change ended.
pub(crate) enum Waited {
    /// The change is over.
    Ready(Box<Change>),
    /// The caller's limit has passed.
    Limit,
}

impl Client {
    /// Returns the current state of a change.
    pub async fn change(&self, id: &str) -> Result<Change, Error> {
        let path = format!("/v1/changes/{}", checked(id)?);
        Ok(self.get(&path).await?.result)
    }

    /// Returns changes in the order in which they began: those that concern a
    /// service, if one is named. The daemon's own order is random.
    pub async fn changes(
        &self,
        selection: ChangeSelection,
        service: Option<&str>,
    ) -> Result<Vec<Change>, Error> {
        let select = match selection {
            ChangeSelection::All => "all",
            ChangeSelection::InProgress => "in-progress",
            ChangeSelection::Ready => "ready",
        };
        let service = service.map(|service| ("for", service));
        let path = with_query(
            "/v1/changes",
            [("select", select)].into_iter().chain(service),
        );
        let answer = self.get_within(&path, Duration::ZERO, MAX_LIST).await?;
        let changes: Option<Vec<Change>> = answer.result;
        let mut changes = changes.unwrap_or_default();
        changes.sort_by(Change::order);
        Ok(changes)
    }

    /// Aborts a change and returns it, usually before it is over. Rejects the change
    /// of a check.
    pub async fn abort_change(&self, id: &str) -> Result<Change, Error> {
        if self.change(id).await?.runs_a_check() {
            return Err(Error::Invalid(format!(
                "cannot abort change {id}: it runs a check, and Pebble would lose it; stop the check instead"
            )));
        }
        let path = format!("/v1/changes/{}", checked(id)?);
        Ok(self.post(&path, &Act { action: "abort" }).await?.result)
    }

    /// Waits until a change is over, for 30 seconds without another limit, and returns
    /// it, also if it failed.
    pub async fn wait_change(&self, id: &str, limit: Option<Duration>) -> Result<Change, Error> {
        let limit = limit.unwrap_or(PATIENCE);
        let waited = self.wait_ready(id, Some(limit)).await;
        match waited.map_err(|error| error.with_change(id))? {
            Waited::Ready(change) => Ok(*change),
            Waited::Limit => Err(Error::Timeout {
                doing: format!("finish change {id}"),
                limit,
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
        let mut forgiven = false;
        loop {
            let start = Instant::now();
            let left = end.map(|end| end.saturating_duration_since(start));
            let slice = self.silence() / SLICES;
            let slice = left.map_or(slice, |left| left.min(slice));
            // A timeout of 0 would mean none.
            let slice = slice.max(Duration::from_millis(1));
            if let Some(change) = self.wait_slice(id, slice, left).await? {
                return Ok(Waited::Ready(Box::new(change)));
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                // The change may have ended while this program did not run.
                if forgiven || !is_late(start + slice) {
                    return Ok(Waited::Limit);
                }
                forgiven = true;
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
        // A deadline that does not exist is far away.
        let deadline = Instant::now().checked_add(limit);
        let answer = match deadline {
            Some(deadline) => until(deadline, GRACE, answer).await,
            None => Some(answer.await),
        };
        match answer {
            Some(Ok(answer)) => Ok(Some(answer.result).filter(|change| change.ready)),
            Some(Err(Error::Api { status: 504, .. })) => Ok(None),
            Some(Err(error)) => Err(error),
            None => Err(Error::Silent {
                doing: format!("finish change {id}"),
                limit,
                change: None,
            }),
        }
    }
}
