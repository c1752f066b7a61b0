//! Tries to leave its sandbox, with one attempt per run. It logs what it obtained
//! after `GOT`, and why it failed after `HELD`.

mod attempt;
mod environment;
mod grants;
mod limits;
mod links;
mod network;
mod paths;
mod protected;
mod raw;
mod read_only;
mod roots;
mod tools;

use charmhost::prelude::*;

use attempt::{Attempt, Params};

struct Escape;

impl Charm for Escape {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.action("attempt", Self::on_attempt);
        on.update_status(Self::on_update_status);
        Ok(Escape)
    }
}

/// All attempts, by area.
const AREAS: [&[Attempt]; 9] = [
    paths::ATTEMPTS,
    links::ATTEMPTS,
    roots::ATTEMPTS,
    read_only::ATTEMPTS,
    protected::ATTEMPTS,
    grants::ATTEMPTS,
    network::ATTEMPTS,
    environment::ATTEMPTS,
    tools::ATTEMPTS,
];

fn attempts() -> impl Iterator<Item = &'static Attempt> {
    let areas = AREAS.into_iter().chain([limits::ATTEMPTS]);
    areas.flat_map(|attempts| attempts.iter())
}

impl Escape {
    fn on_attempt(&self, event: ActionEvent) -> Result<()> {
        let params: Params = event.params()?;
        let tried = match params.attempt.as_str() {
            "check" => Some(grants::check(&params)),
            name => attempts()
                .find(|attempt| attempt.name == name)
                .map(|attempt| (attempt.run)(&params)),
        };
        match tried {
            Some(Ok(got)) => log::info!("GOT {got}"),
            Some(Err(error)) => log::info!("HELD {error}"),
            None => log::info!("UNKNOWN {}", params.attempt),
        }
        Ok(())
    }

    /// Lists every attempt as JSON, with its requirements and its guard.
    fn on_update_status(&self, _: UpdateStatusEvent) {
        for attempt in attempts() {
            log::info!("ATTEMPT {}", attempt.described());
        }
    }
}

charmhost::main!(Escape);
