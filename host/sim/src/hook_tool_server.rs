//! The agent's socket: opened for one hook, closed after it (juju §2.1).

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use charmhost_jujuc::{REQUIRES_STDIN, Reply, Request, serve_connection};
use charmhost_sim_model::{Hook, Level, LogLine, tools};
use rustix::event::{EventfdFlags, PollFd, PollFlags};

use crate::Error;
use crate::redactor::Redactor;
use crate::sim_event::{SimEvent, ToolCall};
use crate::sim_event_queue::SimEventQueue;

/// A socket on which a hook's tools can be called.
pub struct Server {
    shared: Arc<Shared>,
    socket: PathBuf,
    stop: Arc<OwnedFd>,
    acceptor: JoinHandle<()>,
}

struct Shared {
    /// None once the hook is over. Its lock makes tools run one at a time.
    hook: Mutex<Option<Hook>>,
    context_id: String,
    events: SimEventQueue,
    redactor: Redactor,
    connections: Mutex<Connections>,
    /// Notified when a connection is gone.
    gone: Condvar,
}

#[derive(Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, UnixStream>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Listens at a path for calls of one hook.
    pub fn open(
        socket: &Path,
        context_id: &str,
        hook: Hook,
        events: SimEventQueue,
        redactor: Redactor,
    ) -> Result<Self, Error> {
        let fail = |source| Error::io("listen on", socket, source);
        let listener = UnixListener::bind(socket).map_err(fail)?;
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(socket, private).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let stop =
            rustix::event::eventfd(0, EventfdFlags::CLOEXEC).map_err(|error| fail(error.into()))?;
        let stop = Arc::new(stop);
        let shared = Arc::new(Shared {
            hook: Mutex::new(Some(hook)),
            context_id: context_id.to_owned(),
            events,
            redactor,
            connections: Mutex::default(),
            gone: Condvar::new(),
        });
        let acceptor = {
            let (shared, stop) = (Arc::clone(&shared), Arc::clone(&stop));
            let builder = std::thread::Builder::new().name("agent-accept".to_owned());
            builder
                .spawn(move || accept(&listener, &stop, &shared))
                .map_err(fail)?
        };
        Ok(Server {
            shared,
            socket: socket.to_path_buf(),
            stop,
            acceptor,
        })
    }

    /// Ends the hook, whose context id is stale from now on. None if it was
    /// ended before.
    pub fn end_hook(&self) -> Option<Hook> {
        lock(&self.shared.hook).take()
    }

    /// Closes the socket and waits for its connections, as Juju does, but not
    /// for ever: after `timeout` they are cut. Gives the processes that still
    /// had one.
    pub fn close(self, timeout: Duration) -> Vec<String> {
        // Whoever connects from here on finds nothing.
        let _ = std::fs::remove_file(&self.socket);
        let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
        // A thread that panicked has nothing to say.
        let _ = self.acceptor.join();
        let all_gone = |connections: &mut Connections| !connections.open.is_empty();
        let connections = lock(&self.shared.connections);
        let waited = self
            .shared
            .gone
            .wait_timeout_while(connections, timeout, all_gone);
        let (connections, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let mut names = Vec::new();
        for stream in connections.open.values() {
            names.push(peer(stream));
            let _ = stream.shutdown(Shutdown::Both);
        }
        names.sort();
        names.dedup();
        names
    }
}

/// The process at the other end, for people.
fn peer(stream: &UnixStream) -> String {
    let Ok(peer) = rustix::net::sockopt::socket_peercred(stream) else {
        return "an unknown process".to_owned();
    };
    let pid = peer.pid.as_raw_nonzero();
    match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!("{} (process {pid})", name.trim_end()),
        Err(_) => format!("process {pid}, or a child of it"),
    }
}

/// Accepts connections until `stop` is signalled, and serves each in a thread.
fn accept(listener: &UnixListener, stop: &OwnedFd, shared: &Arc<Shared>) {
    loop {
        let mut ready = [
            PollFd::new(listener, PollFlags::IN),
            PollFd::new(stop, PollFlags::IN),
        ];
        match rustix::event::poll(&mut ready, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        let stopped = ready.last().is_some_and(|stop| !stop.revents().is_empty());
        if stopped {
            return;
        }
        match listener.accept() {
            Ok((stream, _)) => take(stream, shared),
            // The caller gave up meanwhile, or was interrupted.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                ) => {}
            Err(error) => {
                // Out of files or memory: calls that wait will get their turn.
                log_problem(
                    shared,
                    &format!("cannot accept a hook tool's connection: {error}"),
                );
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn log_problem(shared: &Shared, message: &str) {
    shared.events.push([SimEvent::Log(LogLine {
        level: Level::Warning,
        message: message.to_owned(),
    })]);
}

fn take(stream: UnixStream, shared: &Arc<Shared>) {
    let ours = match stream
        .set_nonblocking(false)
        .and_then(|()| stream.try_clone())
    {
        Ok(ours) => ours,
        Err(error) => {
            return log_problem(
                shared,
                &format!("cannot serve a hook tool's connection: {error}"),
            );
        }
    };
    let id = {
        let mut connections = lock(&shared.connections);
        connections.next += 1;
        let id = connections.next;
        connections.open.insert(id, ours);
        id
    };
    let serving = Arc::clone(shared);
    let builder = std::thread::Builder::new().name("agent-tools".to_owned());
    let spawned = builder.spawn(move || {
        // A connection error ends the connection, which the caller sees.
        let _ = serve_connection(stream, |request| serving.answer(request));
        serving.forget(id);
    });
    if let Err(error) = spawned {
        shared.forget(id);
        log_problem(
            shared,
            &format!("cannot serve a hook tool's connection: {error}"),
        );
    }
}

impl Shared {
    fn forget(&self, id: u64) {
        lock(&self.connections).open.remove(&id);
        self.gone.notify_all();
    }

    fn answer(&self, request: Request) -> Result<Reply, String> {
        let mut running = lock(&self.hook);
        let hook = match running.as_mut() {
            Some(hook) if request.context_id == self.context_id => hook,
            _ => {
                return Err(format!(
                    "bad request: wrong context ID; got {:?}",
                    request.context_id
                ));
            }
        };
        let answer = tools::run(hook, &request);
        let mut events: Vec<SimEvent> = hook
            .take_events()
            .into_iter()
            .map(|event| self.redactor.event(hook, event))
            .collect();
        // A caller that did not know that the tool reads its input calls again
        // with it: the tool did not run yet.
        if !answer.as_ref().is_err_and(|error| error == REQUIRES_STDIN) {
            let call = self.redactor.call(hook, record(request, &answer));
            events.push(SimEvent::Call(call));
        }
        // Under the lock, so that calls are noted in the order they ran.
        self.events.push(events);
        answer
    }
}

fn record(request: Request, answer: &Result<Reply, String>) -> ToolCall {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let reply = answer.as_ref().ok();
    ToolCall {
        tool: request.tool,
        args: request.args,
        stdin: request.stdin.as_deref().map(text),
        exit_code: reply.map(|reply| reply.code),
        stdout: reply.map(|reply| text(&reply.stdout)).unwrap_or_default(),
        stderr: reply.map(|reply| text(&reply.stderr)).unwrap_or_default(),
        rpc_error: answer.as_ref().err().cloned(),
    }
}
