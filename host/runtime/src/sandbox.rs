//! What a guest gets of WASI: everything is there, as some languages want it,
//! and nothing of it leads out, but for what is granted.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::types::Component as ComponentType;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{self, ResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddress, Network};
use wasmtime_wasi::p2::bindings::{cli, filesystem, random, sockets};
use wasmtime_wasi::p2::{DynPollable, SocketError, SocketResult};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSockets, WasiSocketsView};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::denials::Denials;
use crate::settings::{Grants, Peer};
use crate::state::State;

/// No arguments; of the environment, the network and the clocks what is
/// granted; and the streams that Juju listens to.
pub(crate) fn context(
    charm_dir: &Path,
    grants: &Grants,
    denials: &Denials,
    vars: impl Fn(&str) -> Option<OsString>,
) -> WasiCtx {
    let mut wasi = WasiCtxBuilder::new();
    let has_names = grants.network.iter().any(Peer::has_names);
    let peers = grants.network.clone();
    let denials = denials.clone();
    wasi.inherit_stdout()
        .inherit_stderr()
        .allow_blocking_current_thread(true)
        .allow_tcp(true)
        .allow_udp(true)
        .allow_ip_name_lookup(has_names)
        .socket_addr_check(move |address, purpose| {
            let allowed = is_allowed(&peers, address, purpose);
            if !allowed {
                refuse(&denials, address, purpose);
            }
            Box::pin(async move { allowed })
        });
    for name in &grants.environment {
        if let Some(value) = vars(name).and_then(|value| value.into_string().ok()) {
            wasi.env(name, value);
        }
    }
    if let Some(charm_dir) = charm_dir.to_str() {
        wasi.initial_cwd(charm_dir);
    }
    wasi.build()
}

fn is_allowed(peers: &[Peer], address: SocketAddr, purpose: SocketAddrUse) -> bool {
    match purpose {
        // What comes before connecting and sending, and opens nothing.
        SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
            address.port() == 0 && address.ip().is_unspecified()
        }
        SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
        SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
            peers.iter().any(|peer| peer.is_at(address, addresses))
        }
    }
}

/// The addresses of a name, as this machine knows them now.
fn addresses(name: &str) -> Vec<IpAddr> {
    let found = (name, 0).to_socket_addrs();
    found.map_or_else(|_| Vec::new(), |found| found.map(|one| one.ip()).collect())
}

fn refuse(denials: &Denials, address: SocketAddr, purpose: SocketAddrUse) {
    match purpose {
        SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend => {
            let grant = format!("network = [\"{address}\"]");
            denials.add(&format!("connecting to {address}"), Some(&grant));
        }
        // Nobody has asked for what comes by itself.
        SocketAddrUse::UdpReceive => {}
        _ => denials.add(&format!("listening on {address}"), None),
    }
}

/// Parts of WASI that take most of the time to link, and that a charm which only
/// talks to Juju does not import.
const LARGE: [&str; 3] = ["wasi:filesystem/", "wasi:sockets/", "wasi:random/insecure"];

/// Links what a component imports of WASI.
pub(crate) fn link(
    linker: &mut Linker<State>,
    engine: &Engine,
    component: &ComponentType,
) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    cli::environment::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::exit::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    let imports: Vec<&str> = component.imports(engine).map(|(name, _)| name).collect();
    if !imports
        .iter()
        .any(|name| LARGE.iter().any(|large| name.starts_with(large)))
    {
        return Ok(());
    }
    filesystem::types::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    filesystem::preopens::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    random::insecure::add_to_linker::<State, WasiRandom>(linker, State::random)?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(linker, State::random)?;
    sockets::tcp::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::udp::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::udp_create_socket::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::instance_network::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::network::add_to_linker::<State, WasiSockets>(
        linker,
        &Default::default(),
        State::sockets,
    )?;
    sockets::ip_name_lookup::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

impl network::Host for State {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.sockets().convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.sockets().network_error_code(error)
    }
}

impl network::HostNetwork for State {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.sockets(), network)
    }
}

/// Names are looked up as everywhere; that it was refused is told.
impl ip_name_lookup::Host for State {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<ResolveAddressStream>> {
        if !self.may_look_up {
            let grant = format!("network = [\"{name}:PORT\"]");
            let what = format!("looking up {name}");
            self.files.denials.add(&what, Some(&grant));
        }
        self.sockets().resolve_addresses(network, name)
    }
}

impl ip_name_lookup::HostResolveAddressStream for State {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        self.sockets().resolve_next_address(stream)
    }

    fn subscribe(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        ip_name_lookup::HostResolveAddressStream::subscribe(&mut self.sockets(), stream)
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        ip_name_lookup::HostResolveAddressStream::drop(&mut self.sockets(), stream)
    }
}
