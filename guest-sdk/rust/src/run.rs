//! The loop of a charm.

use crate::bindings::framework as wit;
use crate::bindings::{Outcome, exports};
use crate::error::{Ending, ModelResult};
use crate::{Charm, Error, Result, logging, objects};

/// Creates the charm and delivers events to it until there are none. `module` is the
/// charm's module.
pub fn run<C: Charm>(module: &'static str) -> Outcome {
    logging::install(module);
    objects::make::<C>();
    match drive() {
        Ok(()) => Outcome::Completed,
        Err(error) => end(&error),
    }
}

fn drive() -> Result<()> {
    if let Err((error, place)) = objects::announce() {
        let file = place.file().to_owned();
        logging::report("error", &error.to_string(), file, place.line());
        return Err(Error::exit(1));
    }
    while let Some(delivery) = wit::next().model()? {
        objects::deliver(delivery)?;
    }
    Ok(())
}

fn end(error: &Error) -> Outcome {
    let exit = |code, message: &str| {
        Outcome::Exited(exports::charmhost::entry::entry::ExitRequest {
            code,
            message: message.to_owned(),
        })
    };
    match error.ending() {
        Ending::Abort => Outcome::Aborted,
        Ending::Exit(code, message) => exit(code, message),
        Ending::Failure => {
            let place = error.place();
            logging::report(
                "error",
                &error.to_string(),
                place.file().to_owned(),
                place.line(),
            );
            exit(1, "")
        }
    }
}
