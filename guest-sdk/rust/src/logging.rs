//! The `log` crate's records in Juju's log.

use crate::bindings::log as wit;

struct JujuLog;

impl log::Log for JujuLog {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
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

/// Sends log records and panics to Juju.
pub fn install() {
    // A charm that brings its own logger keeps it.
    if log::set_logger(&JujuLog).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a value that is no text");
        let (file, line) = match info.location() {
            Some(place) => (place.file().to_owned(), place.line()),
            None => (String::new(), 0),
        };
        report("panic", message, file, line);
    }));
}

/// Tells the host why the charm is about to fail.
pub fn report(kind: &str, message: &str, file: String, line: u32) {
    wit::report_crash(&wit::CrashReport {
        kind: kind.to_owned(),
        message: message.to_owned(),
        file,
        line,
        traceback: String::new(),
    });
}
