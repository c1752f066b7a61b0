//! Errors between a charm and its agent.

use crate::gob::Malformed;
use crate::timer::Expired;

/// A call without a reply from a tool.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be connected to.
    #[error("cannot use the agent's socket address {address:?}: {reason}")]
    Address {
        /// The address.
        address: String,
        /// The reason.
        reason: String,
    },
    /// The connection was refused or not possible.
    #[error(
        "cannot connect to the Juju agent at {address} (hook tools only work while the agent runs a hook)"
    )]
    Connect {
        /// The socket.
        address: String,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The agent closed the connection before it answered.
    #[error("cannot finish {tool}: the Juju agent closed the connection before it answered")]
    Closed {
        /// The tool that was called.
        tool: String,
        /// Whether the call was sent completely.
        sent: bool,
    },
    /// Reading or writing failed.
    #[error("cannot talk to the Juju agent during {tool}")]
    Io {
        /// The tool that was called.
        tool: String,
        /// The error of the system.
        source: std::io::Error,
        /// Whether the call was sent completely.
        sent: bool,
    },
    /// The agent did not answer in time.
    #[error("cannot finish {tool}: the Juju agent has {expired}")]
    Timeout {
        /// The tool that was called.
        tool: String,
        /// The time limit that expired.
        expired: Expired,
        /// Whether the call was sent completely.
        sent: bool,
    },
    /// The answer is not of this protocol.
    #[error("cannot understand the Juju agent's answer to {tool}: {reason}")]
    Malformed {
        /// The tool that was called.
        tool: String,
        /// The reason.
        reason: Malformed,
    },
    /// The agent rejected the call; no tool ran to its end.
    #[error("cannot run {tool}: the Juju agent says: {message}")]
    Rpc {
        /// The tool that was called.
        tool: String,
        /// The agent's message.
        message: String,
    },
}

impl Error {
    /// Whether the agent does not have the tool, for example because Juju is
    /// older or newer.
    pub fn is_unknown_tool(&self) -> bool {
        matches!(self, Error::Rpc { message, .. } if message.contains("unknown command"))
    }

    /// Whether the tool reads its standard input and the call had none.
    pub fn requires_stdin(&self) -> bool {
        matches!(self, Error::Rpc { message, .. } if message == crate::REQUIRES_STDIN)
    }

    /// Whether the connection cannot be used for another call.
    pub fn is_of_connection(&self) -> bool {
        !matches!(self, Error::Rpc { .. })
    }

    /// Whether the tool may have run: the call must then not be repeated.
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
