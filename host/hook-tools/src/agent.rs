//! The hook tools of an agent: over its socket, or as programs if it cannot be
//! spoken to (design §5).

use std::cell::Cell;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use charmhost_error_chain::ErrorChain;
use charmhost_jujuc::{Address, CallTimer, Error as RpcError};

use crate::{
    ExecTransport, RpcTransport, ToolError, ToolOutput, Transport, TransportError, Version,
};

/// After this time without an answer, a warning is printed.
const SLOW: Duration = Duration::from_secs(60);
/// How long an agent that let one call time out is still waited for, over all
/// later calls, until it answers one.
const GRACE: Duration = Duration::from_millis(500);

/// How an agent's socket is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSocket {
    /// `unix`, or `tcp` for pod-spec charms: `JUJU_AGENT_SOCKET_NETWORK`.
    pub network: String,
    /// A path, or `@` and an abstract name: `JUJU_AGENT_SOCKET_ADDRESS`.
    pub address: String,
    /// The id of the running hook: `JUJU_CONTEXT_ID`.
    pub context_id: String,
}

/// What is known of an agent, and of the tools as programs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The agent's socket, or the variable without which there is none.
    pub agent: Result<AgentSocket, &'static str>,
    /// The charm's directory, absolute.
    pub charm_dir: PathBuf,
    /// `JUJU_VERSION`, as it is.
    pub juju_version: String,
    /// `PATH`, on which the tools may be.
    pub path: Option<OsString>,
    /// `rpc` or `exec` to have only that, or empty: `CHARMHOST_HOOK_TOOLS`.
    pub choice: String,
}

/// How tools are called.
enum Route {
    /// Over the socket, but nothing was answered yet: programs may still be
    /// used.
    Untried {
        rpc: RpcTransport,
        exec: ExecTransport,
        /// Whether to ask first if the agent speaks the protocol.
        probe: bool,
    },
    Rpc(RpcTransport),
    Exec(ExecTransport),
}

/// The hook tools of an agent.
///
/// Calls go over the agent's socket, and if it cannot be spoken to at the first
/// call, to the programs on `PATH`; which is logged once, as INFO. Once a tool
/// may have run over the socket, there is no other way. A Juju with which the
/// protocol was not seen to work is first asked whether it speaks it, by a call
/// that runs nothing.
pub struct AgentTransport {
    route: Route,
    timeout: Option<Duration>,
    slow: Duration,
    /// What is left of the grace, since a call has timed out.
    grace: Option<Duration>,
    version: String,
    /// Lines for the log, which are written once the agent answers.
    lines: Vec<(&'static str, String)>,
}

impl AgentTransport {
    /// Chooses how to call tools. Nothing is connected to or run.
    ///
    /// # Errors
    ///
    /// If there is neither a socket that can be used nor `juju-log` on `PATH`,
    /// or `choice` is unknown.
    pub fn new(options: Options) -> Result<Self, TransportError> {
        let exec = ExecTransport::direct(options.path.clone());
        let has_tools = exec.has("juju-log");
        let mut lines = Vec::new();
        let route = match (options.choice.as_str(), &options.agent) {
            ("exec", _) => Route::Exec(exec),
            ("" | "rpc", Ok(agent)) => {
                let may_exec = options.choice.is_empty() && has_tools;
                let probe = !Version::parse(&options.juju_version).is_seen();
                match (rpc(agent, &options), may_exec) {
                    (Ok(rpc), true) => Route::Untried { rpc, exec, probe },
                    (Ok(rpc), false) => Route::Rpc(rpc),
                    (Err(error), true) => {
                        lines.push(fallback(&error));
                        Route::Exec(exec)
                    }
                    (Err(error), false) => return Err(error.into()),
                }
            }
            ("", Err(_)) if has_tools => Route::Exec(exec),
            ("" | "rpc", Err(missing)) => return Err(TransportError::NoAgent(missing)),
            (other, _) => return Err(TransportError::UnknownChoice(other.to_owned())),
        };
        Ok(AgentTransport {
            route,
            timeout: None,
            slow: SLOW,
            grace: None,
            version: options.juju_version,
            lines,
        })
    }

    /// Decides between the ways, as far as that can be done without a call.
    fn settle(&mut self, timer: &mut CallTimer) -> Result<(), RpcError> {
        let Route::Untried {
            rpc, probe: true, ..
        } = &mut self.route
        else {
            return Ok(());
        };
        match rpc.probe(timer) {
            Ok(()) => {
                self.use_rpc();
                let line = format!(
                    "charmhost was not tried with the hook tools of Juju {}; its agent speaks the same protocol.",
                    self.version
                );
                self.lines.push(("DEBUG", line));
                Ok(())
            }
            Err(error @ RpcError::Timeout { .. }) => Err(error),
            Err(error) => {
                self.use_exec(&error);
                Ok(())
            }
        }
    }

    fn use_rpc(&mut self) {
        self.replace_untried(|rpc, _| Route::Rpc(rpc));
    }

    fn use_exec(&mut self, error: &RpcError) {
        self.lines.push(fallback(error));
        self.replace_untried(|_, exec| Route::Exec(exec));
    }

    fn replace_untried(&mut self, choose: impl FnOnce(RpcTransport, ExecTransport) -> Route) {
        let nothing = Route::Exec(ExecTransport::direct(None));
        self.route = match std::mem::replace(&mut self.route, nothing) {
            Route::Untried { rpc, exec, .. } => choose(rpc, exec),
            route => route,
        };
    }

    fn call(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
        timer: &mut CallTimer,
    ) -> Result<ToolOutput, ToolError> {
        let from_rpc = |error| ToolError::from_rpc(tool, error);
        self.settle(timer).map_err(from_rpc)?;
        let called = match &mut self.route {
            Route::Exec(exec) => return exec.call(tool, args, stdin, timer),
            Route::Rpc(rpc) => return rpc.call(tool, args, stdin, timer).map_err(from_rpc),
            Route::Untried { rpc, .. } => rpc.call(tool, args, stdin, timer),
        };
        match called {
            Err(error) if is_not_spoken(&error) => {
                self.use_exec(&error);
                self.call(tool, args, stdin, timer)
            }
            // Nothing was sent.
            Err(error @ RpcError::Timeout { sent: false, .. }) => Err(from_rpc(error)),
            called => {
                self.use_rpc();
                called.map_err(from_rpc)
            }
        }
    }

    /// Calls a tool within the time that is left to the agent.
    fn call_in_time(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError> {
        let limit = match (self.timeout, self.grace) {
            (Some(limit), Some(grace)) => Some(limit.min(grace)),
            (limit, _) => limit,
        };
        if limit.is_some_and(|limit| limit.is_zero()) {
            return Err(self.timed_out(tool));
        }
        let started = Instant::now();
        let was_slow = Cell::new(false);
        let seconds = self.slow.as_secs_f64();
        let mut timer = CallTimer::new(limit).when_slow(self.slow, || {
            was_slow.set(true);
            warn(&format!(
                "the Juju agent has not answered {tool} for {seconds} s; waiting on"
            ));
        });
        let called = self.call(tool, args, stdin, &mut timer);
        drop(timer);
        let elapsed = started.elapsed();
        match called {
            Err(ToolError::Timeout { .. }) => {
                self.grace = Some(match self.grace {
                    Some(left) => left.saturating_sub(elapsed),
                    None => GRACE,
                });
                Err(self.timed_out(tool))
            }
            Err(error @ ToolError::Unreachable { .. }) => Err(error),
            answered => {
                self.grace = None;
                if was_slow.get() {
                    let seconds = elapsed.as_secs();
                    let line = format!("The Juju agent took {seconds} s to answer {tool}.");
                    self.lines.push(("WARNING", line));
                }
                answered
            }
        }
    }

    fn timed_out(&self, tool: &str) -> ToolError {
        ToolError::timeout(tool, self.timeout.unwrap_or_default())
    }

    /// Writes the lines that wait for it to the log; one that cannot be
    /// written is lost.
    fn log_lines(&mut self) {
        for (level, line) in std::mem::take(&mut self.lines) {
            let args = ["--log-level", level, "--", &line].map(str::to_owned);
            let _ = self.call_in_time("juju-log", &args, None);
        }
    }
}

impl Transport for AgentTransport {
    fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError> {
        let called = self.call_in_time(tool, args, stdin);
        // Of an agent that does not answer, they wait for the next call.
        if !matches!(called, Err(ToolError::Timeout { .. })) {
            self.log_lines();
        }
        called
    }

    fn set_timeout(&mut self, limit: Option<Duration>) {
        self.timeout = limit;
    }

    fn prepare_restriction(&mut self) -> std::io::Result<()> {
        match &mut self.route {
            Route::Rpc(_) => Ok(()),
            Route::Exec(exec) | Route::Untried { exec, .. } => exec.prepare_restriction(),
        }
    }
}

fn rpc(agent: &AgentSocket, options: &Options) -> Result<RpcTransport, RpcError> {
    let address = Address::parse(&agent.network, &agent.address)?;
    let dir = options.charm_dir.display().to_string();
    Ok(RpcTransport::new(address, agent.context_id.clone(), dir))
}

/// Whether a first call has failed in a way that says that no tool has run, and
/// that none will.
fn is_not_spoken(error: &RpcError) -> bool {
    match error {
        RpcError::Address { .. } | RpcError::Connect { .. } => true,
        RpcError::Io { sent, .. } | RpcError::Closed { sent, .. } => !sent,
        RpcError::Rpc { message, .. } => message.starts_with("rpc: can't find "),
        _ => false,
    }
}

fn fallback(error: &RpcError) -> (&'static str, String) {
    let reason = error.chain();
    let line = format!("Running the hook tools on PATH instead of calling the agent: {reason}");
    ("INFO", line)
}

fn warn(line: &str) {
    // Nobody who closed the stream can be warned.
    let _ = writeln!(std::io::stderr(), "WARNING {line}");
}

#[cfg(test)]
mod tests;
