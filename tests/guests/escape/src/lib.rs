//! Tries to get out of its sandbox, in one way for each run. What it gets hold
//! of it logs behind `GOT`, and why it did not behind `HELD`.

mod attempts;

use charmhost::prelude::*;
use serde::Deserialize;

struct Escape;

impl Charm for Escape {
    fn new(on: &mut Observe<Self>) -> Self {
        on.action("attempt", Self::on_attempt);
        on.update_status(Self::on_update_status);
        Escape
    }
}

/// What to try, and where the prey is.
#[derive(Deserialize)]
pub struct Params {
    /// The name of the attempt.
    attempt: String,
    /// A directory outside of the sandbox, with the file `secret`.
    outside: String,
    /// A port of this machine on which somebody listens.
    port: u16,
}

impl Escape {
    fn on_attempt(&mut self, event: ActionEvent) -> Result<()> {
        let params: Params = event.params()?;
        match attempts::run(&params) {
            Some(Ok(got)) => log::info!("GOT {got}"),
            Some(Err(error)) => log::info!("HELD {error}"),
            None => log::info!("UNKNOWN {}", params.attempt),
        }
        Ok(())
    }

    fn on_update_status(&mut self, _: UpdateStatusEvent) {
        for name in attempts::names() {
            log::info!("ATTEMPT {name}");
        }
    }
}

charmhost::main!(Escape);
