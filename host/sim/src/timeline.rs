//! Prints a simulation for people while it runs.

#[cfg(test)]
mod tests;
mod text;

use std::io::{IsTerminal, Stdout, Write};

use charmhost_sim_model::{Level, LogLine, Status, UnitView};

use crate::report::{
    DispatchRecord, FailedExpectation, ModelReport, Observer, Outcome, Progress, Report,
};
use crate::sim_event::{SimEvent, ToolCall};
use text::{clean, cut, cut_pair, wrap};

/// How much is printed.
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

/// From how many units on progress is printed.
const MANY_UNITS: usize = 5;

/// Writes a timeline. A dispatch is printed when it is over, with its result in
/// the heading; one that takes more than a second is printed as it runs.
pub struct Timeline<W> {
    out: W,
    colours: bool,
    detail: Detail,
    /// Columns of the terminal; none if the output is no terminal.
    width: Option<usize>,
    event: String,
    /// The unit that acts, in a model with several units.
    unit: Option<String>,
    /// What the running dispatch did; none if it is printed as it runs.
    pending: Option<Vec<String>>,
    charm_status: Option<Status>,
    /// Events that were not run since the last dispatch, and why.
    skipped: Option<(String, Vec<String>)>,
}

impl Timeline<Stdout> {
    /// Prints everything on standard output. If that is a terminal, in colours,
    /// unless `NO_COLOR` is set, and in its width, or that of `COLUMNS`.
    pub fn stdout() -> Self {
        let without_colours = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let out = std::io::stdout();
        let colours = out.is_terminal() && !without_colours;
        let width = text::terminal_width(&out);
        Timeline::new(out, colours, Detail::All).with_width(width)
    }
}

impl<W: Write> Timeline<W> {
    /// Prints with this amount of detail, with or without colours.
    pub fn new(out: W, colours: bool, detail: Detail) -> Self {
        Timeline {
            out,
            colours,
            detail,
            width: None,
            event: String::new(),
            unit: None,
            pending: None,
            charm_status: None,
            skipped: None,
        }
    }

    /// The same with lines of this width, in columns. Warnings, errors and what
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

    /// Ignores errors: a closed pipe does not stop the simulation.
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }

    fn detail_line(&mut self, text: String) {
        if self.detail < Detail::All {
            return;
        }
        match &mut self.pending {
            Some(pending) => pending.push(text),
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
        let prefix = format!("  {:<8} ", line.level.as_str());
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
            (Some(error), _) => Some(format!("rejected: {error}")),
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

    /// The result of a dispatch.
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
    fn print_skipped(&mut self) {
        let Some((reason, events)) = self.skipped.take() else {
            return;
        };
        let gap = if self.detail == Detail::All { "\n" } else { "" };
        let text = format!("{reason}: {}", events.join(", "));
        let text = wrap("not run, ", &text, self.width);
        let text = self.paint(Colour::Yellow, &text);
        self.line(&format!("{gap}{text}"));
    }

    /// The unit before an event, in a model with several units.
    fn acting_unit(&self) -> String {
        match &self.unit {
            Some(unit) => self.paint(Colour::Cyan, &format!("{:<14} ", clean(unit))),
            None => String::new(),
        }
    }

    fn fact(&mut self, name: &str, value: &str) {
        let name = self.paint(Colour::Dim, &format!("{name:<12}"));
        self.line(&format!("  {name} {value}"));
    }

    fn expectations(&mut self, failed: usize) {
        if failed > 0 {
            let text = self.paint(Colour::Red, &format!("{failed} not met"));
            self.fact("expectations", &text);
        }
    }

    fn dispatches(&mut self, records: &[&DispatchRecord]) {
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
    fn unit_created(&mut self, model: &UnitView) {
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
        self.print_skipped();
        self.event = event.to_owned();
        self.pending = Some(Vec::new());
    }

    fn sim_event(&mut self, event: &SimEvent) {
        let text = match event {
            // Their effects are printed instead.
            SimEvent::Call(call) if call.exit_code == Some(0) && has_effect_line(call) => return,
            SimEvent::Call(call) => self.call(call),
            SimEvent::Log(line) => self.log(line),
            SimEvent::UnitStatus(status) => {
                self.charm_status = Some(status.clone());
                self.status("  status  ", status)
            }
            SimEvent::AppStatus(status) => self.status("  application status  ", status),
            SimEvent::WorkloadVersion(version) => {
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
        let unit = self.acting_unit();
        self.line(&format!("\n{unit}{event} …"));
        for text in self.pending.take().unwrap_or_default() {
            self.line(&text);
        }
        let _ = self.out.flush();
    }

    fn dispatch_ends(&mut self, record: &DispatchRecord) {
        if self.detail < Detail::Headings {
            return;
        }
        let result = self.result(record);
        match self.pending.take() {
            None => self.line(&format!("  {result}")),
            Some(pending) => {
                let gap = if self.detail == Detail::All { "\n" } else { "" };
                let event = self.paint(Colour::Bold, &format!("{:<24}", clean(&record.event)));
                let unit = self.acting_unit();
                self.line(&format!("{gap}{unit}{event} {result}"));
                for text in pending {
                    self.line(&text);
                }
            }
        }
        let _ = self.out.flush();
    }

    fn event_skipped(&mut self, event: &str, reason: &str) {
        if self.detail < Detail::Headings {
            return;
        }
        match &mut self.skipped {
            Some((known, events)) if known == reason => events.push(clean(event)),
            _ => {
                self.print_skipped();
                self.skipped = Some((reason.to_owned(), vec![clean(event)]));
            }
        }
    }

    fn unmet(&mut self, unmet: &[FailedExpectation]) {
        self.print_skipped();
        for unmet in unmet {
            let title = format!("  ✗ after {}: {}", unmet.after, unmet.of);
            let title = self.paint(Colour::Red, &clean(&title));
            self.line(&title);
            for (what, value) in [("wanted", &unmet.wanted), ("got", &unmet.got)] {
                for (index, text) in shown(value).into_iter().enumerate() {
                    let what = if index == 0 { what } else { "" };
                    self.line(&format!("      {what:<7} {}", clean(&text)));
                }
            }
        }
    }

    fn step_starts(&mut self, title: &str) {
        if self.detail < Detail::Headings {
            return;
        }
        self.print_skipped();
        let title = self.paint(Colour::Bold, &format!("== {}", clean(title)));
        self.line(&format!("\n{title}"));
    }

    fn unit_acts(&mut self, unit: &str) {
        self.unit = Some(unit.to_owned());
    }

    fn progress(&mut self, progress: &Progress) {
        if self.detail < Detail::Headings || progress.units < MANY_UNITS {
            return;
        }
        let Progress {
            idle,
            units,
            dispatches,
        } = progress;
        let text = format!("   {idle} of {units} units at rest after {dispatches} dispatches");
        let text = self.paint(Colour::Dim, &text);
        self.line(&text);
        let _ = self.out.flush();
    }

    fn model_finished(&mut self, report: &ModelReport) {
        self.print_skipped();
        self.line("");
        for (name, application) in &report.applications {
            let status = self.status("", &application.status);
            let leader = application.leader.as_deref().unwrap_or("none");
            let name = self.paint(Colour::Bold, &clean(name));
            self.line(&format!("{name}  {status}  leader {}", clean(leader)));
            for unit in &application.units {
                if let Some(record) = report.units.get(unit) {
                    let status = self.status("", &record.unit_status);
                    self.fact(&clean(unit), &status);
                }
            }
        }
        let records = report.dispatches.iter().map(|dispatch| &dispatch.record);
        self.dispatches(&records.collect::<Vec<_>>());
        self.expectations(report.unmet.len());
        let _ = self.out.flush();
    }

    fn finished(&mut self, report: &Report) {
        self.print_skipped();
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
        self.dispatches(&report.dispatches.iter().collect::<Vec<_>>());
        self.expectations(report.unmet.len());
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

fn has_effect_line(call: &ToolCall) -> bool {
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
