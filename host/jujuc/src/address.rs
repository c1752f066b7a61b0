//! The address of the agent's socket (juju §2.1).

use std::fmt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::Error;
use crate::stream::StreamError;
use crate::timer::CallTimer;

/// The agent's socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket in the file system.
    Path(PathBuf),
    /// An abstract name, which agents before September 2024 used.
    Abstract(String),
}

impl Address {
    /// Parses `JUJU_AGENT_SOCKET_NETWORK` and `JUJU_AGENT_SOCKET_ADDRESS`.
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
                    "JUJU_AGENT_SOCKET_NETWORK is tcp, which only pod-spec charms have; write transport = \"exec\" under [hook-tools] in charmhost.toml to run the hook tools on PATH",
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

    /// Connects. The standard library has no time limit for a listener whose
    /// queue is full.
    pub(crate) fn connect(&self, timer: &mut CallTimer) -> Result<UnixStream, StreamError> {
        let io = |error: Errno| StreamError::Io(error.into());
        let address = match self {
            Address::Path(path) => SocketAddrUnix::new(path),
            Address::Abstract(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
        };
        let address = address.map_err(io)?;
        let flags = SocketFlags::CLOEXEC;
        let (family, stream) = (AddressFamily::UNIX, SocketType::STREAM);
        let socket = rustix::net::socket_with(family, stream, flags, None).map_err(io)?;
        loop {
            let wait = timer.wait().map_err(StreamError::Expired)?;
            set_socket_timeout(&socket, Timeout::Send, wait).map_err(io)?;
            match rustix::net::connect(&socket, &address) {
                Ok(()) => return Ok(UnixStream::from(socket)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(io(error)),
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
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

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
        let connect = |name: &str| {
            let address = Address::Abstract(name.to_owned());
            address.connect(&mut CallTimer::new(None))
        };
        assert!(connect(&name).is_ok());
        assert!(connect(&format!("{name}x")).is_err());
    }

    #[test]
    fn a_listener_that_accepts_nobody_is_waited_for_no_longer_than_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.socket");
        let (family, stream) = (AddressFamily::UNIX, SocketType::STREAM);
        let socket = rustix::net::socket(family, stream, None).unwrap();
        rustix::net::bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let limit = std::time::Duration::from_millis(100);
        let connect = || Address::Path(path.clone()).connect(&mut CallTimer::new(Some(limit)));
        let first = connect();
        assert!(first.is_ok());
        assert!(matches!(connect(), Err(StreamError::Expired(_))));
    }
}
