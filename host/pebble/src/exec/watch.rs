//! Waiting for a command as long as the daemon responds (`pebble §11.3`).

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::{Instant, timeout};

use crate::changes::Waited;
use crate::{Change, Client, Error};

/// How much longer than the timeout of a command to wait for it, as in Pebble's own
/// client (`pebble §11.3`).
pub const GRACE: Duration = Duration::from_secs(1);
/// How long a stream may have no data before the daemon is asked about the command.
const QUIET: Duration = Duration::from_millis(200);

/// The change of a command, and its time limit.
pub struct Watch {
    pub client: Client,
    pub change: String,
    timeout: Option<Duration>,
    started: Instant,
    /// The change, once the command has exited.
    exited: Option<Box<Change>>,
}

/// The result of [`Watch::while_running`].
pub enum While<T> {
    /// The work has finished.
    Finished(T),
    /// The command has exited before the work finished.
    Exited,
}

impl Watch {
    pub fn new(client: Client, change: String, timeout: Option<Duration>) -> Self {
        Watch {
            client,
            change,
            timeout,
            started: Instant::now(),
            exited: None,
        }
    }

    pub fn has_exited(&self) -> bool {
        self.exited.is_some()
    }

    /// How long to wait for the exit of the command, from now on.
    pub fn whole(&self) -> Option<Duration> {
        Some(self.timeout?.saturating_add(GRACE))
    }

    /// How long to wait for its streams, from now on: a grandchild may keep them
    /// open long after the command has exited.
    pub fn left(&self) -> Option<Duration> {
        let left = self.whole()?.saturating_sub(self.started.elapsed());
        Some(left.max(GRACE))
    }

    /// Waits for work as long as the command runs, the daemon responds, and the
    /// limit has not passed.
    pub async fn while_running<T>(
        &mut self,
        limit: Option<Duration>,
        work: impl Future<Output = T>,
    ) -> Result<While<T>, Error> {
        if self.has_exited() {
            return Ok(While::Exited);
        }
        if self.is_overdue() {
            let waited = self.client.wait_ready(&self.change, Some(GRACE)).await?;
            return self.note(waited).map(|()| While::Exited);
        }
        let mut work = pin!(work);
        if let Ok(done) = timeout(QUIET, work.as_mut()).await {
            return Ok(While::Finished(done));
        }
        let waited = {
            let exit = pin!(self.client.wait_ready(&self.change, limit));
            match select(work, exit).await {
                Either::Left((done, _)) => return Ok(While::Finished(done)),
                Either::Right((waited, _)) => waited?,
            }
        };
        self.note(waited).map(|()| While::Exited)
    }

    /// Stores the change of a command that has exited.
    fn note(&mut self, waited: Waited) -> Result<(), Error> {
        match waited {
            Waited::Ready(change) => {
                self.exited = Some(change);
                Ok(())
            }
            Waited::Limit => Err(self.too_long()),
        }
    }

    /// Whether Pebble must have killed the command by now. Open streams do not mean
    /// that it runs: a grandchild may keep them open.
    fn is_overdue(&self) -> bool {
        let whole = self.whole();
        whole.is_some_and(|whole| self.started.elapsed() > whole)
    }

    /// Waits until the command exits and returns its exit code.
    pub async fn end(&mut self, limit: Option<Duration>) -> Result<i32, Error> {
        let change = match self.exited.take() {
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
            (_, Some(_)) => Err(Error::Change(change)),
            (None, None) => {
                let detail = "a command has exited without an exit code";
                Err(Error::Protocol(detail.to_owned()))
            }
        }
    }

    /// Asks the daemon whether the command has exited; no without a response within
    /// a second.
    pub async fn ask_for_exit(&self) -> bool {
        let change = timeout(GRACE, self.client.change(&self.change)).await;
        self.has_exited() || change.is_ok_and(|change| change.is_ok_and(|change| change.ready))
    }

    /// Whether the command may have been killed by its timeout.
    fn had_time(&self) -> bool {
        self.timeout
            .is_some_and(|timeout| self.started.elapsed() >= timeout)
    }

    fn too_long(&self) -> Error {
        Error::Timeout {
            doing: "finish a command".to_owned(),
            limit: self.timeout.unwrap_or_default(),
            change: Some(self.change.clone()),
        }
    }
}
