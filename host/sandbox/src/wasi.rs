//! WASI as a guest gets it: all of it is linked, because some languages import
//! all of it, and denied, except what is granted.

use std::path::Path;
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::types::Component as ComponentType;
use wasmtime::component::{Linker, ResourceTable};
pub use wasmtime_wasi::cli::StdoutStream;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::{cli, filesystem, random, sockets};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtxView, WasiSocketsView};
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
};

use crate::denials::DenialLog;
use crate::files::{Files, FilesAccess, FilesView, LateRoots};
use crate::grants::Grants;
use crate::kernel::Rules;
use crate::network::{Lookups, Network, NetworkAccess, NetworkRule, NetworkView};

/// Files that the C library reads to look up names.
const RESOLVER: [&str; 5] = [
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
];
/// The port of name servers, for answers that are too long for UDP.
const DNS: u16 = 53;

/// Where the output streams of a guest lead.
pub struct GuestOutput {
    /// Its standard output.
    pub stdout: Box<dyn StdoutStream + Sync>,
    /// Its standard error.
    pub stderr: Box<dyn StdoutStream + Sync>,
}

/// The clocks of a guest.
pub struct GuestClocks {
    /// Returns the time since 1970-01-01 UTC.
    pub wall: Box<dyn Fn() -> Duration + Send>,
    /// Returns the time since a fixed moment; it never decreases.
    pub monotonic: Box<dyn Fn() -> Duration + Send>,
}

/// The resolution of both clocks.
const RESOLUTION: Duration = Duration::from_nanos(1);

struct WallClock(Box<dyn Fn() -> Duration + Send>);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        (self.0)()
    }
}

struct MonotonicClock(Box<dyn Fn() -> Duration + Send>);

impl HostMonotonicClock for MonotonicClock {
    fn resolution(&self) -> u64 {
        nanoseconds(RESOLUTION)
    }

    fn now(&self) -> u64 {
        nanoseconds((self.0)())
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What a guest gets from the host beside files and network.
pub struct GuestHost {
    /// Its clocks.
    pub clocks: GuestClocks,
    /// Its output streams.
    pub output: GuestOutput,
}

/// The sandbox of a guest: its files, its network, and the rest of WASI.
pub struct Sandbox {
    wasi: WasiCtx,
    files: Files,
    network: Network,
    lookups: Lookups,
    denials: DenialLog,
}

impl Sandbox {
    /// A sandbox without arguments and input, with these files and variables,
    /// and what is granted of the network.
    pub fn new(
        charm_dir: &Path,
        files: Files,
        grants: &Grants,
        guest: GuestHost,
        variables: &[(String, String)],
    ) -> Self {
        let denials = files.denials().clone();
        let network = Network::new(grants.network.clone(), denials.clone());
        let mut wasi = WasiCtxBuilder::new();
        let checked = network.clone();
        wasi.stdout(guest.output.stdout)
            .stderr(guest.output.stderr)
            .wall_clock(WallClock(guest.clocks.wall))
            .monotonic_clock(MonotonicClock(guest.clocks.monotonic))
            .allow_blocking_current_thread(true)
            .allow_tcp(true)
            .allow_udp(true)
            .allow_ip_name_lookup(true)
            .socket_addr_check(move |address, purpose| {
                let allowed = checked.allows(address, purpose);
                Box::pin(async move { allowed })
            });
        wasi.envs(variables);
        if let Some(charm_dir) = charm_dir.to_str() {
            wasi.initial_cwd(charm_dir);
        }
        Sandbox {
            wasi: wasi.build(),
            files,
            network,
            lookups: Lookups::default(),
            denials,
        }
    }

    /// The context of wasmtime's own implementation of WASI.
    pub fn wasi<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiCtxView<'a> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table,
        }
    }

    /// The context of the guest's operations on files.
    pub fn files<'a>(
        &'a mut self,
        table: &'a mut ResourceTable,
        late: &'a mut dyn LateRoots,
    ) -> FilesView<'a> {
        FilesView {
            files: &mut self.files,
            table,
            late,
        }
    }

    /// The context of the guest's look-ups of names.
    pub fn network<'a>(&'a mut self, table: &'a mut ResourceTable) -> NetworkView<'a> {
        NetworkView {
            network: &self.network,
            lookups: &mut self.lookups,
            sockets: WasiSocketsCtxView {
                ctx: self.wasi.sockets(),
                table,
            },
        }
    }

    /// What a process that runs this guest must be able to access.
    pub fn rules(&self) -> Rules<'_> {
        let mut rules = Rules {
            // SQLite takes its random numbers from there.
            file_paths: vec![Path::new("/dev/urandom")],
            ..Rules::default()
        };
        for (fd, is_writable, is_directory) in self.files.opened() {
            match (is_writable, is_directory) {
                (true, _) => rules.writable.push(fd),
                (false, true) => rules.readable.push(fd),
                (false, false) => rules.files.push(fd),
            }
        }
        let network = self.network.rules();
        let ports: Option<Vec<u16>> = network.iter().map(NetworkRule::port).collect();
        rules.connect = ports;
        rules.bind = !network.is_empty();
        if network.iter().any(NetworkRule::has_names) {
            rules.file_paths.extend(RESOLVER.map(Path::new));
            if let Some(ports) = &mut rules.connect {
                ports.push(DNS);
            }
        }
        rules
    }

    /// Denied operations.
    pub fn denials(&self) -> &DenialLog {
        &self.denials
    }

    /// Removes the private `/tmp` of a guest that has ended.
    pub fn clean(&mut self) {
        self.files.remove_scratch();
    }
}

/// Access of [`link`] to the state of a store.
pub trait SandboxView: WasiView {
    /// The context of operations on files.
    fn sandboxed_files(&mut self) -> FilesView<'_>;
    /// The context of look-ups of names.
    fn sandboxed_network(&mut self) -> NetworkView<'_>;
}

/// Parts of WASI that take most of the time to link. A charm that only uses Juju
/// does not import them.
const LARGE: [&str; 3] = ["wasi:filesystem/", "wasi:sockets/", "wasi:random/insecure"];

/// Links the parts of WASI that a component imports.
pub fn link<T: SandboxView + 'static>(
    linker: &mut Linker<T>,
    engine: &Engine,
    component: &ComponentType,
) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    cli::environment::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::exit::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_input::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_output::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stdin::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stdout::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    cli::terminal_stderr::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    let imports: Vec<&str> = component.imports(engine).map(|(name, _)| name).collect();
    if !imports
        .iter()
        .any(|name| LARGE.iter().any(|large| name.starts_with(large)))
    {
        return Ok(());
    }
    filesystem::types::add_to_linker::<T, FilesAccess>(linker, T::sandboxed_files)?;
    filesystem::preopens::add_to_linker::<T, FilesAccess>(linker, T::sandboxed_files)?;
    random::insecure::add_to_linker::<T, WasiRandom>(linker, T::random)?;
    random::insecure_seed::add_to_linker::<T, WasiRandom>(linker, T::random)?;
    sockets::tcp::add_to_linker::<T, WasiSockets>(linker, T::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<T, WasiSockets>(linker, T::sockets)?;
    sockets::udp::add_to_linker::<T, WasiSockets>(linker, T::sockets)?;
    sockets::udp_create_socket::add_to_linker::<T, WasiSockets>(linker, T::sockets)?;
    sockets::instance_network::add_to_linker::<T, WasiSockets>(linker, T::sockets)?;
    sockets::network::add_to_linker::<T, WasiSockets>(linker, &Default::default(), T::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<T, NetworkAccess>(linker, T::sandboxed_network)
}
