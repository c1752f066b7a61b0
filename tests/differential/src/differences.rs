//! Known differences, each with its reason: lines that are compared in another
//! form, or left out in some scenarios.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use regex_lite::Regex;
use serde::Deserialize;

/// The side whose lines differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Ours,
    Theirs,
    Both,
}

/// The name that stands for every scenario.
const ALL: &str = "all";

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
    /// What the line is compared as, with `$1` for a part of it. Without it, the
    /// line is left out, in the scenarios that are named.
    becomes: Option<String>,
    /// `all`: in every scenario.
    #[serde(default)]
    scenarios: BTreeSet<String>,
    reason: String,
}

struct Difference {
    side: Side,
    what: What,
    line: Regex,
    event: Option<Regex>,
    remedy: Remedy,
    reason: String,
    used: AtomicBool,
}

/// How the lines of a difference are compared all the same.
enum Remedy {
    /// As this text.
    Becomes(String),
    /// Not at all in these scenarios.
    LeftOut(BTreeMap<String, AtomicBool>),
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
            let remedy = match (listed.becomes, listed.scenarios.is_empty()) {
                (Some(text), true) => Remedy::Becomes(text),
                (None, false) => {
                    let scenarios = listed.scenarios.into_iter();
                    Remedy::LeftOut(
                        scenarios
                            .map(|name| (name, AtomicBool::default()))
                            .collect(),
                    )
                }
                _ => anyhow::bail!("{}: each has either becomes or scenarios", path.display()),
            };
            Ok(Difference {
                remedy,
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

    /// Returns what a line is compared as; none if it is left out.
    pub fn compared(
        &self,
        scenario: &str,
        side: Side,
        what: What,
        event: &str,
        line: String,
    ) -> Option<String> {
        let fits = |difference: &&Difference| {
            difference.what == what
                && (difference.side == side || difference.side == Side::Both)
                && difference
                    .event
                    .as_ref()
                    .is_none_or(|pattern| pattern.is_match(event))
                && difference.line.is_match(&line)
        };
        for difference in self.0.iter().filter(fits) {
            match &difference.remedy {
                Remedy::Becomes(text) => {
                    difference.used.store(true, Ordering::Relaxed);
                    return Some(difference.line.replace(&line, text).into_owned());
                }
                Remedy::LeftOut(scenarios) => {
                    let named = scenarios.get(scenario).or_else(|| scenarios.get(ALL));
                    if let Some(used) = named {
                        difference.used.store(true, Ordering::Relaxed);
                        used.store(true, Ordering::Relaxed);
                        return None;
                    }
                }
            }
        }
        Some(line)
    }

    /// Reasons of the differences that were never needed, or not in a scenario that
    /// they name.
    pub fn unused(&self) -> Vec<String> {
        let mut unused = Vec::new();
        for difference in &self.0 {
            if !difference.used.load(Ordering::Relaxed) {
                unused.push(difference.reason.clone());
            } else if let Remedy::LeftOut(scenarios) = &difference.remedy {
                let names = scenarios.iter();
                let names = names.filter(|(_, used)| !used.load(Ordering::Relaxed));
                unused.extend(names.map(|(name, _)| format!("{} ({name})", difference.reason)));
            }
        }
        unused
    }
}
