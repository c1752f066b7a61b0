//! `/v1/exec`: running commands (`pebble §11`).

mod process;
mod streams;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::client::checked;
use crate::http::silent;
use crate::pace::Silence;
use crate::websocket::{self, Receiver, Sender};
use crate::{Client, Error};

pub use process::{Collected, Process};

/// How long to wait for the reason for a rejected stream.
const REASON: Duration = Duration::from_secs(1);

/// A command, and how it is run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The service whose environment, user and directory are the base.
    pub service_context: Option<String>,
    /// Variables beside those of Pebble itself.
    pub environment: Vec<(String, String)>,
    /// The directory it runs in.
    pub working_dir: Option<String>,
    /// The time after which it is killed; none or zero for no limit.
    pub timeout: Option<Duration>,
    /// The number of the user it runs as.
    pub user_id: Option<u32>,
    /// The name of the user it runs as.
    pub user: Option<String>,
    /// The number of the group it runs as.
    pub group_id: Option<u32>,
    /// The name of the group it runs as.
    pub group: Option<String>,
    /// Whether its standard error comes with its standard output.
    pub combine_stderr: bool,
    /// All of its input, which stays in memory until it is sent; without it,
    /// [`Process::write_stdin`] adds input.
    pub input: Option<Bytes>,
    /// Runs it on a terminal of this size, which is its input and all its output.
    pub terminal: Option<TerminalSize>,
}

/// The size of a terminal. 0 means Pebble's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Request<'a> {
    command: &'a [String],
    service_context: Option<&'a str>,
    environment: BTreeMap<&'a str, &'a str>,
    working_dir: Option<&'a str>,
    timeout: Option<String>,
    user_id: Option<u32>,
    user: Option<&'a str>,
    group_id: Option<u32>,
    group: Option<&'a str>,
    split_stderr: bool,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    terminal: Option<Terminal>,
}

/// A command without a controlling terminal would not notice its size.
#[derive(Serialize)]
struct Terminal {
    terminal: bool,
    interactive: bool,
    #[serde(flatten)]
    size: TerminalSize,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Started {
    task_id: String,
}

impl Exec {
    fn timeout(&self) -> Option<Duration> {
        let timeout = self.timeout.filter(|timeout| !timeout.is_zero())?;
        // For Pebble, 0 is no limit.
        Some(timeout.max(Duration::from_millis(1)))
    }

    /// Whether its standard error is a stream of its own.
    fn splits_stderr(&self) -> bool {
        !self.combine_stderr && self.terminal.is_none()
    }

    fn request(&self) -> Request<'_> {
        let variables = self.environment.iter();
        let seconds = |timeout: Duration| format!("{:.3}s", timeout.as_secs_f64());
        Request {
            command: &self.command,
            service_context: self.service_context.as_deref(),
            environment: variables
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            working_dir: self.working_dir.as_deref(),
            timeout: self.timeout().map(seconds),
            user_id: self.user_id,
            user: self.user.as_deref(),
            group_id: self.group_id,
            group: self.group.as_deref(),
            split_stderr: self.splits_stderr(),
            terminal: self.terminal.map(|size| Terminal {
                terminal: true,
                interactive: true,
                size,
            }),
        }
    }
}

/// The connections of a running command.
struct Streams {
    /// Must stay open: the daemon kills a command whose caller disconnects.
    control: (Sender, Receiver),
    stdio: (Sender, Receiver),
    stderr: Option<Receiver>,
}

impl Client {
    /// Starts a command.
    pub async fn exec(&self, exec: &Exec) -> Result<Process, Error> {
        if exec.command.iter().all(String::is_empty) {
            return Err(Error::Invalid("cannot run an empty command".to_owned()));
        }
        let answer = self.post::<Started>("/v1/exec", &exec.request()).await?;
        let change = checked(answer.change()?)?.to_owned();
        let task = checked(&answer.result.task_id)?;
        let connected = timeout(self.silence(), self.streams(task, exec)).await;
        let connected = connected.unwrap_or_else(|_| {
            let doing = "connect to the streams of a command";
            Err(silent(doing, Silence(self.silence())))
        });
        match connected {
            Ok(streams) => Ok(Process::new(self.clone(), change, exec, streams)),
            Err(error) => Err(self.stream_error(&change, error).await),
        }
    }

    async fn streams(&self, task: &str, exec: &Exec) -> Result<Streams, Error> {
        Ok(Streams {
            control: websocket::connect(self.http(), task, "control").await?,
            stdio: websocket::connect(self.http(), task, "stdio").await?,
            stderr: match exec.splits_stderr() {
                true => Some(websocket::connect(self.http(), task, "stderr").await?.1),
                false => None,
            },
        })
    }

    /// The error for a stream that was rejected: that of the change, if it has one.
    async fn stream_error(&self, change: &str, error: Error) -> Error {
        match timeout(REASON, self.change(change)).await {
            Ok(Ok(change)) if change.err.is_some() => Error::Change(Box::new(change)),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(exec: &Exec) -> Value {
        let text = serde_json::to_string(&exec.request()).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_request_has_what_pebble_reads() {
        let exec = Exec {
            command: vec!["a".to_owned(), "b".to_owned()],
            environment: vec![("K".to_owned(), "v".to_owned())],
            timeout: Some(Duration::from_millis(1500)),
            user_id: Some(0),
            ..Exec::default()
        };
        assert_eq!(
            request(&exec),
            json!({"command": ["a", "b"], "service-context": null, "environment": {"K": "v"},
                "working-dir": null, "timeout": "1.500s", "user-id": 0, "user": null,
                "group-id": null, "group": null, "split-stderr": true})
        );
    }

    #[test]
    fn a_terminal_is_the_only_stream() {
        let terminal = TerminalSize {
            width: 100,
            height: 0,
        };
        let exec = Exec {
            terminal: Some(terminal),
            ..Exec::default()
        };
        let request = request(&exec);
        assert_eq!(request["terminal"], true);
        assert_eq!(request["interactive"], true);
        assert_eq!(request["width"], 100);
        assert_eq!(request["split-stderr"], false);
    }

    #[test]
    fn a_short_timeout_is_not_sent_as_none() {
        for (timeout, wanted) in [
            (None, Value::Null),
            (Some(Duration::ZERO), Value::Null),
            (Some(Duration::from_nanos(1)), json!("0.001s")),
        ] {
            let exec = Exec {
                timeout,
                ..Exec::default()
            };
            assert_eq!(request(&exec)["timeout"], wanted);
        }
    }
}
