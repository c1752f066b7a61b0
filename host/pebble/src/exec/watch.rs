//! Waiting for a command while the daemon answers.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::{Instant, timeout};

use crate::changes::Waited;
use crate::{Change, Client, Error};

/// How much longer than its timeout a command is waited for, as in Pebble's own
/// client (`pebble §11.3`).
pub const GRACE: Duration = Duration::from_secs(1);
/// How long a stream may be quiet before the daemon is asked.
const QUIET: Duration = Duration::from_millis(200);

/// A command's change, and how long it may take.
pub struct Watch {
    pub client: Client,
    change: String,
    timeout: Option<Duration>,
    started: Instant,
    /// The change, once it is over.
    over: Option<Change>,
}

/// How waiting ended.
pub enum Attended<T> {
    /// What was waited for.
    Done(T),
    /// The command is over, and it did not happen before.
    Over,
}

impl Watch {
    pub fn new(client: Client, change: String, timeout: Option<Duration>) -> Self {
        Watch {
            client,
            change,
            timeout,
            started: Instant::now(),
            over: None,
        }
    }

    pub fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// How long its end may be waited for, from now on.
    pub fn whole(&self) -> Option<Duration> {
        Some(self.timeout?.saturating_add(GRACE))
    }

    /// How long its streams may be waited for, from now on: a grandchild may
    /// hold them open long after it.
    pub fn left(&self) -> Option<Duration> {
        let left = self.whole()?.saturating_sub(self.started.elapsed());
        Some(left.max(GRACE))
    }

    /// Waits for work as long as the command runs, the daemon answers, and the
    /// limit allows.
    pub async fn attend<T>(
        &mut self,
        limit: Option<Duration>,
        work: impl Future<Output = T>,
    ) -> Result<Attended<T>, Error> {
        if self.is_over() {
            return Ok(Attended::Over);
        }
        if self.is_overdue() {
            let waited = self.client.wait_ready(&self.change, Some(GRACE)).await?;
            return self.note(waited).map(|()| Attended::Over);
        }
        let mut work = pin!(work);
        if let Ok(done) = timeout(QUIET, work.as_mut()).await {
            return Ok(Attended::Done(done));
        }
        let waited = {
            let over = pin!(self.client.wait_ready(&self.change, limit));
            match select(work, over).await {
                Either::Left((done, _)) => return Ok(Attended::Done(done)),
                Either::Right((waited, _)) => waited?,
            }
        };
        self.note(waited).map(|()| Attended::Over)
    }

    /// Remembers that the command is over.
    fn note(&mut self, waited: Waited) -> Result<(), Error> {
        match waited {
            Waited::Ready(change) => {
                self.over = Some(change);
                Ok(())
            }
            Waited::Limit => Err(self.too_long()),
        }
    }

    /// Whether Pebble must have killed the command by now. Its streams are no
    /// sign that it runs: a grandchild may hold them.
    fn is_overdue(&self) -> bool {
        let whole = self.whole();
        whole.is_some_and(|whole| self.started.elapsed() > whole)
    }

    /// Waits for the command's end and returns its exit code.
    pub async fn end(&mut self, limit: Option<Duration>) -> Result<i32, Error> {
        let change = match self.over.take() {
            Some(change) => change,
            None => match self.client.wait_ready(&self.change, limit).await? {
                Waited::Ready(change) => change,
                Waited::Limit => return Err(self.too_long()),
            },
        };
        let code = change.tasks.first().and_then(|task| task.exit_code());
        match (code, &change.err) {
            (Some(code), None) => Ok(code),
            (Some(-1), Some(_)) if self.had_time() => Err(self.too_long()),
            (_, Some(_)) => Err(Error::Change(Box::new(change))),
            (None, None) => {
                let detail = "a command has ended without an exit code";
                Err(Error::Protocol(detail.to_owned()))
            }
        }
    }

    /// Whether the command is over, asked with little patience.
    pub async fn has_ended(&self) -> bool {
        let change = timeout(GRACE, self.client.change(&self.change)).await;
        self.is_over() || change.is_ok_and(|change| change.is_ok_and(|change| change.ready))
    }

    /// Whether the command may have run into its timeout.
    fn had_time(&self) -> bool {
        self.timeout
            .is_some_and(|timeout| self.started.elapsed() >= timeout)
    }

    fn too_long(&self) -> Error {
        Error::Timeout {
            doing: "finish a command".to_owned(),
            limit: self.timeout.unwrap_or_default(),
        }
    }
}
