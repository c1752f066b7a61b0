//! Pulls deliveries without an SDK, and settles each as its configuration says.

wit_bindgen::generate!({
    path: "../../../wit/charm",
    world: "charmhost:charm/charm",
    generate_all,
});

use charmhost::framework::framework::{self, EventKey, Observer, Settlement};
use charmhost::hook_tools::hook_tools;
use charmhost::log::log::{self, Level};
use exports::charmhost::entry::entry::{Guest, Outcome};

/// A text in the code, which a test changes to get another revision.
const REVISION: &str = "this is revision 1";

struct Settle;

impl Guest for Settle {
    fn run() -> Outcome {
        log::write(Level::Debug, REVISION);
        let option = hook_tools::run("config-get", &["settle".to_owned()], None).unwrap();
        let option = String::from_utf8(option.stdout).unwrap();
        let observer = Observer {
            event: EventKey {
                source: "Settle".to_owned(),
                name: "start".to_owned(),
            },
            path: "Settle".to_owned(),
            method: "on_start".to_owned(),
        };
        framework::observe(&observer).unwrap();
        while let Some(delivery) = framework::next().unwrap() {
            let settlement = match option.trim() {
                "deferred" => Settlement::Deferred("as ordered".to_owned()),
                "undeliverable" => Settlement::Undeliverable("there is no such method".to_owned()),
                _ => Settlement::Handled,
            };
            let line = format!(
                "{} of {}",
                delivery.observer.method, delivery.observer.event.name
            );
            log::write(Level::Info, &line);
            framework::done(delivery.id, &settlement).unwrap();
        }
        Outcome::Completed
    }
}

export!(Settle);
