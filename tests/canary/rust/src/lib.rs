//! The canary in Rust, on the bindings as they are generated.

#[allow(clippy::all)]
mod bindings {
    include!(concat!(env!("CANARY_BINDINGS"), "/charm.rs"));
}

use bindings::charmhost::actions::actions;
use bindings::charmhost::config::config::{self, ConfigValue};
use bindings::charmhost::context::context;
use bindings::charmhost::crash::crash::Failure;
use bindings::charmhost::events::events::{
    ActionEvent, Event, RelationChangedEvent, SecretEvent, WorkloadEvent,
};
use bindings::charmhost::framework::framework::{self, Delivery, EventKey, Observer, Settlement};
use bindings::charmhost::hook_tools::hook_tools;
use bindings::charmhost::log::log;
use bindings::charmhost::pebble::pebble::{
    self, ExecOptions, FileOptions, Process, ServiceStatus, StandardStream,
};
use bindings::charmhost::pebble_errors::pebble_errors::{PathErrorKind, PebbleError};
use bindings::charmhost::ports::ports::{self, Port, PortNumbers};
use bindings::charmhost::readiness::readiness;
use bindings::charmhost::relations::relations::{self, DatabagChange, DatabagOwner, OwnDatabag};
use bindings::charmhost::secrets::secrets::{
    self, ContentMode, LabelledSecret, Rotation, SecretMetadata, SecretOwner, SecretReference,
};
use bindings::charmhost::status::status::{SettableStatus, SettableStatusName};
use bindings::charmhost::store::store;
use bindings::charmhost::stored_state::stored_state;
use bindings::charmhost::unit::unit;
use bindings::exports::charmhost::entry::entry::{Guest, Outcome};
use serde_json::{Value, json};

const LIBRARY: &str = "Canary/Lib[a]";
/// Bytes that are written or read at once.
const CHUNK: usize = 64 * 1024;
/// Length of the pattern that is sent to `cat`.
const PERIOD: usize = 251;
const LAYER: &str = "services: {idle: {override: replace, command: sleep 600}}";

fn info(message: &str) {
    log::write(log::Level::Info, message);
}

/// What ends a handler early: any error, as text.
struct Failed(String);

impl<E: std::fmt::Debug> From<E> for Failed {
    fn from(error: E) -> Self {
        Failed(format!("{error:?}"))
    }
}

type Handled<T = ()> = Result<T, Failed>;

/// The case of an error, in lower case and without hyphens.
fn case<T, E: std::fmt::Debug>(result: Result<T, E>) -> String {
    let text = match result {
        Ok(_) => return "none".to_owned(),
        Err(error) => format!("{error:?}"),
    };
    // The bindings format a case as `Error::NotFound("…")`.
    let name = text.split_once("::").map_or(text.as_str(), |found| found.1);
    let end = name.find('(').unwrap_or(name.len());
    name[..end].to_lowercase()
}

fn ready() -> EventKey {
    EventKey {
        source: LIBRARY.to_owned(),
        name: "ready".to_owned(),
    }
}

fn on_config_changed(_: &Delivery) -> Handled<Option<String>> {
    let (Some(ConfigValue::String(greeting)), Some(ConfigValue::Integer(count))) =
        (config::get("greeting")?, config::get("count")?)
    else {
        return Err(Failed("types of options".to_owned()));
    };
    let Some(ConfigValue::Float(ratio)) = config::get("ratio")? else {
        return Err(Failed("types of options".to_owned()));
    };
    info(&format!("config {greeting} {count} {ratio}"));
    info(&format!("missing {}", case(config::get("missing"))));
    let calls =
        stored_state::load("Canary", "calls")?.map_or(Ok(0), |text| text.parse::<u32>())? + 1;
    stored_state::save("Canary", "calls", &calls.to_string())?;
    info(&format!("calls {calls}"));
    for following in framework::emit(&ready(), &json!({ "n": count }).to_string())? {
        deliver(&following)?;
    }
    let numbers = PortNumbers {
        first: 8080,
        last: 8080,
    };
    ports::set(&[Port::Tcp(numbers)])?;
    for port in ports::opened()? {
        let Port::Tcp(numbers) = port else {
            return Err(Failed("a port".to_owned()));
        };
        info(&format!("port {}-{}", numbers.first, numbers.last));
    }
    Ok((calls == 1).then(|| "once more".to_owned()))
}

fn on_ready(delivery: &Delivery) -> Handled {
    let Event::Custom(event) = &delivery.event else {
        return Err(Failed("an event".to_owned()));
    };
    let data: Value = serde_json::from_str(&event.snapshot)?;
    let source = &delivery.observer.event.source;
    info(&format!("ready {} of {source}", data["n"]));
    Ok(())
}

fn on_db_relation_changed(delivery: &Delivery) -> Handled {
    let Event::RelationChanged(event) = &delivery.event else {
        return Err(Failed("an event".to_owned()));
    };
    let RelationChangedEvent {
        endpoint,
        relation_id,
        app,
        unit,
    } = event;
    let unit = unit.as_deref().unwrap_or("none");
    info(&format!(
        "changed {endpoint} {relation_id} {} {unit}",
        app.as_deref().unwrap_or("none")
    ));
    for relation in relations::list(endpoint)? {
        let (Some(app), units) = (relation.app, relation.units.join(" ")) else {
            continue;
        };
        info(&format!("relation {} {app} {units}", relation.id));
        for entry in relations::read(endpoint, relation.id, &DatabagOwner::App(app))? {
            info(&format!("data {}={}", entry.key, entry.value));
            if entry.key == "secret" {
                read_secret(&entry.value)?;
            }
        }
        let own = add_secret()?;
        secrets::grant(&SecretReference::Id(own.clone()), relation.id, None)?;
        for (databag, key, value) in [
            (OwnDatabag::App, "token", own),
            (OwnDatabag::Unit, "seen", "yes".to_owned()),
        ] {
            let change = DatabagChange {
                key: key.to_owned(),
                value: Some(value),
            };
            relations::write(endpoint, relation.id, databag, &[change])?;
        }
    }
    Ok(())
}

fn read_secret(id: &str) -> Handled {
    let labelled = SecretReference::Labelled(LabelledSecret {
        id: id.to_owned(),
        label: "theirs".to_owned(),
    });
    for (key, value) in secrets::get_content(&labelled, ContentMode::Current)? {
        info(&format!("secret {key} of {}", value.len()));
    }
    Ok(())
}

fn add_secret() -> Handled<String> {
    let content = [("first", "one"), ("second", "three")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let metadata = SecretMetadata {
        label: Some("ours".to_owned()),
        description: None,
        expire: Some(4_102_444_800.0),
        rotate: Some(Rotation::Monthly),
    };
    Ok(secrets::add(SecretOwner::App, &content, &metadata)?)
}

fn on_secret_changed(delivery: &Delivery) -> Handled {
    let Event::SecretChanged(SecretEvent { id, .. }) = &delivery.event else {
        return Err(Failed("an event".to_owned()));
    };
    let secret = SecretReference::Label("theirs".to_owned());
    for mode in [ContentMode::Current, ContentMode::Refresh] {
        for (key, value) in secrets::get_content(&secret, mode)? {
            info(&format!("{id} {key} of {}", value.len()));
        }
    }
    let ours = secrets::get_info(&SecretReference::Label("ours".to_owned()))?;
    let monthly = ours.rotation == Some(Rotation::Monthly);
    let expires = ours.expires.unwrap_or_default() as u64;
    info(&format!("ours {} {monthly} {expires}", ours.revision));
    let nobodys = SecretReference::Label("nobodys".to_owned());
    info(&format!("error {}", case(secrets::get_info(&nobodys))));
    Ok(())
}

fn on_app_pebble_ready(delivery: &Delivery) -> Handled {
    let Event::PebbleReady(WorkloadEvent { container }) = &delivery.event else {
        return Err(Failed("an event".to_owned()));
    };
    files(container)?;
    services(container)?;
    commands(container)?;
    info(&format!(
        "error {}",
        case(pebble::get_system_info("nowhere"))
    ));
    Ok(())
}

fn files(container: &str) -> Handled {
    let path = "/srv/canary/data";
    let data = pattern(3000);
    let options = FileOptions {
        permissions: Some(0o640),
        user_id: None,
        user: None,
        group_id: None,
        group: None,
        make_parents: true,
    };
    let writer = pebble::push(container, path, &options)?;
    let mut written = 0;
    while written < data.len() {
        written += writer.write(&data[written..])? as usize;
    }
    writer.close()?;
    let about = pebble::stat(container, path)?;
    info(&format!(
        "stat {} {} {}",
        about.size.unwrap_or_default() as u64,
        about.permissions,
        about.name
    ));
    let reader = pebble::pull(container, path)?;
    let mut pulled = Vec::new();
    loop {
        let chunk = reader.read(1000)?;
        if chunk.is_empty() {
            break;
        }
        pulled.extend(chunk);
    }
    info(&format!("pulled {} {}", pulled.len(), pulled == data));
    let paths = [path.to_owned(), "/nowhere".to_owned()];
    for file in pebble::pull_many(container, &paths)? {
        info(&match file.content {
            Ok(content) => format!("file {} {}", file.path, content.len()),
            Err(failure) => {
                format!(
                    "file {} missing {}",
                    file.path,
                    failure.kind == PathErrorKind::NotFound
                )
            }
        });
    }
    info(&format!(
        "error {}",
        case(pebble::pull(container, "/nowhere"))
    ));
    Ok(())
}

fn services(container: &str) -> Handled {
    pebble::add_layer(container, "canary", LAYER, true)?;
    let id = pebble::start_services(container, &["idle".to_owned()], Some(20.0))?;
    for service in pebble::services(container, &[])? {
        let active = matches!(service.current, ServiceStatus::Active);
        info(&format!("service {} {active}", service.name));
    }
    let change = pebble::change(container, &id)?;
    let ended = change
        .ready_time
        .is_some_and(|time| time >= change.spawn_time);
    info(&format!(
        "change {} {} {} {ended}",
        change.kind,
        change.status,
        change.tasks.len()
    ));
    pebble::stop_services(container, &["idle".to_owned()], None)?;
    Ok(())
}

/// A command without options.
fn exec(
    container: &str,
    command: &[&str],
    environment: &[(&str, &str)],
) -> Result<Process, PebbleError> {
    let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let options = ExecOptions {
        service_context: None,
        environment,
        working_dir: None,
        timeout: Some(50.0),
        user_id: None,
        user: None,
        group_id: None,
        group: None,
        combine_stderr: false,
        stdin: None,
        terminal: None,
    };
    pebble::exec(container, &command, &options)
}

fn commands(container: &str) -> Handled {
    let script = "echo $WORD; echo hiss >&2; exit 3";
    let process = exec(container, &["sh", "-c", script], &[("WORD", "tweet")])?;
    let output = process.wait_output(1000)?;
    info(&format!(
        "exec {} {} {} {}",
        output.exit_code,
        String::from_utf8(output.stdout)?.trim(),
        String::from_utf8(output.stderr)?.trim(),
        output.stdout_truncated
    ));
    match exec(container, &["no-such-program"], &[]) {
        Err(PebbleError::Api(failure)) => info(&format!("api {}", failure.status)),
        other => info(&format!("api {}", case(other))),
    }
    Ok(())
}

fn on_copy_action(delivery: &Delivery) -> Handled {
    let Event::Action(ActionEvent { name, .. }) = &delivery.event else {
        return Err(Failed("an event".to_owned()));
    };
    let params: Value = serde_json::from_str(&actions::params()?)?;
    let mib = params["mib"].as_u64().unwrap_or_default() as usize;
    actions::log(&format!("{name} {mib}"))?;
    let process = exec("app", &["cat"], &[])?;
    let (bytes, intact) = copy(&process, mib << 20)?;
    let code = process.wait()?;
    let results = json!({ "bytes": bytes, "exit-code": code, "intact": intact });
    actions::set_results(&results.to_string())?;
    Ok(())
}

/// `length` bytes that repeat after `PERIOD`.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % PERIOD) as u8).collect()
}

/// Feeds a command while it prints. Returns how much it printed, and whether that
/// is what it was fed.
fn copy(process: &Process, total: usize) -> Handled<(usize, bool)> {
    let data = pattern(CHUNK + PERIOD);
    let stdout = process.subscribe(StandardStream::Stdout);
    let stdin = process.subscribe(StandardStream::Stdin);
    let (mut sent, mut read, mut intact) = (0, 0, true);
    loop {
        let mut sources = vec![&stdout];
        if sent < total {
            sources.push(&stdin);
        }
        let ready = readiness::poll(&sources, Some(30.0));
        if ready.is_empty() {
            return Err(Failed(format!("nothing is ready after {sent} and {read}")));
        }
        if ready.contains(&1) {
            let from = sent % PERIOD;
            let chunk = &data[from..from + CHUNK.min(total - sent)];
            sent += process.write_stdin(chunk)? as usize;
            if sent == total {
                process.close_stdin()?;
            }
        }
        if ready.contains(&0) {
            let chunk = process.read_stdout(CHUNK as u32)?;
            let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else {
                return Ok((read, intact));
            };
            intact &= usize::from(*first) == read % PERIOD;
            read += chunk.len();
            intact &= usize::from(*last) == (read - 1) % PERIOD;
        }
    }
}

fn on_update_status(delivery: &Delivery) -> Handled {
    info(&match &delivery.deferred {
        None => "update-status new".to_owned(),
        Some(deferred) => format!("update-status {} {}", deferred.count, deferred.reason),
    });
    info(&format!("error {}", case(relations::list("nowhere"))));
    info(&format!(
        "error {}",
        case(hook_tools::run("no-such-tool", &[], None))
    ));
    let misspelt = Observer {
        event: EventKey {
            source: "Canary".to_owned(),
            name: "strat".to_owned(),
        },
        path: "Canary".to_owned(),
        method: "x".to_owned(),
    };
    info(&format!("error {}", case(framework::observe(&misspelt))));
    store::save_snapshot("Canary/raw", &[0, 1, 255])?;
    let raw = store::load_snapshot("Canary/raw")?.unwrap_or_default();
    info(&format!("raw {raw:?}"));
    let output = hook_tools::run("is-leader", &["--format=json".to_owned()], None)?;
    let printed = String::from_utf8(output.stdout)?;
    info(&format!(
        "tool {} {} {}",
        output.exit_code,
        printed.trim(),
        unit::is_leader()?
    ));
    Ok(())
}

fn on_collect_unit_status(_: &Delivery) -> Handled {
    let status = SettableStatus {
        name: SettableStatusName::Active,
        message: "sings".to_owned(),
    };
    Ok(framework::collect_status(&status)?)
}

fn deliver(delivery: &Delivery) -> Handled {
    let mut reason = None;
    match delivery.observer.method.as_str() {
        "on_config_changed" => reason = on_config_changed(delivery)?,
        "on_ready" => on_ready(delivery)?,
        "on_db_relation_changed" => on_db_relation_changed(delivery)?,
        "on_secret_changed" => on_secret_changed(delivery)?,
        "on_app_pebble_ready" => on_app_pebble_ready(delivery)?,
        "on_copy_action" => on_copy_action(delivery)?,
        "on_update_status" => on_update_status(delivery)?,
        "on_collect_unit_status" => on_collect_unit_status(delivery)?,
        other => return Err(Failed(other.to_owned())),
    }
    let settlement = reason.map_or(Settlement::Handled, Settlement::Deferred);
    Ok(framework::done(delivery.id, &settlement)?)
}

const OBSERVED: &[(&str, &str)] = &[
    ("Canary", "config_changed"),
    ("Canary", "db_relation_changed"),
    ("Canary", "secret_changed"),
    ("Canary", "app_pebble_ready"),
    ("Canary", "copy_action"),
    ("Canary", "update_status"),
    (LIBRARY, "ready"),
    ("Canary", "collect_unit_status"),
];

fn dispatch() -> Handled {
    let about = context::get();
    let hook = about.hook_name.as_deref().unwrap_or("no hook");
    info(&format!("{} {hook}", about.unit_name));
    framework::define(&ready())?;
    for (source, name) in OBSERVED {
        let observer = Observer {
            event: EventKey {
                source: (*source).to_owned(),
                name: (*name).to_owned(),
            },
            path: "Canary".to_owned(),
            method: format!("on_{name}"),
        };
        framework::observe(&observer)?;
    }
    while let Some(delivery) = framework::next()? {
        deliver(&delivery)?;
    }
    Ok(())
}

struct Entry;

impl Guest for Entry {
    fn run() -> Outcome {
        match dispatch() {
            Ok(()) => Outcome::Completed,
            Err(Failed(message)) => Outcome::Failed(Failure {
                kind: "canary".to_owned(),
                message,
                file: None,
                line: None,
                traceback: None,
                delivery: None,
            }),
        }
    }
}

bindings::export!(Entry with_types_in bindings);
