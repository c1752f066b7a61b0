//! Secrets of the model, with those who read them.

use std::collections::{BTreeMap, BTreeSet};

use crate::secret_view::{Content, Grant, SecretOwner, SecretView};

/// Who owns a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// An application; its leader manages the secret.
    App(String),
    /// A unit.
    Unit(String),
}

/// A secret.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Its owner.
    pub owner: Owner,
    /// The owner's label.
    pub label: String,
    /// The owner's description.
    pub description: String,
    /// The rotation policy, for example `daily`; none is `never`.
    pub rotate: Option<String>,
    /// When it expires: RFC 3339.
    pub expire: Option<String>,
    /// When it is due for rotation: RFC 3339.
    pub rotates: Option<String>,
    /// The content of each revision.
    pub revisions: BTreeMap<u32, Content>,
    /// The number that the newest revision has or had.
    pub latest: u32,
    /// The grants in relations.
    pub grants: Vec<Grant>,
    /// Applications and units that may read it without a grant in a relation.
    pub readers: BTreeSet<String>,
    /// The units that track a revision of it, by name.
    pub consumers: BTreeMap<String, Consumer>,
    /// The revisions whose `secret-remove` ran.
    pub removals_reported: BTreeSet<u32>,
}

/// A unit that reads a secret.
#[derive(Debug, Clone, Default)]
pub struct Consumer {
    /// The revision that it reads without `--refresh`.
    pub tracked: u32,
    /// The label that it gave the secret.
    pub label: Option<String>,
    /// The newest revision for which its `secret-changed` ran.
    pub reported: u32,
}

impl Secret {
    /// Whether a unit of an application owns it: the unit itself, or through its
    /// application.
    pub fn is_owned_by(&self, unit: &str, app: &str) -> bool {
        match &self.owner {
            Owner::App(owner) => owner == app,
            Owner::Unit(owner) => owner == unit,
        }
    }

    /// The application that owns it, or whose unit does.
    pub fn owner_app(&self) -> &str {
        match &self.owner {
            Owner::App(app) => app,
            Owner::Unit(unit) => unit.split('/').next().unwrap_or_default(),
        }
    }

    /// The owner as a unit of an application sees it.
    fn owner_for(&self, unit: &str, app: &str) -> SecretOwner {
        match &self.owner {
            Owner::App(owner) if owner == app => SecretOwner::App,
            Owner::Unit(owner) if owner == unit => SecretOwner::Unit,
            Owner::App(owner) | Owner::Unit(owner) => SecretOwner::Remote(owner.clone()),
        }
    }

    /// The secret as a unit of an application sees it. A unit that has not read
    /// it yet will track the newest revision.
    pub fn view(&self, id: &str, unit: &str, app: &str, readable: bool) -> SecretView {
        let consumer = self.consumers.get(unit);
        SecretView {
            id: id.to_owned(),
            owner: self.owner_for(unit, app),
            label: self.label.clone(),
            description: self.description.clone(),
            rotate: self.rotate.clone(),
            expire: self.expire.clone(),
            rotates: self.rotates.clone(),
            revisions: self.revisions.clone(),
            latest: self.latest,
            grants: self.grants.clone(),
            tracked: consumer.map_or(self.latest, |consumer| consumer.tracked),
            consumer_label: consumer.and_then(|consumer| consumer.label.clone()),
            is_consumed: consumer.is_some(),
            readable,
        }
    }

    /// A secret with its first revision.
    pub fn new(owner: Owner, content: Content) -> Self {
        Secret {
            owner,
            label: String::new(),
            description: String::new(),
            rotate: None,
            expire: None,
            rotates: None,
            revisions: BTreeMap::from([(1, content)]),
            latest: 1,
            grants: Vec::new(),
            readers: BTreeSet::new(),
            consumers: BTreeMap::new(),
            removals_reported: BTreeSet::new(),
        }
    }

    /// Adds a revision, unless it holds what the newest one holds (juju §3.3).
    pub fn add_revision(&mut self, content: Content) {
        if self.revisions.get(&self.latest) != Some(&content) {
            self.latest += 1;
            self.revisions.insert(self.latest, content);
        }
    }

    /// Takes over what its owner changed.
    pub fn update(&mut self, view: &SecretView) {
        self.label.clone_from(&view.label);
        self.description.clone_from(&view.description);
        self.rotate.clone_from(&view.rotate);
        self.expire.clone_from(&view.expire);
        self.rotates.clone_from(&view.rotates);
        self.revisions.clone_from(&view.revisions);
        self.latest = view.latest;
        self.grants.clone_from(&view.grants);
    }

    /// Takes over what a unit tracks.
    pub fn track(&mut self, unit: &str, view: &SecretView) {
        let consumer = self.consumers.entry(unit.to_owned()).or_default();
        consumer.tracked = view.tracked;
        consumer.label.clone_from(&view.consumer_label);
        consumer.reported = consumer.reported.max(view.tracked);
    }

    /// The oldest revision that nobody but its owner tracks any more and whose
    /// removal was not reported yet.
    pub fn removable(&self) -> Option<u32> {
        let owner = self.owner_app();
        let is_owner = |unit: &str| match &self.owner {
            Owner::App(_) => unit.split('/').next() == Some(owner),
            Owner::Unit(name) => name == unit,
        };
        let is_tracked = |revision: u32| {
            let others = self.consumers.iter().filter(|(unit, _)| !is_owner(unit));
            others
                .into_iter()
                .any(|(_, consumer)| consumer.tracked == revision)
        };
        let mut older = self.revisions.keys().copied();
        older.find(|revision| {
            *revision < self.latest
                && !is_tracked(*revision)
                && !self.removals_reported.contains(revision)
        })
    }
}
