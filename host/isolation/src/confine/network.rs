//! Loopback interface of a new network namespace.

use rustix::io::Result;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const RTM_NEWLINK: u16 = 16;
const NLM_F_REQUEST_ACK: u16 = 0x1 | 0x4;
const IFF_UP: u32 = 1;
/// Index of the loopback interface in every network namespace.
const LOOPBACK: u32 = 1;

/// Sets the loopback interface up, which also assigns its addresses.
pub fn loopback_up() -> Result<()> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &request(), SendFlags::empty(), &kernel)?;
    let mut answer = [0; 64];
    rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())?;
    // A header of 16 bytes, then the negative error number.
    let error = answer.get(16..20).and_then(|bytes| bytes.try_into().ok());
    match error.map_or(0, i32::from_ne_bytes) {
        0 => Ok(()),
        negative => Err(rustix::io::Errno::from_raw_os_error(-negative)),
    }
}

/// A `struct nlmsghdr` and a `struct ifinfomsg`.
fn request() -> Vec<u8> {
    let mut message = Vec::with_capacity(32);
    message.extend(32_u32.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    message.extend([0; 8]);
    message.extend([0; 4]);
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    message
}
