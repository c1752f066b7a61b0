//! Changes of secrets in one hook, which are committed together when it succeeds
//! (juju §4).

use std::collections::{BTreeMap, BTreeSet};

use crate::secret_view::{Content, Grant, SecretOwner, SecretView};
use crate::unit_view::UnitView;

/// New metadata and content of a secret; what is `None` stays.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SecretUpdate {
    /// The owner's label.
    pub label: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The rotation policy.
    pub rotate: Option<String>,
    /// The time of expiry: RFC 3339.
    pub expire: Option<String>,
    /// The content of a new revision.
    pub content: Option<Content>,
}

impl SecretUpdate {
    /// Adds a later update, which wins.
    fn merge(&mut self, later: SecretUpdate) {
        let SecretUpdate {
            label,
            description,
            rotate,
            expire,
            content,
        } = later;
        self.label = label.or(self.label.take());
        self.description = description.or(self.description.take());
        self.rotate = rotate.or(self.rotate.take());
        self.expire = expire.or(self.expire.take());
        self.content = content.or(self.content.take());
    }

    /// Changes what is described of a secret: all but its content.
    fn describe(&self, secret: &mut SecretView) {
        if let Some(label) = &self.label {
            secret.label.clone_from(label);
        }
        if let Some(description) = &self.description {
            secret.description.clone_from(description);
        }
        if self.rotate.is_some() {
            secret.rotate.clone_from(&self.rotate);
        }
        if self.expire.is_some() {
            secret.expire.clone_from(&self.expire);
        }
    }
}

/// Which grants `secret-revoke` takes back: those that have all that is given.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The relation in whose scope the grant is.
    pub relation: Option<u32>,
    /// The application of the other side.
    pub app: Option<String>,
    /// A unit of the other side.
    pub unit: Option<String>,
}

impl Revocation {
    fn covers(&self, grant: &Grant, view: &UnitView) -> bool {
        let relation = view.relations.get(&grant.relation);
        let app = relation.map(|relation| &relation.remote_app);
        self.relation.is_none_or(|id| id == grant.relation)
            && (self.app.is_none() || self.app.as_ref() == app)
            && (self.unit.is_none() || self.unit == grant.unit)
    }
}

#[derive(Debug, Clone)]
enum Access {
    Granted(Grant),
    Revoked(Revocation),
}

/// All changes of secrets of one hook.
#[derive(Debug, Default, Clone)]
pub struct SecretChanges {
    made: BTreeMap<String, SecretView>,
    updates: BTreeMap<String, SecretUpdate>,
    /// In the order of the calls.
    access: Vec<(String, Access)>,
    /// Secrets whose new revision this unit tracks.
    refreshed: BTreeSet<String>,
    /// The revisions to remove; none for the whole secret.
    removals: BTreeMap<String, BTreeSet<u32>>,
}

impl SecretChanges {
    /// Makes a secret.
    ///
    /// # Errors
    ///
    /// Another one that the same hook made has the label.
    pub fn make(&mut self, secret: SecretView) -> Result<(), String> {
        let label = &secret.label;
        if !label.is_empty() && self.made.values().any(|other| other.label == *label) {
            return Err(label_exists(label));
        }
        self.made.insert(secret.id.clone(), secret);
        Ok(())
    }

    /// Updates a secret. All updates of one secret become a single revision.
    pub fn update(&mut self, id: &str, update: SecretUpdate) {
        let Some(secret) = self.made.get_mut(id) else {
            return self.updates.entry(id.to_owned()).or_default().merge(update);
        };
        update.describe(secret);
        if let Some(content) = update.content {
            secret.revisions.insert(secret.latest, content);
        }
    }

    /// Removes a revision of a secret, or the whole secret.
    pub fn remove(&mut self, id: &str, revision: Option<u32>) {
        if let Some(made) = self.made.get(id) {
            if revision.is_none_or(|revision| revision == made.latest) {
                self.made.remove(id);
                self.access.retain(|(of, _)| of != id);
            }
            return;
        }
        match (revision, self.removals.get_mut(id)) {
            (None, _) => drop(self.removals.insert(id.to_owned(), BTreeSet::new())),
            (Some(revision), None) => {
                let revisions = BTreeSet::from([revision]);
                self.removals.insert(id.to_owned(), revisions);
            }
            // The whole secret goes already.
            (Some(_), Some(revisions)) if revisions.is_empty() => {}
            (Some(revision), Some(revisions)) => drop(revisions.insert(revision)),
        }
    }

    /// Grants a secret.
    pub fn grant(&mut self, id: &str, grant: Grant) {
        self.access.push((id.to_owned(), Access::Granted(grant)));
    }

    /// Takes grants of a secret back.
    pub fn revoke(&mut self, id: &str, which: Revocation) {
        self.access.push((id.to_owned(), Access::Revoked(which)));
    }

    /// Makes this unit track the revision that this hook adds.
    pub fn refresh(&mut self, id: &str) {
        self.refreshed.insert(id.to_owned());
    }

    /// A secret that this hook made.
    pub fn made(&self, id: &str) -> Option<&SecretView> {
        self.made.get(id)
    }

    /// The same secret, to change how this unit reads it.
    pub fn made_mut(&mut self, id: &str) -> Option<&mut SecretView> {
        self.made.get_mut(id)
    }

    /// The content that this hook set for a committed secret.
    pub fn content(&self, id: &str) -> Option<&Content> {
        self.updates.get(id)?.content.as_ref()
    }

    /// The contents of all secrets that this hook made or changed.
    pub fn contents(&self) -> impl Iterator<Item = &Content> {
        let made = self.made.values();
        let made = made.flat_map(|secret| secret.revisions.values());
        let updated = self.updates.values();
        made.chain(updated.filter_map(|update| update.content.as_ref()))
    }

    /// The secrets that the agent knows as an owner: those of the unit, and for
    /// a leader those of the application. Labels, descriptions, rotation and
    /// expiry are those that the hook set; revisions and access are the
    /// committed ones. Secrets that the hook removes are left out.
    pub fn owned(&self, view: &UnitView) -> BTreeMap<String, SecretView> {
        let known = |secret: &SecretView| match secret.owner {
            SecretOwner::Unit => true,
            SecretOwner::App => view.leader,
            SecretOwner::Remote(_) => false,
        };
        let mut owned = self.described(view);
        owned.retain(|_, secret| known(secret));
        owned
    }

    /// The secrets of the application and of the unit, with the metadata that
    /// they will have.
    fn described(&self, view: &UnitView) -> BTreeMap<String, SecretView> {
        let committed = view.secrets.iter();
        let own = committed.filter(|(id, secret)| {
            let removed = self.removals.get(*id).is_some_and(BTreeSet::is_empty);
            secret.is_own() && !removed
        });
        let mut described = self.made.clone();
        for (id, secret) in own {
            let mut secret = secret.clone();
            if let Some(update) = self.updates.get(id) {
                update.describe(&mut secret);
            }
            described.insert(id.clone(), secret);
        }
        described
    }

    /// Checks what the controller checks when the hook has succeeded.
    ///
    /// # Errors
    ///
    /// The reason why it rejects the changes; the hook fails with it.
    pub fn check(&self, view: &UnitView) -> Result<(), String> {
        let access = self.access.iter().map(|(id, _)| id);
        let changed = self.updates.keys().chain(access);
        for id in changed.chain(self.removals.keys()) {
            let owner = |secret: &SecretView| secret.owner.clone();
            let found = self.made.get(id).or_else(|| view.secrets.get(id));
            let reason = match found.map(owner) {
                Some(SecretOwner::Unit) => continue,
                Some(SecretOwner::App) if view.leader => continue,
                Some(_) => "permission denied".to_owned(),
                None => format!("secret {id:?} not found"),
            };
            return Err(format!("cannot change secret {id:?}: {reason}"));
        }
        self.check_labels(view)
    }

    fn check_labels(&self, view: &UnitView) -> Result<(), String> {
        let made = self.made.values().map(|secret| &secret.label);
        let updates = self.updates.values();
        let mut new = made.chain(updates.filter_map(|update| update.label.as_ref()));
        let own = self.described(view);
        let is_twice = |label: &&String| {
            let same = own.values().filter(|secret| secret.label == **label);
            !label.is_empty() && same.count() > 1
        };
        match new.find(is_twice) {
            Some(label) => Err(label_exists(label)),
            None => Ok(()),
        }
    }

    /// Commits the changes.
    pub fn apply(self, view: &mut UnitView) {
        view.secrets.extend(self.made);
        for (id, update) in self.updates {
            if let Some(secret) = view.secrets.get_mut(&id) {
                update.describe(secret);
                if let Some(content) = update.content {
                    secret.add_revision(content);
                }
            }
        }
        for id in self.refreshed {
            if let Some(secret) = view.secrets.get_mut(&id) {
                secret.tracked = secret.latest;
            }
        }
        for (id, access) in self.access {
            let Some(mut secret) = view.secrets.remove(&id) else {
                continue;
            };
            match access {
                Access::Granted(grant) if secret.grants.contains(&grant) => {}
                Access::Granted(grant) => secret.grants.push(grant),
                Access::Revoked(which) => {
                    let stays = |grant: &Grant| !which.covers(grant, view);
                    secret.grants.retain(stays);
                }
            }
            view.secrets.insert(id, secret);
        }
        for (id, revisions) in self.removals {
            let Some(secret) = view.secrets.get_mut(&id) else {
                continue;
            };
            secret
                .revisions
                .retain(|number, _| !revisions.contains(number));
            if revisions.is_empty() || secret.revisions.is_empty() {
                view.secrets.remove(&id);
            }
        }
    }
}

fn label_exists(label: &str) -> String {
    format!("secret with label {label:?} already exists")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Hook;
    use crate::hook_context::HookContext;
    use crate::relation_view::RelationView;

    const APP: &str = "9m4e2mr0ui3e8a215n4g";
    const UNIT: &str = "9m4e2mr0ui3e8a215n60";
    const REMOTE: &str = "9m4e2mr0ui3e8a215n50";

    fn content(value: &str) -> Content {
        Content::text([("token", value)])
    }

    fn of_content(value: &str) -> SecretUpdate {
        SecretUpdate {
            content: Some(content(value)),
            ..SecretUpdate::default()
        }
    }

    fn of_label(label: &str) -> SecretUpdate {
        SecretUpdate {
            label: Some(label.to_owned()),
            ..SecretUpdate::default()
        }
    }

    fn view(leader: bool) -> UnitView {
        let remote = SecretOwner::Remote("pg".to_owned());
        let owners = [
            (APP, SecretOwner::App),
            (UNIT, SecretOwner::Unit),
            (REMOTE, remote),
        ];
        let secrets = owners.map(|(id, owner)| {
            let mut secret = SecretView::new(id, owner, content("old"));
            secret.label = format!("label of {id}");
            (id.to_owned(), secret)
        });
        let relation = RelationView {
            id: 7,
            remote_app: "pg".to_owned(),
            ..RelationView::default()
        };
        UnitView {
            leader,
            secrets: secrets.into(),
            relations: [(7, relation)].into(),
            ..UnitView::default()
        }
    }

    fn committed(
        view: UnitView,
        change: impl FnOnce(&mut SecretChanges),
    ) -> Result<UnitView, String> {
        let mut hook = Hook::new(view, HookContext::Plain);
        change(hook.secret_changes_mut());
        let (view, _, accepted) = hook.end(true);
        accepted.map(|()| view)
    }

    #[test]
    fn updates_of_a_hook_are_one_revision() {
        let view = committed(view(true), |changes| {
            changes.update(APP, of_content("a"));
            changes.update(APP, of_label("new"));
            changes.update(APP, of_content("b"));
            changes
                .make(SecretView::new("made", SecretOwner::Unit, content("c")))
                .unwrap();
            changes.update("made", of_content("d"));
        });
        let view = view.unwrap();
        let app = &view.secrets[APP];
        assert_eq!((app.label.as_str(), app.latest, app.tracked), ("new", 2, 1));
        assert_eq!(app.revisions[&2], content("b"));
        assert_eq!(view.secrets["made"].revisions, [(1, content("d"))].into());
    }

    #[test]
    fn the_controller_rejects_what_this_unit_may_not_change() {
        type Change = fn(&mut SecretChanges, &str);
        let changes: [Change; 3] = [
            |changes, id| changes.update(id, of_content("new")),
            |changes, id| changes.remove(id, None),
            |changes, id| changes.revoke(id, Revocation::default()),
        ];
        for (leader, id, wanted) in [
            (true, APP, None),
            (true, UNIT, None),
            (false, UNIT, None),
            (false, APP, Some("permission denied")),
            (true, REMOTE, Some("permission denied")),
            (true, "other", Some("secret \"other\" not found")),
        ] {
            for change in changes {
                let accepted = committed(view(leader), |changes| change(changes, id));
                let wanted = wanted.map(|why| format!("cannot change secret {id:?}: {why}"));
                assert_eq!(accepted.err(), wanted, "{leader} {id}");
            }
        }
    }

    #[test]
    fn an_owner_is_known_by_what_the_hook_set_but_content_and_access() {
        let mut changes = SecretChanges::default();
        changes.update(APP, of_content("new"));
        changes.update(APP, of_label("new"));
        let grant = Grant {
            relation: 7,
            unit: None,
        };
        changes.grant(APP, grant);
        changes.remove(UNIT, None);
        let owned = changes.owned(&view(true));
        assert_eq!(owned.keys().collect::<Vec<_>>(), [APP]);
        let app = &owned[APP];
        assert_eq!((app.label.as_str(), app.latest), ("new", 1));
        assert!(app.grants.is_empty());
        assert!(changes.owned(&view(false)).is_empty());
    }

    #[test]
    fn grants_and_revocations_count_in_their_order() {
        let grant = |unit: Option<&str>| Grant {
            relation: 7,
            unit: unit.map(str::to_owned),
        };
        let of_app = |app: &str| Revocation {
            app: Some(app.to_owned()),
            ..Revocation::default()
        };
        let view = committed(view(true), |changes| {
            changes.grant(APP, grant(None));
            changes.revoke(APP, of_app("pg"));
            changes.grant(APP, grant(Some("pg/0")));
            changes.grant(APP, grant(Some("pg/0")));
            changes.revoke(APP, of_app("mysql"));
        });
        let grants = &view.unwrap().secrets[APP].grants;
        assert_eq!(*grants, [grant(Some("pg/0"))]);
    }

    #[test]
    fn a_revision_or_the_whole_secret_is_removed() {
        let removed = |revision| {
            let mut view = view(true);
            let app = view.secrets.get_mut(APP).unwrap();
            app.add_revision(content("new"));
            let view = committed(view, |changes| changes.remove(APP, revision)).unwrap();
            let app = view.secrets.get(APP);
            app.map(|app| app.revisions.keys().copied().collect::<Vec<_>>())
        };
        assert_eq!(removed(Some(1)), Some(vec![2]));
        assert_eq!(removed(Some(9)), Some(vec![1, 2]));
        assert_eq!(removed(None), None);
        let made = |revision| {
            let committed = committed(view(true), |changes| {
                changes
                    .make(SecretView::new("made", SecretOwner::Unit, content("c")))
                    .unwrap();
                changes.remove("made", revision);
            });
            committed.unwrap().secrets.contains_key("made")
        };
        assert_eq!([None, Some(1), Some(2)].map(made), [false, false, true]);
    }

    #[test]
    fn a_label_is_of_one_secret() {
        let mut changes = SecretChanges::default();
        let made = |id: &str, label: &str| {
            let mut secret = SecretView::new(id, SecretOwner::Unit, content("c"));
            secret.label = label.to_owned();
            secret
        };
        let exists = |label: &str| Err(format!("secret with label {label:?} already exists"));
        assert_eq!(changes.make(made("a", "l")), Ok(()));
        assert_eq!(changes.make(made("b", "l")), exists("l"));
        assert_eq!(changes.make(made("c", "")), Ok(()));
        assert_eq!(changes.make(made("d", "")), Ok(()));
        // Labels of older secrets are found only by the controller.
        let taken = format!("label of {UNIT}");
        for update in [
            (|changes, label| changes.make(label)) as fn(&mut SecretChanges, SecretView) -> _,
            |changes, secret| {
                changes.update(APP, of_label(&secret.label));
                Ok(())
            },
        ] {
            let accepted = committed(view(true), |changes| {
                update(changes, made("a", &taken)).unwrap();
            });
            assert_eq!(accepted.map(drop), exists(&taken));
        }
    }

    #[test]
    fn a_refreshed_reader_tracks_the_new_revision_when_it_is_there() {
        let view = committed(view(true), |changes| {
            changes.update(UNIT, of_content("new"));
            changes.refresh(UNIT);
        });
        assert_eq!(view.unwrap().secrets[UNIT].tracked, 2);
    }
}
