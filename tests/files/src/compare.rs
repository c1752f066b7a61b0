//! Compares results of the guest with those of the kernel.

use std::cell::Cell;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use steps::{Outcome, Step};

use crate::kernel::{Expected, paths};

/// Maximal number of allowed differences.
const LISTED_MAX: usize = 5;

/// Error codes of which one is as good as another: the guest must not do this.
const REFUSED: [&str; 4] = ["access", "busy", "not-permitted", "read-only"];
/// Error codes of which one is as good as another for a handle that is of
/// another kind, or was opened for something else.
const WRONG_HANDLE: [&str; 5] = [
    "bad-descriptor",
    "invalid",
    "is-directory",
    "not-directory",
    "not-permitted",
];

/// An allowed difference.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// The names of steps, separated by spaces, or `all`.
    steps: String,
    /// Errors of the kernel, separated by spaces, or `all`.
    kernel: String,
    /// Errors of the guest instead.
    guest: String,
    /// Whether it applies to hidden names.
    #[serde(default)]
    hidden: bool,
    /// Whether it is about paths with a slash at their ends.
    #[serde(default)]
    slash: bool,
    reason: String,
    #[serde(skip)]
    uses: Cell<usize>,
}

/// The list of those.
pub struct Differences(Vec<Listed>);

impl Differences {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = || format!("cannot read {}", path.display());
        let text = std::fs::read_to_string(path).with_context(name)?;
        let value = charmhost_yaml::parse(&text).with_context(name)?;
        let listed: Vec<Listed> = match value.is_null() {
            true => Vec::new(),
            false => serde_json::from_value(value).with_context(name)?,
        };
        anyhow::ensure!(
            listed.len() <= LISTED_MAX,
            "{} lists {} differences; at most {LISTED_MAX} may be meant",
            path.display(),
            listed.len()
        );
        Ok(Differences(listed))
    }

    /// Prints how often each was seen; returns whether all were.
    pub fn report(&self) -> bool {
        for listed in &self.0 {
            let Listed {
                steps,
                kernel,
                guest,
                reason,
                uses,
                ..
            } = listed;
            println!(
                "difference seen {} times: {steps}: {kernel} is {guest} for the guest; {reason}",
                uses.get()
            );
        }
        self.0.iter().all(|listed| listed.uses.get() > 0)
    }

    /// Whether the outcome of a step is what the kernel's was.
    pub fn accept(&self, step: &Step, expected: &Expected, got: &Outcome) -> bool {
        let (kernel, guest) = match (&expected.outcome, got) {
            (Ok(kernel), Ok(guest)) => return kernel == guest,
            (Err(kernel), Err(guest)) => (kernel.as_str(), guest.as_str()),
            _ => return false,
        };
        let both_in = |codes: &[&str]| codes.contains(&kernel) && codes.contains(&guest);
        let is_refused = |code| REFUSED.contains(&code) || code == "cross-device";
        let is_of_handle = matches!(
            step,
            Step::Read { .. }
                | Step::Write { .. }
                | Step::Append { .. }
                | Step::SetSize { .. }
                | Step::SetTime { .. }
                | Step::List { .. }
                | Step::ReadFile { .. }
        );
        kernel == guest
            || both_in(&REFUSED)
            || expected.guarded && (is_refused(kernel) || is_refused(guest))
            || is_of_handle && both_in(&WRONG_HANDLE)
            || self.is_listed(step, (kernel, guest), expected.hidden)
    }

    fn is_listed(&self, step: &Step, (kernel, guest): (&str, &str), hidden: bool) -> bool {
        let slash = paths(step).iter().any(|(at, _)| at.path.ends_with('/'));
        let found = self.0.iter().find(|listed| {
            names(&listed.steps, step.name())
                && names(&listed.kernel, kernel)
                && names(&listed.guest, guest)
                && listed.hidden == hidden
                && (slash || !listed.slash)
        });
        if let Some(listed) = found {
            listed.uses.set(listed.uses.get() + 1);
        }
        found.is_some()
    }
}

/// Whether a list, separated by spaces, has a name; `all` has every one.
fn names(list: &str, name: &str) -> bool {
    list.split(' ')
        .any(|listed| listed == name || listed == "all")
}
