//! Networks and sockets that isolated roots share.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;

use charmhost_isolation::{Bind, Network, Spec};

use crate::support::{ok, sh, spec, start, until};

/// A bind mount of this program, to run it inside.
fn this_program() -> Bind {
    Bind {
        source: std::env::current_exe().unwrap(),
        target: "/opt/this".into(),
        read_only: true,
    }
}

#[test]
#[ignore = "a server that another test runs inside"]
fn server() {
    let path = Path::new("/shared/socket");
    let unix = std::os::unix::net::UnixListener::bind(path).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:80").unwrap();
    unix.accept().unwrap().0.write_all(b"from inside").unwrap();
    tcp.accept()
        .unwrap()
        .0
        .write_all(b"from the other")
        .unwrap();
}

#[test]
#[ignore = "a client that another test runs inside"]
fn client() {
    let mut received = String::new();
    let mut server = TcpStream::connect("127.0.0.1:80").unwrap();
    server.read_to_string(&mut received).unwrap();
    println!("received {received}");
}

#[test]
fn isolated_roots_share_a_network_and_sockets() {
    let shared = tempfile::tempdir().unwrap();
    let socket = shared.path().join("socket");
    let one = start(&Spec {
        binds: vec![
            this_program(),
            Bind {
                source: shared.path().into(),
                target: "/shared".into(),
                read_only: false,
            },
        ],
        ..spec()
    });
    let other = start(&Spec {
        binds: vec![this_program()],
        network: Network::Joined(&one),
        hostname: "other".to_owned(),
        ..spec()
    });
    let arguments = |name| ["--exact", name, "--ignored", "--nocapture"];
    let mut server = one
        .command("/opt/this")
        .args(arguments("network::server"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut received = String::new();
    until("the socket is served", || {
        UnixStream::connect(&socket)
            .is_ok_and(|mut stream| stream.read_to_string(&mut received).is_ok())
    });
    assert_eq!(received, "from inside");
    let output = other
        .command("/opt/this")
        .args(arguments("network::client"))
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.contains("received from the other"), "{output}");
    assert!(server.wait().unwrap().success());
    assert_eq!(ok(&other, "cat /proc/sys/kernel/hostname"), "other");
    ok(&other, "touch /etc/left");
    assert!(!sh(&one, "test -e /etc/left").status.success());
    one.stop();
    assert_eq!(
        ok(
            &other,
            "cat /sys/class/net/lo/operstate >/dev/null; echo still"
        ),
        "still"
    );
}
