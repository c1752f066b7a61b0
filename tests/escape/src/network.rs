//! Listeners on this machine, granted and not.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;

/// Address of the listener that no guest may reach.
const FORBIDDEN: [&str; 3] = ["127.0.0.1", "127.0.0.2", "[::1]"];
/// Address of the listener that can be granted.
const GRANTED: [&str; 3] = ["127.0.0.1", "127.0.0.2", "127.0.0.7"];

/// Listeners that record connections.
pub struct Network {
    /// The port that no guest may reach.
    pub port: u16,
    /// The port that some may.
    pub granted_port: u16,
    /// A name of this machine other than `localhost`.
    pub name: String,
    was_reached: Arc<AtomicBool>,
}

impl Network {
    pub fn start() -> anyhow::Result<Self> {
        let was_reached = Arc::new(AtomicBool::new(false));
        Ok(Network {
            port: listen(&FORBIDDEN, Some(&was_reached))?,
            granted_port: listen(&GRANTED, None)?,
            name: other_name(),
            was_reached,
        })
    }

    /// Whether the forbidden port was reached since the last time.
    pub fn was_reached(&self) -> bool {
        self.was_reached.swap(false, Ordering::SeqCst)
    }
}

/// Listens over TCP and UDP on one port of several addresses.
fn listen(addresses: &[&str], noted: Option<&Arc<AtomicBool>>) -> anyhow::Result<u16> {
    // A port that is free on one address may not be on another.
    for _ in 0..50 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let bound: std::io::Result<Vec<_>> = addresses
            .iter()
            .map(|address| {
                let address = format!("{address}:{port}");
                Ok((TcpListener::bind(&address)?, UdpSocket::bind(&address)?))
            })
            .collect();
        if let Ok(bound) = bound {
            for (stream, datagrams) in bound {
                serve(stream, datagrams, noted.cloned());
            }
            return Ok(port);
        }
    }
    bail!("no port is free on all of {addresses:?}")
}

fn serve(stream: TcpListener, datagrams: UdpSocket, noted: Option<Arc<AtomicBool>>) {
    let note = move || {
        if let Some(noted) = &noted {
            noted.store(true, Ordering::SeqCst);
        }
    };
    let noted = note.clone();
    std::thread::spawn(move || {
        while stream.accept().is_ok() {
            noted();
        }
    });
    std::thread::spawn(move || {
        while datagrams.recv(&mut [0; 64]).is_ok() {
            note();
        }
    });
}

/// A name that this machine resolves without a name server.
fn other_name() -> String {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let names = hosts.lines().flat_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        line.split_whitespace().skip(1)
    });
    let resolves = |name: &&str| {
        let found = (*name, 1).to_socket_addrs();
        found.is_ok_and(|mut found| found.any(|address: SocketAddr| address.ip().is_loopback()))
    };
    let other = names
        .filter(|name| !name.starts_with("localhost"))
        .find(resolves);
    // Old resolvers accept numbers as names.
    other.unwrap_or("0177.1").to_owned()
}
