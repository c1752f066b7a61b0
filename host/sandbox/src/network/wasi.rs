//! `wasi:sockets/ip-name-lookup`, for granted names only.

use std::collections::HashMap;
use std::net::IpAddr;

use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    Host, HostResolveAddressStream, ResolveAddressStream,
};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddress};
use wasmtime_wasi::p2::{DynPollable, Network as NetworkHandle, SocketError, SocketResult};
use wasmtime_wasi::sockets::WasiSocketsCtxView;

use super::Network;

/// Names of answers that a guest is still reading, by handle.
pub(crate) type Lookups = HashMap<u32, String>;

/// The context of a guest's look-ups.
pub struct NetworkView<'a> {
    /// Granted destinations.
    pub(crate) network: &'a Network,
    /// Look-ups that the guest has not finished reading.
    pub(crate) lookups: &'a mut Lookups,
    /// The context of wasmtime's own sockets.
    pub(crate) sockets: WasiSocketsCtxView<'a>,
}

/// Names [`NetworkView`] for a linker.
pub(crate) struct NetworkAccess;

impl HasData for NetworkAccess {
    type Data<'a> = NetworkView<'a>;
}

impl network::Host for NetworkView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.sockets.convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.sockets.network_error_code(error)
    }
}

impl network::HostNetwork for NetworkView<'_> {
    fn drop(&mut self, network: Resource<NetworkHandle>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.sockets, network)
    }
}

impl Host for NetworkView<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<NetworkHandle>,
        name: String,
    ) -> SocketResult<Resource<ResolveAddressStream>> {
        // An address needs no look-up.
        let is_address = name.parse::<IpAddr>().is_ok();
        if !is_address && !self.network.allows_name(&name) {
            return Err(ErrorCode::PermanentResolverFailure.into());
        }
        let stream = self.sockets.resolve_addresses(network, name.clone())?;
        if !is_address {
            self.lookups.insert(stream.rep(), name);
        }
        Ok(stream)
    }
}

impl HostResolveAddressStream for NetworkView<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        let handle = stream.rep();
        let next = self.sockets.resolve_next_address(stream)?;
        if let (Some(address), Some(name)) = (&next, self.lookups.get(&handle)) {
            self.network.remember(name, ip(address));
        }
        Ok(next)
    }

    fn subscribe(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        HostResolveAddressStream::subscribe(&mut self.sockets, stream)
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        self.lookups.remove(&stream.rep());
        HostResolveAddressStream::drop(&mut self.sockets, stream)
    }
}

fn ip(address: &IpAddress) -> IpAddr {
    match *address {
        IpAddress::Ipv4((a, b, c, d)) => IpAddr::from([a, b, c, d]),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => IpAddr::from([a, b, c, d, e, f, g, h]),
    }
}
