//! The hook tools of an agent: over its socket, or as programs if it does not
//! speak the protocol (ops §7).

use std::cell::Cell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use charmhost_error_chain::ErrorChain;
use charmhost_jujuc::{Address, CallTimer, Error as RpcError};

use crate::exec::ExecTransport;
use crate::log::Level;
use crate::rpc::RpcTransport;
use crate::stderr_writer::Stderr;
use crate::table::{self, LOG_TOOL};
use crate::tool_error::ToolError;
use crate::transport::{ToolOutput, Transport, TransportError};
use crate::version::Version;

/// How long an agent may take to answer before a warning is printed.
const SLOW: Duration = Duration::from_secs(60);
/// After a call has timed out, the time for which later calls wait together,
/// until one is answered.
const GRACE: Duration = Duration::from_millis(500);

/// The address of an agent's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSocket {
    /// `unix`, or `tcp` for pod-spec charms: `JUJU_AGENT_SOCKET_NETWORK`.
    pub network: String,
    /// A path, or `@` and an abstract name: `JUJU_AGENT_SOCKET_ADDRESS`.
    pub address: String,
    /// The id of the running hook: `JUJU_CONTEXT_ID`.
    pub context_id: String,
}

/// Where the hook tools of an agent are, over its socket and as programs.
#[derive(Debug, Clone)]
pub struct AgentOptions {
    /// The agent's socket, or the name of the variable that is missing for it.
    pub agent: Result<AgentSocket, &'static str>,
    /// The charm's directory, absolute.
    pub charm_dir: PathBuf,
    /// The text of `JUJU_VERSION`.
    pub juju_version: String,
    /// `PATH`, which may contain the directory of the tools.
    pub path: Option<OsString>,
    /// `rpc` or `exec` to use only that, or empty: `CHARMHOST_HOOK_TOOLS`.
    pub choice: String,
}

/// How tools are called.
enum Route {
    /// Over the socket, but it has not answered yet: programs may be used
    /// instead.
    Untried {
        rpc: RpcTransport,
        exec: ExecTransport,
        /// Whether to ask first whether the agent speaks the protocol.
        probe: bool,
    },
    Rpc(RpcTransport),
    Exec(ExecTransport),
}

/// The hook tools of an agent.
///
/// Calls go over the agent's socket. If the first call cannot be made there, this
/// and later calls run the programs on `PATH`, which is logged once, at INFO.
/// Once a tool may have run over the socket, programs are no longer used. An agent
/// of a version that was not tested is first asked whether it speaks the
/// protocol, by a call that runs nothing.
pub struct AgentTransport {
    route: Route,
    timeout: Option<Duration>,
    slow: Duration,
    /// The rest of [`GRACE`], after a call has timed out.
    grace: Option<Duration>,
    version: String,
    /// `PATH`, where Juju has a program for each tool.
    path: Option<OsString>,
    /// Log lines that are written once the agent answers.
    lines: Vec<(Level, String)>,
    /// For the warning about a slow agent, which the log does not take.
    stderr: Stderr,
}

impl AgentTransport {
    /// Chooses how to call tools. Opens no connection and runs nothing.
    ///
    /// # Errors
    ///
    /// If there is neither a socket that can be used nor [`LOG_TOOL`] on `PATH`,
    /// or `choice` is unknown.
    pub fn new(options: AgentOptions, stderr: Stderr) -> Result<Self, TransportError> {
        let exec = ExecTransport::direct(options.path.clone());
        let has_tools = exec.has(LOG_TOOL);
        let mut lines = Vec::new();
        let route = match (options.choice.as_str(), &options.agent) {
            ("exec", _) => Route::Exec(exec),
            ("" | "rpc", Ok(agent)) => {
                let may_exec = options.choice.is_empty() && has_tools;
                let probe = !Version::parse(&options.juju_version).is_tested();
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
            path: options.path,
            lines,
            stderr,
        })
    }

    /// Asks an agent of a version that was not tested whether it speaks the
    /// protocol, and chooses the route accordingly.
    fn probe(&mut self, timer: &mut CallTimer) -> Result<(), RpcError> {
        let Route::Untried {
            rpc, probe: true, ..
        } = &mut self.route
        else {
            return Ok(());
        };
        match rpc.probe(timer) {
            Ok(()) => {
                self.choose_rpc();
                let line = format!(
                    "charmhost was not tried with the hook tools of Juju {}; its agent speaks the same protocol.",
                    self.version
                );
                self.lines.push((Level::Debug, line));
                Ok(())
            }
            Err(error @ RpcError::Timeout { .. }) => Err(error),
            Err(error) => {
                self.choose_exec(&error);
                Ok(())
            }
        }
    }

    fn choose_rpc(&mut self) {
        self.replace_untried(|rpc, _| Route::Rpc(rpc));
    }

    fn choose_exec(&mut self, error: &RpcError) {
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
        self.probe(timer).map_err(from_rpc)?;
        let called = match &mut self.route {
            Route::Exec(exec) => return exec.call(tool, args, stdin, timer),
            Route::Rpc(rpc) => return rpc.call(tool, args, stdin, timer).map_err(from_rpc),
            Route::Untried { rpc, .. } => rpc.call(tool, args, stdin, timer),
        };
        match called {
            Err(error) if is_other_protocol(&error) => {
                self.choose_exec(&error);
                self.call(tool, args, stdin, timer)
            }
            // The tool cannot have run.
            Err(error @ RpcError::Timeout { sent: false, .. }) => Err(from_rpc(error)),
            called => {
                self.choose_rpc();
                called.map_err(from_rpc)
            }
        }
    }

    /// Calls a tool within the time limit.
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
        let stderr = self.stderr.clone();
        let mut timer = CallTimer::new(limit).when_slow(self.slow, || {
            was_slow.set(true);
            stderr.write_line(&format!(
                "WARNING the Juju agent has not answered {tool} for {seconds} s; still waiting"
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
                    self.lines.push((Level::Warning, line));
                }
                answered
            }
        }
    }

    fn timed_out(&self, tool: &str) -> ToolError {
        ToolError::timeout(tool, self.timeout.unwrap_or_default())
    }

    /// Writes the pending lines to the log; one that cannot be written is lost.
    fn log_lines(&mut self) {
        for (level, line) in std::mem::take(&mut self.lines) {
            let args = ["--log-level", level.as_str(), "--", &line].map(str::to_owned);
            let _ = self.call_in_time(LOG_TOOL, &args, None);
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
        // If the agent does not answer, they stay for the next call.
        if !matches!(called, Err(ToolError::Timeout { .. })) {
            self.log_lines();
        }
        called
    }

    /// Looks for the tool's program, which Juju has beside its socket, and decides
    /// by Juju's version if there are no programs.
    fn has(&self, tool: &str) -> bool {
        let programs = ExecTransport::direct(self.path.clone());
        match programs.has(LOG_TOOL) {
            true => programs.has(tool),
            false => {
                table::tool(tool).is_some_and(|tool| tool.is_in(Version::parse(&self.version)))
            }
        }
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

fn rpc(agent: &AgentSocket, options: &AgentOptions) -> Result<RpcTransport, RpcError> {
    let address = Address::parse(&agent.network, &agent.address)?;
    let dir = options.charm_dir.display().to_string();
    Ok(RpcTransport::new(address, agent.context_id.clone(), dir))
}

/// Whether the error of a first call means that the tool did not run, and that
/// none will: the agent does not speak the protocol.
fn is_other_protocol(error: &RpcError) -> bool {
    match error {
        RpcError::Address { .. } | RpcError::Connect { .. } => true,
        RpcError::Io { sent, .. } | RpcError::Closed { sent, .. } => !sent,
        RpcError::Rpc { message, .. } => message.starts_with("rpc: can't find "),
        _ => false,
    }
}

fn fallback(error: &RpcError) -> (Level, String) {
    let reason = error.chain();
    let line = format!("Running the hook tools on PATH instead of calling the agent: {reason}");
    (Level::Info, line)
}

#[cfg(test)]
mod tests;
