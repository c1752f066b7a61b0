//! A simulation told to a person while it runs.

mod text;

use std::io::{IsTerminal, Stdout, Write};

use crate::model::{Level, Model, Status};
use crate::report::{DispatchRecord, LogLine, Notice, Observer, Outcome, Report, ToolCall};
use crate::scenario::Unmet;
use text::{clean, cut, cut_pair, wrap};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The summary at the end.
    Summary,
    /// A line for each dispatch, too.
    Headings,
    /// What each dispatch did, too.
    All,
}

#[derive(Debug, Clone, Copy)]
enum Colour {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Colour::Plain => "0",
            Colour::Bold => "1",
            Colour::Dim => "2",
            Colour::Red => "31",
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Cyan => "36",
        }
    }
}

/// Writes a timeline. A dispatch is told when it is over, so that its heading
/// can say how it went; one that takes more than a second is told as it goes.
pub struct Timeline<W> {
    out: W,
    colours: bool,
    detail: Detail,
    /// Columns of the terminal; none if the output is no terminal.
    width: Option<usize>,
    event: String,
    /// What the running dispatch did; none if it is told as it goes.
    held: Option<Vec<String>>,
    charm_status: Option<Status>,
    /// Events that were not run since the last dispatch, and why.
    left_out: Option<(String, Vec<String>)>,
}

impl Timeline<Stdout> {
    /// Prints everything on standard output. If that is a terminal, in colours,
    /// unless `NO_COLOR` is set, and in its width, or that of `COLUMNS`.
    pub fn stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let out = std::io::stdout();
        let colours = out.is_terminal() && !refused;
        let width = text::terminal_width(&out);
        Timeline::new(out, colours, Detail::All).with_width(width)
    }
}

impl<W: Write> Timeline<W> {
    /// Tells as much as wanted, with or without colours.
    pub fn new(out: W, colours: bool, detail: Detail) -> Self {
        Timeline {
            out,
            colours,
            detail,
            width: None,
            event: String::new(),
            held: None,
            charm_status: None,
            left_out: None,
        }
    }

    /// The same in lines of a width in columns. Warnings, errors and what
    /// failed are wrapped to it, other lines are cut. Without a width, all
    /// lines are whole.
    pub fn with_width(self, width: Option<usize>) -> Self {
        Timeline { width, ..self }
    }

    /// The same with another amount of detail.
    pub fn with_detail(self, detail: Detail) -> Self {
        Timeline { detail, ..self }
    }

    fn paint(&self, colour: Colour, text: &str) -> String {
        match (self.colours, colour) {
            (false, _) | (_, Colour::Plain) => text.to_owned(),
            (true, colour) => format!("\u{1b}[{}m{text}\u{1b}[0m", colour.code()),
        }
    }

    /// A reader that went away is no reason to stop the simulation.
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }

    fn detail_line(&mut self, text: String) {
        if self.detail < Detail::All {
            return;
        }
        match &mut self.held {
            Some(held) => held.push(text),
            None => {
                self.line(&text);
                let _ = self.out.flush();
            }
        }
    }

    fn status(&self, what: &str, status: &Status) -> String {
        let colour = match status.status.as_str() {
            "active" => Colour::Green,
            "blocked" | "error" => Colour::Red,
            "waiting" | "maintenance" => Colour::Yellow,
            _ => Colour::Plain,
        };
        let name = self.paint(colour, &clean(&status.status));
        match status.message.as_str() {
            "" => format!("{what}{name}"),
            message => format!("{what}{name}: {}", clean(message)),
        }
    }

    fn log(&self, line: &LogLine) -> String {
        let prefix = format!("  {:<8} ", line.level.name());
        let (colour, text) = match line.level {
            Level::Trace | Level::Debug => (Colour::Dim, self.on_one_line(&prefix, &line.message)),
            Level::Info => (Colour::Plain, self.on_one_line(&prefix, &line.message)),
            Level::Warning => (Colour::Yellow, wrap(&prefix, &line.message, self.width)),
            Level::Error | Level::Critical => {
                (Colour::Red, wrap(&prefix, &line.message, self.width))
            }
        };
        self.paint(colour, text.trim_end())
    }

    fn on_one_line(&self, prefix: &str, text: &str) -> String {
        cut(&format!("{prefix}{}", clean(text)), self.width)
    }

    fn call(&self, call: &ToolCall) -> String {
        let command = format!("  {}", clean(&call.line()));
        let colour = match call.tool.as_str() {
            "open-port" | "close-port" => Colour::Cyan,
            _ => Colour::Plain,
        };
        let failure = match (&call.rpc_error, call.exit_code) {
            (Some(error), _) => Some(format!("refused: {error}")),
            (None, Some(0)) => None,
            (None, code) => {
                let code = code.unwrap_or_default();
                Some(format!("exit {code}: {}", call.stderr))
            }
        };
        if let Some(failure) = failure {
            return self.failed_call(&command, failure.trim_end());
        }
        let answer = clean(call.stdout.trim_end());
        if answer.is_empty() {
            return self.paint(colour, &cut(&command, self.width));
        }
        let (command, answer) = cut_pair(&command, &answer, self.width);
        let answer = self.paint(Colour::Dim, &answer);
        format!("{} → {answer}", self.paint(colour, &command))
    }

    /// A call that failed, whole: on one line if it fits there.
    fn failed_call(&self, command: &str, failure: &str) -> String {
        let line = format!("{command} → {failure}");
        let fits = |width| line.chars().count() <= width;
        let (separator, reason) = match !line.contains('\n') && self.width.is_none_or(fits) {
            true => (" → ", clean(failure)),
            false => ("\n", wrap("    → ", failure, self.width)),
        };
        let reason = self.paint(Colour::Red, &reason);
        format!("{command}{separator}{reason}")
    }

    /// How a dispatch went, in a few words.
    fn result(&self, record: &DispatchRecord) -> String {
        let (colour, mark) = match (&record.outcome, record.exit_code) {
            (Outcome::Succeeded, _) => (Colour::Green, "✓".to_owned()),
            (Outcome::Failed(_), Some(code)) if code != 0 => {
                (Colour::Red, format!("✗ exit {code}"))
            }
            (Outcome::Failed(reason), _) => (Colour::Red, format!("✗ {}", clean(reason))),
            (Outcome::Interrupted, _) => (Colour::Yellow, "✗ killed from outside".to_owned()),
        };
        format!(
            "{} {}",
            self.paint(colour, &mark),
            milliseconds(record.duration_ms)
        )
    }

    /// The events that were not run, in one line for each reason.
    fn print_left_out(&mut self) {
        let Some((reason, events)) = self.left_out.take() else {
            return;
        };
        let gap = if self.detail == Detail::All { "\n" } else { "" };
        let text = format!("{reason}: {}", events.join(", "));
        let text = wrap("not run, ", &text, self.width);
        let text = self.paint(Colour::Yellow, &text);
        self.line(&format!("{gap}{text}"));
    }

    fn fact(&mut self, name: &str, value: &str) {
        let name = self.paint(Colour::Dim, &format!("{name:<12}"));
        self.line(&format!("  {name} {value}"));
    }

    fn dispatches(&mut self, records: &[DispatchRecord]) {
        let times: Vec<f64> = records.iter().map(|record| record.duration_ms).collect();
        let failed = records
            .iter()
            .filter(|record| record.outcome != Outcome::Succeeded)
            .count();
        let failed = match failed {
            0 => String::new(),
            count => self.paint(Colour::Red, &format!(", {count} failed")),
        };
        let (total, median) = (
            milliseconds(times.iter().sum()),
            milliseconds(median(&times)),
        );
        self.fact(
            "dispatches",
            &format!("{}{failed}, {total} in all, median {median}", times.len()),
        );
    }
}

impl<W: Write> Observer for Timeline<W> {
    fn unit_made(&mut self, model: &Model) {
        if self.detail < Detail::Headings {
            return;
        }
        let kind = if model.kubernetes {
            "Kubernetes"
        } else {
            "machine"
        };
        let role = if model.leader { "leader" } else { "not leader" };
        let unit = self.paint(Colour::Bold, &clean(&model.unit));
        let about = format!("{role}, {kind} model, Juju {}", clean(&model.juju_version));
        let about = self.paint(Colour::Dim, &about);
        self.line(&format!("{unit}  {about}"));
    }

    fn dispatch_starts(&mut self, event: &str, _environment: &[(String, String)]) {
        self.print_left_out();
        self.event = event.to_owned();
        self.held = Some(Vec::new());
    }

    fn notice(&mut self, notice: &Notice) {
        let text = match notice {
            // These are told by what they change.
            Notice::Call(call) if call.exit_code == Some(0) && tells_itself(call) => return,
            Notice::Call(call) => self.call(call),
            Notice::Log(line) => self.log(line),
            Notice::UnitStatus(status) => {
                self.charm_status = Some(status.clone());
                self.status("  status  ", status)
            }
            Notice::AppStatus(status) => self.status("  application status  ", status),
            Notice::WorkloadVersion(version) => {
                let version = self.paint(Colour::Cyan, &clean(version));
                format!("  workload version  {version}")
            }
        };
        self.detail_line(text);
    }

    fn dispatch_is_slow(&mut self) {
        if self.detail < Detail::Headings {
            return;
        }
        let event = self.paint(Colour::Bold, &clean(&self.event));
        self.line(&format!("\n{event} …"));
        for text in self.held.take().unwrap_or_default() {
            self.line(&text);
        }
        let _ = self.out.flush();
    }

    fn dispatch_ends(&mut self, record: &DispatchRecord) {
        if self.detail < Detail::Headings {
            return;
        }
        let result = self.result(record);
        match self.held.take() {
            None => self.line(&format!("  {result}")),
            Some(held) => {
                let gap = if self.detail == Detail::All { "\n" } else { "" };
                let event = self.paint(Colour::Bold, &format!("{:<24}", clean(&record.event)));
                self.line(&format!("{gap}{event} {result}"));
                for text in held {
                    self.line(&text);
                }
            }
        }
        let _ = self.out.flush();
    }

    fn event_left_out(&mut self, event: &str, reason: &str) {
        if self.detail < Detail::Headings {
            return;
        }
        match &mut self.left_out {
            Some((known, events)) if known == reason => events.push(clean(event)),
            _ => {
                self.print_left_out();
                self.left_out = Some((reason.to_owned(), vec![clean(event)]));
            }
        }
    }

    fn unmet(&mut self, unmet: &[Unmet]) {
        self.print_left_out();
        for unmet in unmet {
            let title = format!("  ✗ after {}: {}", unmet.after, unmet.of);
            let title = self.paint(Colour::Red, &clean(&title));
            self.line(&title);
            for (what, value) in [("wanted", &unmet.wanted), ("got", &unmet.got)] {
                for (place, text) in shown(value).into_iter().enumerate() {
                    let what = if place == 0 { what } else { "" };
                    self.line(&format!("      {what:<7} {}", clean(&text)));
                }
            }
        }
    }

    fn finished(&mut self, report: &Report) {
        self.print_left_out();
        let model = &report.model;
        let gap = if self.detail > Detail::Summary {
            "\n"
        } else {
            ""
        };
        let unit = self.paint(Colour::Bold, &clean(&model.unit));
        self.line(&format!("{gap}{unit}"));
        let status = self.status("", &model.unit_status);
        self.fact("status", &status);
        if let Some(last) = self
            .charm_status
            .take()
            .filter(|last| *last != model.unit_status)
        {
            let last = self.status("", &last);
            self.fact("charm's last", &last);
        }
        if !model.ports.is_empty() {
            self.fact("ports", &model.ports.join(", "));
        }
        if let Some(version) = &model.workload_version {
            self.fact("version", &clean(version));
        }
        for action in &model.actions {
            let text = match action.message.as_str() {
                "" => format!("{} {}", action.name, action.status),
                message => format!("{} {}: {message}", action.name, action.status),
            };
            self.fact("action", &clean(&text));
        }
        for container in &model.containers {
            let services = container.services.iter();
            let services: Vec<String> = services
                .map(|(name, current)| format!("{name} {current}"))
                .collect();
            let text = match (container.can_connect, services.is_empty()) {
                (false, _) => format!("{} does not run", container.name),
                (true, true) => format!("{} without services", container.name),
                (true, false) => format!("{}: {}", container.name, services.join(", ")),
            };
            self.fact("container", &clean(&text));
        }
        self.dispatches(&report.dispatches);
        if !report.unmet.is_empty() {
            let text = format!("{} not met", report.unmet.len());
            let text = self.paint(Colour::Red, &text);
            self.fact("expectations", &text);
        }
        let _ = self.out.flush();
    }
}

/// A value on one line; the items of a list on one each.
fn shown(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::Array(items) if !items.is_empty() => {
            items.iter().flat_map(shown).collect()
        }
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Null => vec!["nothing".to_owned()],
        other => vec![other.to_string()],
    }
}

fn tells_itself(call: &ToolCall) -> bool {
    ["juju-log", "status-set", "application-version-set"].contains(&call.tool.as_str())
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let lower = sorted
        .get(sorted.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or_default();
    (lower + upper) / 2.0
}

fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 10_000.0 => format!("{ms:.1} ms"),
        ms => format!("{:.1} s", ms / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(detail: Detail, slow: bool) -> String {
        printed(detail, slow, None)
    }

    fn printed(detail: Detail, slow: bool, width: Option<usize>) -> String {
        let mut out = Vec::new();
        let mut timeline = Timeline::new(&mut out, false, detail).with_width(width);
        let call = |tool: &str, args: &[&str], code, stdout: &str, stderr: &str| {
            Notice::Call(ToolCall {
                tool: tool.to_owned(),
                args: args.iter().map(|arg| (*arg).to_owned()).collect(),
                stdin: None,
                exit_code: Some(code),
                stdout: stdout.to_owned(),
                stderr: stderr.to_owned(),
                rpc_error: None,
            })
        };
        timeline.dispatch_starts("install", &[]);
        timeline.notice(&Notice::UnitStatus(Status::new(
            "active",
            "ready\u{1b}[31m",
        )));
        timeline.notice(&call("status-set", &["active", "ready"], 0, "", ""));
        if slow {
            timeline.dispatch_is_slow();
        }
        timeline.notice(&call("config-get", &["a key"], 0, "x\ny\n", ""));
        timeline.notice(&call("open-port", &["99999"], 2, "", "ERROR too big\n"));
        timeline.notice(&Notice::Log(LogLine {
            level: Level::Info,
            message: "a".repeat(200),
        }));
        timeline.notice(&Notice::Log(LogLine {
            level: Level::Error,
            message: "cannot start the web server at src/lib.rs:24\nit is gone".to_owned(),
        }));
        timeline.dispatch_ends(&DispatchRecord {
            event: "install".to_owned(),
            exit_code: Some(3),
            duration_ms: 12.34,
            hook_tools: Vec::new(),
            logs: Vec::new(),
            deferred: Vec::new(),
            outcome: Outcome::Failed("exit status 3".to_owned()),
        });
        String::from_utf8(out).unwrap()
    }

    fn lines() -> String {
        format!(
            "  config-get 'a key' → x⏎y\n  open-port 99999 → exit 2: ERROR too big\n  INFO     {}\n  ERROR    cannot start the web server at src/lib.rs:24\n           it is gone\n",
            "a".repeat(200)
        )
    }

    #[test]
    fn a_terminal_gets_lines_of_its_width_and_errors_whole() {
        let wanted = format!(
            "  open-port 99999\n    → exit 2: ERROR too big\n  INFO     {}…\n  ERROR    cannot start the web\n           server at src/lib.rs:24\n           it is gone\n",
            "a".repeat(24)
        );
        let printed = printed(Detail::All, false, Some(36));
        assert!(printed.ends_with(&wanted), "{printed}");
    }

    #[test]
    fn events_that_were_not_run_are_one_line_for_each_reason() {
        let mut out = Vec::new();
        let mut timeline = Timeline::new(&mut out, false, Detail::All);
        for (event, reason) in [
            ("start", "since install failed"),
            ("stop", "since install failed"),
            ("noop-action", "the charm has no dispatch"),
        ] {
            timeline.event_left_out(event, reason);
        }
        timeline.dispatch_starts("remove", &[]);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\nnot run, since install failed: start, stop\n\nnot run, the charm has no dispatch: noop-action\n"
        );
    }

    #[test]
    fn a_dispatch_is_a_heading_and_what_it_did() {
        let wanted = format!(
            "\n{:<24} ✗ exit 3 12.3 ms\n  status  active: ready�[31m\n{}",
            "install",
            lines()
        );
        assert_eq!(told(Detail::All, false), wanted);
        let heading = format!("{:<24} ✗ exit 3 12.3 ms\n", "install");
        assert_eq!(told(Detail::Headings, false), heading);
        assert_eq!(told(Detail::Summary, false), "");
    }

    #[test]
    fn a_slow_dispatch_is_told_as_it_goes() {
        let wanted = format!(
            "\ninstall …\n  status  active: ready�[31m\n{}  ✗ exit 3 12.3 ms\n",
            lines()
        );
        assert_eq!(told(Detail::All, true), wanted);
    }

    #[test]
    fn the_median_of_an_even_number_is_between_two() {
        for (times, wanted) in [
            (vec![], 0.0),
            (vec![3.0], 3.0),
            (vec![4.0, 1.0], 2.5),
            (vec![9.0, 1.0, 2.0], 2.0),
        ] {
            assert!((median(&times) - wanted).abs() < 1e-9, "{times:?}");
        }
    }
}
