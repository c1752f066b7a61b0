//! Waiting for the end of a command as long as the daemon responds (`pebble §11.3`).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::changes::Waited;
use crate::{Change, Client, Error};

/// How much longer than the timeout of a command to wait for it, as in Pebble's own
/// client (`pebble §11.3`).
const GRACE: Duration = Duration::from_secs(1);
/// How long a command runs before the daemon is asked about it. One that ends
/// sooner costs no request before its end.
const QUIET: Duration = Duration::from_millis(200);

/// How a command ended: its change, or why it is given up.
type End = Result<Box<Change>, Error>;

/// Waits for the end of a command, in a task.
pub struct Watch {
    change: String,
    /// The timeout of the command.
    limit: Option<Duration>,
    started: Instant,
    ended: Ended,
    /// Wakes the task before [`QUIET`] is over.
    asked: Arc<Notify>,
    task: JoinHandle<()>,
}

/// The end of a command, for the tasks of its streams.
#[derive(Clone)]
pub struct Ended(watch::Receiver<Option<End>>);

impl Ended {
    /// How the command ended, if it has.
    pub fn now(&self) -> Option<End> {
        self.0.borrow().clone()
    }

    /// Waits for the end.
    pub async fn wait(&mut self) -> End {
        match self.0.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or_else(|| Err(stopped())),
            Err(_) => Err(stopped()),
        }
    }
}

fn stopped() -> Error {
    Error::Closed("nothing waits for the command any more".to_owned())
}

impl Watch {
    pub fn new(client: Client, change: String, limit: Option<Duration>) -> Self {
        let asked = Arc::new(Notify::new());
        let (sender, receiver) = watch::channel(None);
        let started = Instant::now();
        let whole = limit.map(|limit| limit.saturating_add(GRACE));
        let (id, begin) = (change.clone(), asked.clone());
        let task = tokio::spawn(async move {
            select(pin!(sleep(QUIET)), pin!(begin.notified())).await;
            let left = whole.map(|whole| whole.saturating_sub(started.elapsed()));
            let end = match client.wait_ready(&id, left).await {
                Ok(Waited::Ready(change)) => Ok(change),
                Ok(Waited::Limit) => Err(too_long(id, limit)),
                Err(error) => Err(error),
            };
            sender.send_replace(Some(end));
        });
        Watch {
            change,
            limit,
            started,
            ended: Ended(receiver),
            asked,
            task,
        }
    }

    pub fn change(&self) -> &str {
        &self.change
    }

    pub fn ended(&self) -> Ended {
        self.ended.clone()
    }

    /// Waits until the command exits and returns its exit code. A command with a
    /// timeout is given up a second after it: a grandchild may keep its streams
    /// open, and then the daemon goes on to report that it runs.
    pub async fn exit_code(&mut self) -> Result<i32, Error> {
        self.asked.notify_one();
        let change = self.ended.wait().await?;
        let code = change.tasks.first().and_then(|task| task.exit_code());
        match (code, &change.err) {
            (Some(code), None) => Ok(code),
            (Some(-1), Some(_)) if self.had_time() => {
                Err(too_long(self.change.clone(), self.limit))
            }
            (_, Some(_)) => Err(Error::Change(change)),
            (None, None) => {
                let detail = "a command has exited without an exit code";
                Err(Error::Protocol(detail.to_owned()))
            }
        }
    }

    /// Waits a second for the news that the command has exited.
    pub async fn has_exited(&mut self) -> bool {
        self.asked.notify_one();
        let end = timeout(GRACE, self.ended.wait()).await;
        matches!(end, Ok(Ok(_)))
    }

    /// Whether the command may have been killed by its timeout.
    fn had_time(&self) -> bool {
        self.limit
            .is_some_and(|limit| self.started.elapsed() >= limit)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn too_long(change: String, limit: Option<Duration>) -> Error {
    Error::Timeout {
        doing: "finish a command".to_owned(),
        limit: limit.unwrap_or_default(),
        change: Some(change),
    }
}
