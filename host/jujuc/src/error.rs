//! What can go wrong between a charm and its agent.

use crate::gob::Malformed;
use crate::timer::Expired;

/// Why a call got no reply from a tool.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is not one this side can connect to.
    #[error("cannot use the agent's socket address {address:?}: {reason}")]
    Address {
        /// The address as it was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody listens.
    #[error(
        "cannot connect to the Juju agent at {address} (hook tools only work while the agent runs a hook)"
    )]
    Connect {
        /// The socket.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The agent went away before it answered.
    #[error("cannot finish {tool}: the Juju agent closed the connection before it answered")]
    Closed {
        /// The tool that was called.
        tool: String,
        /// Whether the call had been sent whole.
        sent: bool,
    },
    /// The connection broke.
    #[error("cannot talk to the Juju agent during {tool}")]
    Io {
        /// The tool that was called.
        tool: String,
        /// What the system said.
        source: std::io::Error,
        /// Whether the call had been sent whole.
        sent: bool,
    },
    /// The agent did not answer in time.
    #[error("cannot finish {tool}: the Juju agent has {expired}")]
    Timeout {
        /// The tool that was called.
        tool: String,
        /// How long was waited.
        expired: Expired,
        /// Whether the call had been sent whole.
        sent: bool,
    },
    /// The answer is not of this protocol.
    #[error("cannot understand the Juju agent's answer to {tool}: {reason}")]
    Malformed {
        /// The tool that was called.
        tool: String,
        /// What is wrong with the answer.
        reason: Malformed,
    },
    /// The agent refused the call; no tool ran to its end.
    #[error("cannot run {tool}: the Juju agent says: {message}")]
    Rpc {
        /// The tool that was called.
        tool: String,
        /// The agent's words.
        message: String,
    },
}

impl Error {
    /// Whether the agent does not know the tool, as an older or newer Juju may
    /// not.
    pub fn is_unknown_tool(&self) -> bool {
        matches!(self, Error::Rpc { message, .. } if message.contains("unknown command"))
    }

    /// Whether the tool wanted input and the call had none.
    pub fn requires_stdin(&self) -> bool {
        matches!(self, Error::Rpc { message, .. } if message == crate::REQUIRES_STDIN)
    }

    /// Whether the call's connection can take no other call.
    pub fn is_of_connection(&self) -> bool {
        !matches!(self, Error::Rpc { .. })
    }

    /// Whether the tool may have run: the call must then not be repeated by
    /// other means.
    pub fn after_send(&self) -> bool {
        match self {
            Error::Address { .. } | Error::Connect { .. } | Error::Rpc { .. } => false,
            Error::Io { sent, .. } | Error::Closed { sent, .. } | Error::Timeout { sent, .. } => {
                *sent
            }
            Error::Malformed { .. } => true,
        }
    }
}
