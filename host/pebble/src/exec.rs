//! Running commands.
//!
//! A command's streams are pumped by tasks of their own. Output waits in a
//! bounded buffer until it is read, and the command waits when that is full;
//! what nobody wants any more is read and discarded. Input that the command no
//! longer takes is dropped.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value, json};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::client::change_id;
use crate::{Change, Client, Error};

/// How long the daemon waits for the streams of a command, and so do we.
const CONNECT: Duration = Duration::from_secs(5);
/// How much longer than a command's own time its end is waited for.
const GRACE: Duration = Duration::from_secs(1);
/// How many pieces of a stream wait to be read or sent.
const WAITING: usize = 16;
/// How large a piece of input is; the daemon's own are no larger.
const PIECE: usize = 64 * 1024;

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
    /// After how long it is killed.
    pub timeout: Option<Duration>,
    /// The number of the user it runs as.
    pub user_id: Option<u32>,
    /// The name of the user it runs as.
    pub user: Option<String>,
    /// The number of the group it runs as.
    pub group_id: Option<u32>,
    /// The name of the group it runs as.
    pub group: Option<String>,
    /// Whether its error output comes with its output.
    pub combine_stderr: bool,
    /// All of its input; without it, [`Process::write_input`] gives it some.
    pub input: Option<Bytes>,
}

impl Exec {
    fn body(&self) -> Value {
        let environment: Map<String, Value> = self
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        json!({
            "command": self.command,
            "service-context": self.service_context,
            "environment": environment,
            "working-dir": self.working_dir,
            "timeout": self.timeout.map(|timeout| format!("{:.3}s", timeout.as_secs_f64())),
            "user-id": self.user_id,
            "user": self.user,
            "group-id": self.group_id,
            "group": self.group,
            "split-stderr": !self.combine_stderr,
        })
    }
}

type Socket = WebSocketStream<UnixStream>;

/// A command that runs. Dropped before it has ended, it is killed.
pub struct Process {
    client: Client,
    change: String,
    timeout: Option<Duration>,
    started: Instant,
    /// Kept open: the daemon kills a command whose caller has gone.
    control: Option<Socket>,
    input: Option<mpsc::Sender<Bytes>>,
    output: Stream,
    error_output: Option<Stream>,
    pumps: Vec<JoinHandle<()>>,
}

/// What a command left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Its exit code: 128 and the signal's number for one that was killed.
    pub code: i32,
    /// Its output.
    pub stdout: Vec<u8>,
    /// Its error output, unless that came with the output.
    pub stderr: Vec<u8>,
    /// Whether there was more than was wanted.
    pub truncated: bool,
}

/// An output stream on its way from the daemon to the reader.
struct Stream {
    pieces: mpsc::Receiver<Result<Bytes, CutOff>>,
    rest: Bytes,
}

/// The daemon went away before it said that the stream was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CutOff;

impl Stream {
    async fn read(&mut self, max: usize) -> Result<Bytes, CutOff> {
        while self.rest.is_empty() {
            match self.pieces.recv().await {
                Some(piece) => self.rest = piece?,
                None => return Ok(Bytes::new()),
            }
        }
        let count = self.rest.len().min(max);
        Ok(self.rest.split_to(count))
    }

    /// All of it, but no more than so much kept.
    async fn collect(&mut self, max: usize) -> Result<(Vec<u8>, bool), CutOff> {
        let mut all = Vec::new();
        let mut more = false;
        loop {
            let piece = self.read(usize::MAX).await?;
            if piece.is_empty() {
                return Ok((all, more));
            }
            let room = max - all.len();
            more |= piece.len() > room;
            all.extend(piece.iter().take(room));
        }
    }
}

impl Client {
    /// Runs a command.
    pub async fn exec(&self, exec: &Exec) -> Result<Process, Error> {
        if exec.command.iter().all(String::is_empty) {
            return Err(Error::Invalid("cannot run an empty command".to_owned()));
        }
        let answer = self.post("/v1/exec", &exec.body()).await?;
        let change = change_id(&answer)?;
        let task = answer.result.get("task-id").and_then(Value::as_str);
        let Some(task) = task.map(str::to_owned) else {
            return Err(Error::Protocol(
                "a command that runs has no task".to_owned(),
            ));
        };
        let connected = tokio::time::timeout(CONNECT, self.connect(&task, !exec.combine_stderr));
        let (control, stdio, stderr) = match connected.await {
            Ok(Ok(sockets)) => sockets,
            Ok(Err(error)) => return Err(self.refused(&change, error).await),
            Err(_) => {
                let error = Error::Timeout {
                    doing: "connecting to the streams of a command".to_owned(),
                    after: CONNECT,
                };
                return Err(self.refused(&change, error).await);
            }
        };
        let (sink, stream) = stdio.split();
        let (input, to_send) = mpsc::channel(WAITING);
        let all = exec.input.clone();
        // With all of it given, there is nothing to be added.
        let input = all.is_none().then_some(input);
        let pump = pump_input(all.unwrap_or_default(), to_send, sink);
        let mut pumps = vec![tokio::spawn(pump)];
        let mut pump = |stream: SplitStream<Socket>| {
            let (sender, pieces) = mpsc::channel(WAITING);
            pumps.push(tokio::spawn(pump_output(stream, sender)));
            Stream {
                pieces,
                rest: Bytes::new(),
            }
        };
        Ok(Process {
            client: self.clone(),
            change,
            timeout: exec.timeout,
            started: Instant::now(),
            control: Some(control),
            input,
            output: pump(stream),
            error_output: stderr.map(|socket| pump(socket.split().1)),
            pumps,
        })
    }

    async fn connect(
        &self,
        task: &str,
        split: bool,
    ) -> Result<(Socket, Socket, Option<Socket>), Error> {
        let control = self.socket_of(task, "control").await?;
        let stdio = self.socket_of(task, "stdio").await?;
        let stderr = match split {
            true => Some(self.socket_of(task, "stderr").await?),
            false => None,
        };
        Ok((control, stdio, stderr))
    }

    /// Each stream has a connection of its own.
    async fn socket_of(&self, task: &str, name: &str) -> Result<Socket, Error> {
        let stream = UnixStream::connect(self.socket())
            .await
            .map_err(|error| self.transport().not_ready(error))?;
        let address = format!("ws://localhost/v1/tasks/{task}/websocket/{name}");
        match tokio_tungstenite::client_async(address, stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(error) => Err(Error::Protocol(format!(
                "it refuses the stream {name} of a command: {error}"
            ))),
        }
    }

    /// A stream was refused: the change says why, if it is over.
    async fn refused(&self, change: &str, error: Error) -> Error {
        match self.change(change).await {
            Ok(change) if change.err.is_some() => Error::Change(Box::new(change)),
            _ => error,
        }
    }
}

async fn pump_input(
    mut first: Bytes,
    mut pieces: mpsc::Receiver<Bytes>,
    mut sink: SplitSink<Socket, Message>,
) {
    while !first.is_empty() {
        let piece = first.split_to(first.len().min(PIECE));
        if sink.send(Message::Binary(piece)).await.is_err() {
            return;
        }
    }
    while let Some(piece) = pieces.recv().await {
        if sink.send(Message::Binary(piece)).await.is_err() {
            return;
        }
    }
    let end = json!({"command": "end"}).to_string();
    // Should it not arrive, the command is over anyway.
    let _ = sink.send(Message::Text(end.into())).await;
}

async fn pump_output(mut stream: SplitStream<Socket>, pieces: mpsc::Sender<Result<Bytes, CutOff>>) {
    while let Some(Ok(message)) = stream.next().await {
        match message {
            // Nobody may want it any more; the command must go on.
            Message::Binary(bytes) if bytes.is_empty() => {}
            Message::Binary(bytes) => drop(pieces.send(Ok(bytes)).await),
            Message::Text(text) if is_end(&text) => return,
            Message::Close(_) => break,
            _ => {}
        }
    }
    // What came so far is not the whole.
    drop(pieces.send(Err(CutOff)).await);
}

fn is_end(text: &str) -> bool {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    value.get("command").and_then(Value::as_str) == Some("end")
}

impl Process {
    /// Gives it a piece of input. What it takes no longer is dropped.
    pub async fn write_input(&mut self, piece: impl Into<Bytes>) -> Result<(), Error> {
        let Some(input) = &self.input else {
            let text = "cannot write to a command whose input was ended";
            return Err(Error::Invalid(text.to_owned()));
        };
        let piece = piece.into();
        if piece.is_empty() {
            return Ok(());
        }
        match input.try_send(piece) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(piece)) => {
                let sent = pin!(input.send(piece));
                let over = pin!(until_over(&self.client, &self.change));
                futures_util::future::select(sent, over).await;
            }
        }
        Ok(())
    }

    /// Ends its input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// The next piece of its output, of at most `max` bytes; an empty one at
    /// the end.
    pub async fn read_output(&mut self, max: usize) -> Result<Bytes, Error> {
        let left = self.left();
        let read = within(left, self.output.read(max)).await?;
        read.map_err(|CutOff| self.cut_off())
    }

    /// The same for its error output; always empty if that comes with the
    /// output.
    pub async fn read_error_output(&mut self, max: usize) -> Result<Bytes, Error> {
        let left = self.left();
        match &mut self.error_output {
            Some(stream) => {
                let read = within(left, stream.read(max)).await?;
                read.map_err(|CutOff| self.cut_off())
            }
            None => Ok(Bytes::new()),
        }
    }

    /// Sends it a signal, as `SIGTERM`.
    pub async fn send_signal(&mut self, signal: &str) -> Result<(), Error> {
        let text = json!({"command": "signal", "signal": {"name": signal}}).to_string();
        let Some(control) = &mut self.control else {
            return Err(Error::Invalid(
                "cannot signal a command that is over".to_owned(),
            ));
        };
        control
            .send(Message::Text(text.into()))
            .await
            .map_err(|error| self.client.transport().not_ready(error))
    }

    /// Waits for its end, and gives its exit code. Output that was not read by
    /// then is discarded; its input ends.
    pub async fn wait(mut self) -> Result<i32, Error> {
        self.input = None;
        self.output.pieces.close();
        if let Some(stream) = &mut self.error_output {
            stream.pieces.close();
        }
        self.end().await
    }

    /// Reads both of its outputs to their ends, keeping so much of each, and
    /// waits for its end.
    pub async fn collect(mut self, max: usize) -> Result<Collected, Error> {
        self.input = None;
        let left = self.left();
        let both = async {
            let nothing = async {
                match &mut self.error_output {
                    Some(stream) => stream.collect(max).await,
                    None => Ok((Vec::new(), false)),
                }
            };
            futures_util::future::join(self.output.collect(max), nothing).await
        };
        let (output, errors) = within(left, both).await?;
        let (stdout, more) = output.map_err(|CutOff| self.cut_off())?;
        let (stderr, more_errors) = errors.map_err(|CutOff| self.cut_off())?;
        Ok(Collected {
            code: self.end().await?,
            stdout,
            stderr,
            truncated: more || more_errors,
        })
    }

    /// How long its end may still be waited for.
    fn left(&self) -> Option<Duration> {
        let timeout = self.timeout? + GRACE;
        Some(timeout.saturating_sub(self.started.elapsed()))
    }

    async fn end(&mut self) -> Result<i32, Error> {
        let left = self.left();
        let change = match self.client.wait_ready(&self.change, left).await {
            Ok(change) => change,
            Err(Error::Timeout { .. }) => return Err(self.too_long()),
            Err(error) => return Err(error),
        };
        self.control = None;
        let code = exit_code(&change);
        let killed = self
            .timeout
            .is_some_and(|timeout| self.started.elapsed() >= timeout);
        match (code, &change.err) {
            (Some(code), None) => Ok(code),
            (Some(-1), Some(_)) if killed => Err(self.too_long()),
            (_, Some(_)) => Err(Error::Change(Box::new(change))),
            (None, None) => Err(Error::Protocol(
                "a command has ended without a code".to_owned(),
            )),
        }
    }

    fn cut_off(&self) -> Error {
        let reason = "the output of a command was cut off";
        self.client.transport().not_ready(reason)
    }

    fn too_long(&self) -> Error {
        Error::Timeout {
            doing: "running a command".to_owned(),
            after: self.timeout.unwrap_or_default(),
        }
    }
}

/// A deadline for what the command's end brings; a grandchild may hold its
/// output open long after it.
async fn within<T>(left: Option<Duration>, work: impl Future<Output = T>) -> Result<T, Error> {
    let Some(left) = left else {
        return Ok(work.await);
    };
    tokio::time::timeout(left, work)
        .await
        .map_err(|_| Error::Timeout {
            doing: "reading the output of a command".to_owned(),
            after: left,
        })
}

/// Comes back when a change is over, however it ends.
async fn until_over(client: &Client, change: &str) {
    let _ = client.wait_ready(change, None).await;
}

fn exit_code(change: &Change) -> Option<i32> {
    let code = change.tasks.first()?.data.get("exit-code")?.as_i64()?;
    i32::try_from(code).ok()
}

impl Drop for Process {
    fn drop(&mut self) {
        for pump in &self.pumps {
            pump.abort();
        }
    }
}
