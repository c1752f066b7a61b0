//! Peers and names that are not granted.

use std::io::Write;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::udp::OutgoingDatagram;
use wasip2::sockets::udp_create_socket::create_udp_socket;

use crate::attempt::*;

const GUARD: &str = "network";

/// Grants of peers of every kind, and none.
const PEERS: &[&str] = &[
    "none",
    "network-address",
    "network-name",
    "network-range",
    "network-any-port",
    "operator-network",
];
/// Those under which a machine's address is granted and its other ports are
/// not.
const ADDRESSES: &[&str] = &["network-address", "network-range", "operator-network"];

fn connect(address: &str, port: u16) -> Tried {
    let mut stream = TcpStream::connect(format!("{address}:{port}"))?;
    stream.write_all(b"the guest was here")?;
    Ok(format!("connected to {address}"))
}

fn send(from: &str, address: &str, port: u16) -> Tried {
    let socket = UdpSocket::bind(from)?;
    socket.send_to(b"the guest was here", format!("{address}:{port}"))?;
    Ok(format!("sent to {address}"))
}

fn look_up(name: &str) -> Tried {
    let found: Vec<_> = (name, 1).to_socket_addrs()?.collect();
    match found.is_empty() {
        true => held("no address"),
        false => Ok(format!("{name} is {found:?}")),
    }
}

fn address(last: u8, port: u16) -> IpSocketAddress {
    IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port,
        address: (127, 0, 0, last),
    })
}

/// A datagram socket, unconnected or connected.
fn datagrams(
    peer: Option<IpSocketAddress>,
    sent: &[OutgoingDatagram],
) -> std::result::Result<u64, Box<dyn std::error::Error>> {
    let socket = create_udp_socket(IpAddressFamily::Ipv4)?;
    let any = IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port: 0,
        address: (0, 0, 0, 0),
    });
    socket.start_bind(&instance_network(), any)?;
    socket.finish_bind()?;
    let (_incoming, outgoing) = socket.stream(peer)?;
    outgoing.subscribe().block();
    outgoing.check_send()?;
    Ok(outgoing.send(sent)?)
}

fn datagram(to: Option<IpSocketAddress>) -> OutgoingDatagram {
    OutgoingDatagram {
        data: b"the guest was here".to_vec(),
        remote_address: to,
    }
}

pub const ATTEMPTS: &[Attempt] = &[
    way("connect", PEERS, GUARD, |p| connect("127.0.0.1", p.port)),
    way("connect-to-any", PEERS, GUARD, |p| {
        connect("0.0.0.0", p.port)
    }),
    way("connect-over-6", PEERS, GUARD, |p| connect("[::1]", p.port)),
    way("connect-over-mapped", PEERS, GUARD, |p| {
        connect("[::ffff:127.0.0.1]", p.port)
    }),
    way("connect-to-any-over-6", PEERS, GUARD, |p| {
        connect("[::]", p.port)
    }),
    way("connect-to-other-port", ADDRESSES, GUARD, |p| {
        connect("127.0.0.2", p.port)
    }),
    way(
        "connect-to-other-address",
        &[
            "network-address",
            "network-range",
            "network-any-port",
            "operator-network",
        ],
        GUARD,
        |p| connect("127.0.0.7", p.granted_port),
    ),
    way(
        "connect-after-a-granted-connection",
        ADDRESSES,
        GUARD,
        |p| {
            connect("127.0.0.2", p.granted_port)?;
            connect("127.0.0.1", p.port)
        },
    ),
    way(
        "connect-by-name",
        &["none", "network-address", "network-range"],
        GUARD,
        |p| connect("localhost", p.port),
    ),
    way("listen", PEERS, GUARD, |_| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(listener.local_addr()?.to_string())
    }),
    way("listen-on-all-addresses", PEERS, GUARD, |_| {
        let listener = TcpListener::bind("0.0.0.0:0")?;
        Ok(listener.local_addr()?.to_string())
    }),
    way("bind-a-port", PEERS, GUARD, |_| {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        Ok(socket.local_addr()?.to_string())
    }),
    way("send", PEERS, GUARD, |p| {
        send("0.0.0.0:0", "127.0.0.1", p.port)
    }),
    way("send-to-any", PEERS, GUARD, |p| {
        send("0.0.0.0:0", "0.0.0.0", p.port)
    }),
    way("send-over-6", PEERS, GUARD, |p| {
        send("[::]:0", "[::1]", p.port)
    }),
    way("send-to-one-peer", PEERS, GUARD, |p| {
        let peer = address(1, p.port);
        match datagrams(Some(peer), &[datagram(None)])? {
            0 => held("nothing was sent"),
            sent => Ok(format!("{sent} sent")),
        }
    }),
    way("send-behind-a-granted-datagram", ADDRESSES, GUARD, |p| {
        let both = [
            datagram(Some(address(2, p.granted_port))),
            datagram(Some(address(1, p.port))),
        ];
        match datagrams(None, &both)? {
            0 | 1 => held("only the first was sent"),
            sent => Ok(format!("{sent} sent")),
        }
    }),
    way(
        "look-up",
        &["none", "network-address", "network-range"],
        GUARD,
        |_| look_up("localhost"),
    ),
    way("look-up-other-name", PEERS, GUARD, |p| look_up(&p.name)),
    way("look-up-number", PEERS, GUARD, |_| look_up("0x7f.1")),
    way("connect-to-number", &["grant-number"], "grants", |p| {
        look_up("0x7f.1")?;
        connect("127.0.0.1", p.port)
    }),
];
