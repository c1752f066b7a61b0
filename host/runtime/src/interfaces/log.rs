//! `charmhost:log/log`.

use charmhost_juju::Level;

use crate::bindings::log::{self as wit, Host};
use crate::state::State;
use crate::trap::CrashReport;

impl Host for State {
    fn write(&mut self, level: wit::Level, message: String) {
        let level = match level {
            wit::Level::Trace => Level::Trace,
            wit::Level::Debug => Level::Debug,
            wit::Level::Info => Level::Info,
            wit::Level::Warning => Level::Warning,
            wit::Level::Error => Level::Error,
            wit::Level::Critical => Level::Critical,
        };
        // What was denied comes before what the charm says of it.
        self.log_denials();
        self.log_for_guest(level, &message);
    }

    fn report_crash(&mut self, report: wit::CrashReport) {
        self.charm.crash = Some(CrashReport {
            kind: report.kind,
            message: report.message,
            file: report.file,
            line: report.line,
            traceback: report.traceback,
        });
    }
}
