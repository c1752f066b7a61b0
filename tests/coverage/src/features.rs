//! The list of features in `features.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Number of features in each group.
const GROUPS: [(char, usize); 18] = [
    ('A', 9),
    ('B', 17),
    ('C', 9),
    ('D', 21),
    ('E', 7),
    ('F', 12),
    ('G', 19),
    ('H', 15),
    ('I', 12),
    ('J', 14),
    ('K', 10),
    ('L', 8),
    ('M', 5),
    ('N', 21),
    ('O', 14),
    ('P', 15),
    ('Q', 30),
    ('R', 4),
];

/// A feature of ops.
pub struct Feature {
    /// Its group and number, for example `K5`.
    pub id: String,
    /// Its name in ops.
    pub name: String,
    pub state: State,
}

/// Whether the Rust SDK has a feature.
pub enum State {
    /// This test of the black-box suite shows it.
    Tested(String),
    /// It can be used through raw hook tools only.
    Raw(String),
    /// It makes no sense for a charm in Rust, for this reason.
    DoesNotApply(String),
    /// The SDK lacks it, or no test shows it.
    Open,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    test: Option<String>,
    raw: Option<String>,
    reason: Option<String>,
}

/// The features, by group and number.
pub struct Features(Vec<Feature>);

impl Features {
    /// Reads the list that is part of this program.
    pub fn load() -> Result<Self> {
        let parsed = charmhost_yaml::parse(include_str!("../features.yaml"))
            .context("cannot read features.yaml")?;
        let mut entries: BTreeMap<String, Entry> = serde_json::from_value(parsed)?;
        let mut features = Vec::new();
        for (group, count) in GROUPS {
            for number in 1..=count {
                let id = format!("{group}{number}");
                let entry = entries
                    .remove(&id)
                    .with_context(|| format!("features.yaml lacks {id}"))?;
                features.push(entry.feature(id)?);
            }
        }
        let unknown: Vec<String> = entries.into_keys().collect();
        anyhow::ensure!(unknown.is_empty(), "unknown features: {unknown:?}");
        Ok(Features(features))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Feature> {
        self.0.iter()
    }

    /// The tests that show features.
    pub fn tests(&self) -> BTreeSet<&str> {
        self.0.iter().filter_map(Feature::test).collect()
    }
}

impl Feature {
    fn test(&self) -> Option<&str> {
        match &self.state {
            State::Tested(test) => Some(test),
            _ => None,
        }
    }
}

impl Entry {
    fn feature(self, id: String) -> Result<Feature> {
        let state = match (self.test, self.raw, self.reason) {
            (Some(test), None, None) => State::Tested(test),
            (None, Some(raw), None) => State::Raw(raw),
            (None, None, Some(reason)) => State::DoesNotApply(reason),
            (None, None, None) => State::Open,
            _ => anyhow::bail!("{id} has more than one of test, raw and reason"),
        };
        Ok(Feature {
            id,
            name: self.name,
            state,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most features that one test can show.
    const MOST_PER_TEST: usize = 3;

    fn share(is: fn(&State) -> bool) -> f64 {
        let features = Features::load().unwrap();
        let of_kind = features.iter().filter(|row| is(&row.state)).count();
        of_kind as f64 / features.iter().count() as f64
    }

    #[test]
    fn few_features_are_raw_or_do_not_apply() {
        assert!(share(|state| matches!(state, State::Raw(_))) <= 0.05);
        assert!(share(|state| matches!(state, State::DoesNotApply(_))) <= 0.3);
    }

    #[test]
    fn a_test_shows_few_features() {
        let features = Features::load().unwrap();
        let mut shown: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for feature in features.iter() {
            if let Some(test) = feature.test() {
                shown.entry(test).or_default().push(&feature.id);
            }
        }
        shown.retain(|_, ids| ids.len() > MOST_PER_TEST);
        assert!(shown.is_empty(), "{shown:?}");
    }
}
