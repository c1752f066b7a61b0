//! Records of the `log` crate in Juju's log.

use std::panic::Location;

use crate::bindings::{crash, log as wit};
use crate::objects;

/// Sends records to Juju. TRACE records only of the charm's own crate: those of
/// other crates may contain secrets, and each is a call to the agent.
struct JujuLog {
    /// The charm's crate, by its name in the targets of records.
    own_crate: &'static str,
}

impl log::Log for JujuLog {
    fn enabled(&self, metadata: &log::Metadata) -> bool {
        metadata.level() < log::Level::Trace || is_within(metadata.target(), self.own_crate)
    }

    fn log(&self, record: &log::Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            log::Level::Error => wit::Level::Error,
            log::Level::Warn => wit::Level::Warning,
            log::Level::Info => wit::Level::Info,
            log::Level::Debug => wit::Level::Debug,
            log::Level::Trace => wit::Level::Trace,
        };
        wit::write(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Whether a module belongs to a crate.
fn is_within(module: &str, crate_name: &str) -> bool {
    let rest = module.strip_prefix(crate_name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Sends log records and panics of a charm to Juju. `module` is any of the
/// charm's modules.
pub fn install(module: &'static str) {
    let own_crate = module.split("::").next().unwrap_or(module);
    // A charm may have set its own logger.
    if log::set_boxed_logger(Box::new(JujuLog { own_crate })).is_ok() {
        // The default of ops.
        log::set_max_level(log::LevelFilter::Debug);
    }
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a value that is not text");
        let place = info.location();
        crash::report(&crash::Failure {
            kind: "panic".to_owned(),
            message: message.to_owned(),
            file: place.map(|place| place.file().to_owned()),
            line: place.map(Location::line),
            traceback: None,
            delivery: objects::current_delivery(),
        });
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::{Level, Log, Metadata};

    #[test]
    fn trace_is_enabled_for_the_charms_own_crate_only() {
        let logger = JujuLog {
            own_crate: "my_charm",
        };
        let enabled = |level, target| {
            let metadata = Metadata::builder().level(level).target(target).build();
            logger.enabled(&metadata)
        };
        for (level, target, wanted) in [
            (Level::Trace, "my_charm", true),
            (Level::Trace, "my_charm::web", true),
            (Level::Trace, "my_charm_too", false),
            (Level::Trace, "ureq::proto", false),
            (Level::Debug, "ureq::proto", true),
            (Level::Error, "ureq", true),
        ] {
            assert_eq!(enabled(level, target), wanted, "{level} of {target}");
        }
    }
}
