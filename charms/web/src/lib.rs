//! Serves a page from a container. Its greeting is configurable, and units share
//! theirs over the peer relation.

use std::time::Duration;

use charmhost::prelude::*;
use serde::Deserialize;

const CONTAINER: &str = "web";
const SERVICE: &str = "web";
const RING: &str = "ring";
const ROOT: &str = "/srv/web";

/// Prints the page.
const FETCH: &str = "import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode(), end='')";

struct Web;

#[derive(Deserialize)]
struct Config {
    greeting: String,
    port: i64,
}

#[derive(Deserialize)]
struct Fetch {
    path: String,
}

impl Charm for Web {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.container(CONTAINER).pebble_ready(Self::on_pebble_ready);
        on.config_changed(Self::on_config_changed);
        on.leader_elected(Self::on_leader_elected);
        on.relation(RING)
            .changed(Self::on_ring_changed)
            .departed(Self::on_ring_departed);
        on.action("fetch", Self::on_fetch);
        on.collect_unit_status(Self::on_collect_unit_status);
        Ok(Web)
    }
}

impl Web {
    fn on_pebble_ready(&self, event: PebbleReadyEvent) -> Result<()> {
        let version = event
            .workload()
            .exec(["python3", "--version"])
            .run()?
            .success()?;
        let version = version.stdout_text();
        unit().set_workload_version(version.trim().trim_start_matches("Python "))?;
        self.serve()
    }

    fn on_config_changed(&self, _event: ConfigChangedEvent) -> Result<()> {
        let Config { greeting, .. } = config()?;
        if let Some(ring) = relation(RING)? {
            ring.set_unit_data([("greeting", greeting)])?;
        }
        self.serve()
    }

    fn on_leader_elected(&self, _event: LeaderElectedEvent) -> Result<()> {
        match relation(RING)? {
            Some(ring) => ring.set_app_data([("leader", context().unit_name)]),
            None => Ok(()),
        }
    }

    fn on_ring_changed(&self, event: RelationChangedEvent) -> Result<()> {
        log::info!(
            "heard of {}",
            event.unit.as_deref().unwrap_or("the application")
        );
        self.serve()
    }

    fn on_ring_departed(&self, event: RelationDepartedEvent) -> Result<()> {
        log::info!(
            "{} leaves",
            event.departing_unit.as_deref().unwrap_or("somebody")
        );
        self.serve()
    }

    fn on_fetch(&self, event: ActionEvent) -> Result<()> {
        let Fetch { path } = event.params()?;
        let container = unit().container(CONTAINER);
        if !container.can_connect()? {
            return event.fail("cannot fetch the page: the container is not ready");
        }
        let url = format!("http://localhost:{}{path}", config::<Config>()?.port);
        event.log(format!("fetching {url}"))?;
        let fetched = container
            .exec(["python3", "-c", FETCH, &url])
            .timeout(Duration::from_secs(10))
            .run()?;
        match fetched.exit_code {
            0 => event.set_results(json!({ "page": fetched.stdout_text() })),
            _ => event.fail(format!("cannot fetch {path}")),
        }
    }

    fn on_collect_unit_status(&self, event: CollectStatusEvent) -> Result<()> {
        event.add_status(self.status()?)
    }

    fn status(&self) -> Result<Status> {
        let Config { port, .. } = config()?;
        if !is_port(port) {
            return Ok(Status::blocked(format!(
                "cannot serve on port {port}: it must be 1 to 65535"
            )));
        }
        let container = unit().container(CONTAINER);
        if !container.can_connect()? {
            return Ok(Status::waiting("waiting for the container"));
        }
        Ok(match container.service(SERVICE)? {
            None => Status::maintenance("setting up the web server"),
            Some(service) if !service.is_running() => {
                Status::blocked("the web server does not run")
            }
            Some(_) => match container.check("up")? {
                Some(check) if !check.is_up() => Status::waiting("the web server does not answer"),
                _ => Status::active(format!("serving on port {port}")),
            },
        })
    }

    /// Configures the container to serve the current page.
    fn serve(&self) -> Result<()> {
        let Config { greeting, port } = config()?;
        let container = unit().container(CONTAINER);
        if !is_port(port) || !container.can_connect()? {
            return Ok(());
        }
        container.push(&format!("{ROOT}/index.html"), self.page(&greeting)?)?;
        container.combine_layer("web", layer(port))?;
        container.replan()?;
        unit().set_ports([Port::tcp(port as u16)])
    }

    fn page(&self, greeting: &str) -> Result<String> {
        let mut page = format!("<h1>{greeting}</h1>\n");
        let Some(ring) = relation(RING)? else {
            return Ok(page);
        };
        if let Some(leader) = ring.app_data()?.get("leader") {
            page.push_str(&format!("<p>led by {leader}</p>\n"));
        }
        let mut units = ring.units()?;
        units.sort();
        for unit in units {
            if let Some(greeting) = ring.remote_unit_data(&unit)?.get("greeting") {
                page.push_str(&format!("<p>{unit} says {greeting}</p>\n"));
            }
        }
        Ok(page)
    }
}

fn is_port(port: i64) -> bool {
    (1..=65535).contains(&port)
}

fn layer(port: i64) -> Layer {
    let command = format!("python3 -m http.server {port} --directory {ROOT}");
    let url = format!("http://localhost:{port}/");
    Layer::new()
        .service(
            SERVICE,
            Service::new(command).summary("The web server").enabled(),
        )
        .check("up", Check::http(url).level("ready"))
}

charmhost::main!(Web);
