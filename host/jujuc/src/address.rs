//! Where the agent listens.

use std::fmt;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::PathBuf;

use crate::Error;

/// The agent's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket in the file system.
    Path(PathBuf),
    /// A name without a file, as agents of before September 2024 had.
    Abstract(String),
}

impl Address {
    /// Reads `JUJU_AGENT_SOCKET_NETWORK` and `JUJU_AGENT_SOCKET_ADDRESS`.
    pub fn parse(network: &str, address: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| {
            Err(Error::Address {
                address: address.to_owned(),
                reason: reason.to_owned(),
            })
        };
        match network {
            "unix" => {}
            "tcp" => {
                return refuse(
                    "JUJU_AGENT_SOCKET_NETWORK is tcp, which only pod-spec charms have; set CHARMHOST_HOOK_TOOLS=exec",
                );
            }
            other => {
                return refuse(&format!(
                    "JUJU_AGENT_SOCKET_NETWORK is {other:?}; Juju sets it to unix"
                ));
            }
        }
        match address.strip_prefix('@') {
            _ if address.is_empty() => refuse("it is empty"),
            _ if address.contains('\0') => refuse("it contains a NUL byte"),
            Some(name) => Ok(Address::Abstract(name.to_owned())),
            None => Ok(Address::Path(PathBuf::from(address))),
        }
    }

    pub(crate) fn connect(&self) -> std::io::Result<UnixStream> {
        match self {
            Address::Path(path) => UnixStream::connect(path),
            Address::Abstract(name) => {
                UnixStream::connect_addr(&SocketAddr::from_abstract_name(name.as_bytes())?)
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Path(path) => write!(f, "{}", path.display()),
            Address::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_abstract_names_are_told_apart() {
        assert_eq!(
            Address::parse("unix", "/run/a").unwrap(),
            Address::Path("/run/a".into())
        );
        assert_eq!(
            Address::parse("unix", "@a").unwrap(),
            Address::Abstract("a".to_owned())
        );
    }

    #[test]
    fn what_cannot_be_connected_to_is_refused_with_the_reason() {
        for (network, address, wanted) in [
            ("unix", "", "it is empty"),
            ("unix", "/a\0b", "NUL"),
            ("tcp", "10.0.0.1:17070", "only pod-spec charms"),
            ("udp", "/a", "JUJU_AGENT_SOCKET_NETWORK is \"udp\""),
            ("", "/a", "JUJU_AGENT_SOCKET_NETWORK is \"\""),
        ] {
            let error = Address::parse(network, address).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn an_abstract_socket_is_reached_by_its_exact_name() {
        let name = format!("charmhost-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
        assert!(Address::Abstract(name.clone()).connect().is_ok());
        assert!(Address::Abstract(format!("{name}x")).connect().is_err());
    }
}
