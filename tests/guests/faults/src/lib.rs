//! Fails in every way, each in an action or hook.

use charmhost::prelude::*;

struct Faults;

impl Charm for Faults {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.action("panic", Self::on_panic);
        on.action("index", Self::on_index);
        on.action("error", Self::on_error);
        on.action("recurse", Self::on_recurse);
        on.action("loop", Self::on_loop);
        on.action("memory", Self::on_memory);
        on.action("cope", Self::on_cope);
        on.action("exit", Self::on_exit);
        on.action("abort", Self::on_abort);
        on.action("print", Self::on_print);
        on.action("read", Self::on_read);
        on.action("write", Self::on_write);
        on.action("read-new", Self::on_read_new);
        on.action("remove-new", Self::on_remove_new);
        on.action("connect", Self::on_connect);
        on.start(Self::on_start);
        on.config_changed(Self::on_config_changed);
        if context().dispatch_path == "actions/observe" {
            on.action("no-such", Self::on_abort);
        }
        Ok(Faults)
    }
}

impl Faults {
    fn on_start(&self, _event: StartEvent) {
        panic!("no start today");
    }

    fn on_config_changed(&self, event: ConfigChangedEvent) -> Result<Settlement> {
        event.defer("not now")
    }

    fn on_panic(&self, event: ActionEvent) {
        panic!("no {} today", event.name);
    }

    fn on_index(&self, event: ActionEvent) {
        let list: Vec<u8> = Vec::new();
        log::info!("{}", list[event.name.len()]);
    }

    fn on_error(&self, _event: ActionEvent) -> Result<()> {
        let port: u16 = "eighty".parse()?;
        unit().open_port(Port::tcp(port))
    }

    fn on_recurse(&self, event: ActionEvent) {
        log::info!("{}", recurse(event.name.len() as u64));
    }

    fn on_loop(&self, event: ActionEvent) {
        let mut n = event.name.len();
        while std::hint::black_box(n) != 0 {
            n = n.wrapping_add(2) | 1;
        }
    }

    fn on_memory(&self, _event: ActionEvent) {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        loop {
            hoard.push(std::hint::black_box(vec![1; 1 << 20]));
        }
    }

    /// Handles a failed allocation, and then fails for another reason.
    fn on_cope(&self, _event: ActionEvent) {
        let mut large: Vec<u8> = Vec::new();
        let refused = large.try_reserve_exact(1 << 30).is_err();
        log::info!("refused: {refused}");
        std::process::abort();
    }

    fn on_exit(&self, _event: ActionEvent) -> Result<()> {
        Err(Error::exit(3))
    }

    fn on_abort(&self, _event: ActionEvent) -> Result<()> {
        Err(Error::abort())
    }

    fn on_print(&self, _event: ActionEvent) {
        println!("to the standard output stream");
        eprintln!("to the standard error stream");
    }

    fn on_read(&self, _event: ActionEvent) -> Result<()> {
        let own = std::path::Path::new(&context().charm_dir).join("metadata.yaml");
        let own = std::fs::read_to_string(own)?;
        log::info!("own metadata: {} bytes", own.len());
        for path in [
            "/etc/passwd",
            "/proc/self/environ",
            "../../../../etc/passwd",
        ] {
            log::info!(
                "{path}: {:?}",
                std::fs::read(path).map(|bytes| bytes.len()).is_ok()
            );
        }
        // What Juju says of the event is no secret; what leads to its agent is.
        let others = std::env::vars()
            .filter(|(name, _)| !name.starts_with("JUJU_") || name.starts_with("JUJU_AGENT_"));
        log::info!("environment: {} other variables", others.count());
        Ok(())
    }

    fn on_write(&self, _event: ActionEvent) {
        let dir = context().charm_dir;
        for name in ["dispatch", "charm.cwasm", "new-file"] {
            let path = std::path::Path::new(&dir).join(name);
            log::info!("{name}: {:?}", std::fs::write(path, "x").is_ok());
        }
    }

    fn on_read_new(&self, _event: ActionEvent) -> Result<()> {
        let path = std::path::Path::new(&context().charm_dir).join("new-file");
        log::info!("new-file: {}", std::fs::read_to_string(path)?);
        Ok(())
    }

    fn on_remove_new(&self, _event: ActionEvent) -> Result<()> {
        let path = std::path::Path::new(&context().charm_dir).join("new-file");
        Ok(std::fs::remove_file(path)?)
    }

    fn on_connect(&self, _event: ActionEvent) {
        let connected = std::net::TcpStream::connect("127.0.0.1:22").is_ok();
        log::info!("connected: {connected}");
        let found = std::net::ToSocketAddrs::to_socket_addrs("localhost:22").is_ok();
        log::info!("found: {found}");
    }
}

#[allow(unconditional_recursion)]
fn recurse(n: u64) -> u64 {
    std::hint::black_box(n) + recurse(std::hint::black_box(n + 1))
}

charmhost::main!(Faults);
