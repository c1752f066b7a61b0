//! The loop of a charm.

use std::panic::Location;

use crate::bindings::crash::Failure as CrashReport;
use crate::bindings::framework as wit;
use crate::bindings::{Outcome, exports};
use crate::error::{Ending, Failure, ModelResult};
use crate::{Charm, Observe, Result, logging, objects, stored};

/// Creates the charm and delivers events to it until there are none. `module` is the
/// charm's module.
pub fn run<C: Charm>(module: &'static str) -> Outcome {
    logging::install(module);
    match drive::<C>() {
        Ok(()) => Outcome::Completed,
        Err(failure) => end(&failure),
    }
}

fn drive<C: Charm>() -> Result<(), Failure> {
    // The charm is dropped when the dispatch ends.
    let _charm = objects::create(Observe::<C>::root(), C::new)?;
    objects::announce()?;
    while let Some(delivery) = wit::next().model()? {
        objects::deliver(delivery)?;
    }
    Ok(stored::save_all()?)
}

fn end(failure: &Failure) -> Outcome {
    match failure.ending() {
        Ending::Aborted => Outcome::Aborted,
        Ending::Exited(code) => Outcome::Exited(exports::charmhost::entry::entry::ExitRequest {
            code,
            message: None,
        }),
        Ending::Failed => {
            let place = failure.location();
            Outcome::Failed(CrashReport {
                kind: "error".to_owned(),
                message: failure.to_string(),
                file: place.map(|place| place.file().to_owned()),
                line: place.map(Location::line),
                traceback: None,
                delivery: failure.delivery(),
            })
        }
    }
}
