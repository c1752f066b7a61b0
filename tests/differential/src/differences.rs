//! Allowed differences, each with its reason.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use regex_lite::Regex;
use serde::Deserialize;

/// The side whose lines a difference allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Ours,
    Theirs,
    Both,
}

/// What kind of line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Call,
    Log,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    side: Side,
    /// A pattern of whole lines, of calls or of logs.
    call: Option<String>,
    log: Option<String>,
    /// A pattern of the events to which it applies; all without it.
    event: Option<String>,
    reason: String,
}

struct Difference {
    side: Side,
    what: What,
    line: Regex,
    event: Option<Regex>,
    reason: String,
    used: AtomicBool,
}

/// The list.
pub struct Differences(Vec<Difference>);

impl Differences {
    /// Reads the file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = || format!("cannot read {}", path.display());
        let text = std::fs::read_to_string(path).with_context(name)?;
        let value = charmhost_yaml::parse(&text).with_context(name)?;
        let listed: Vec<Listed> = serde_json::from_value(value).with_context(name)?;
        let whole = |pattern: &str| Regex::new(&format!("^(?s:{pattern})$")).with_context(name);
        let read = |listed: Listed| {
            let (what, pattern) = match (listed.call, listed.log) {
                (Some(call), None) => (What::Call, call),
                (None, Some(log)) => (What::Log, log),
                _ => anyhow::bail!("{}: each has either call or log", path.display()),
            };
            Ok(Difference {
                side: listed.side,
                what,
                line: whole(&pattern)?,
                event: listed.event.as_deref().map(whole).transpose()?,
                reason: listed.reason,
                used: AtomicBool::new(false),
            })
        };
        listed
            .into_iter()
            .map(read)
            .collect::<anyhow::Result<_>>()
            .map(Differences)
    }

    /// Whether a line is left out of the comparison.
    pub fn allow(&self, side: Side, what: What, event: &str, line: &str) -> bool {
        let mut fitting = self.0.iter().filter(|difference| {
            difference.what == what
                && (difference.side == side || difference.side == Side::Both)
                && difference
                    .event
                    .as_ref()
                    .is_none_or(|pattern| pattern.is_match(event))
                && difference.line.is_match(line)
        });
        let Some(difference) = fitting.next() else {
            return false;
        };
        difference.used.store(true, Ordering::Relaxed);
        true
    }

    /// Reasons of the differences that were never needed.
    pub fn unused(&self) -> Vec<&str> {
        let unused = self
            .0
            .iter()
            .filter(|difference| !difference.used.load(Ordering::Relaxed));
        unused
            .map(|difference| difference.reason.as_str())
            .collect()
    }
}
