//! The loop that every charm runs.

use crate::bindings::framework::{self as wit, Settlement};
use crate::bindings::{Outcome, exports};
use crate::error::{Ending, ModelResult};
use crate::{Charm, Error, Observe, Result, events, logging, stored};

/// Makes the charm and hands it its events until there are none.
pub fn run<C: Charm>() -> Outcome {
    logging::install();
    let mut on = Observe::new();
    stored::set_owner(on.charm);
    let mut charm = C::new(&mut on);
    match drive(&mut charm, &on) {
        Ok(()) => Outcome::Completed,
        Err(error) => end(&error),
    }
}

fn drive<C: Charm>(charm: &mut C, on: &Observe<C>) -> Result<()> {
    for observer in &on.observers {
        let registered = wit::observe(
            &observer.source,
            &observer.event,
            on.charm,
            &observer.method,
        )
        .model();
        if let Err(error) = registered {
            let place = observer.place;
            logging::report(
                "error",
                &error.to_string(),
                place.file().to_owned(),
                place.line(),
            );
            return Err(Error::exit(1));
        }
    }
    while let Some(delivery) = wit::next().model()? {
        let observer = on.observers.iter().find(|observer| {
            observer.method == delivery.method
                && observer.event == delivery.name
                && observer.source == delivery.source
        });
        if let Some(observer) = observer {
            (observer.call)(charm, events::from_wit(delivery.event))?;
        }
        let settlement = match events::take_deferral() {
            Some(reason) => Settlement::Deferred(reason),
            None => Settlement::Handled,
        };
        wit::done(delivery.id, &settlement).model()?;
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
