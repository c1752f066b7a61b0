//! `juju-log`.

use super::format::Shown;
use super::{Call, Refusal};
use crate::model::{Hook, Level};

pub fn log(hook: &mut Hook, call: &Call) -> Result<Option<Shown>, Refusal> {
    if call.arguments.args.is_empty() {
        return Err(Refusal::Usage("no message specified".to_owned()));
    }
    let message = call.arguments.args.join(" ");
    let level = match call.arguments.value("l") {
        _ if call.arguments.is("debug") => Level::Debug,
        None | Some("") => Level::Info,
        Some(name) => Level::named(name).unwrap_or_else(|| {
            let warning = format!("Specified log level of {name:?} is not valid; logging at INFO");
            hook.log(Level::Warning, warning);
            Level::Info
        }),
    };
    hook.log(level, message);
    Ok(None)
}
