//! Committing what a hook changed.

use super::Controller;
use super::secret::{Owner, Secret};
use crate::relation_view::RelationView;
use crate::secret_view::{Content, SecretOwner};
use crate::unit_view::UnitView;

impl Controller {
    /// Takes over what a hook left in the view of its unit: everything that the
    /// unit may write (juju §4). What belongs to the application counts only if
    /// the unit led at the start of the hook.
    pub fn commit(&mut self, view: UnitView) {
        self.secret_ids = self.secret_ids.max(view.secret_ids);
        self.commit_secrets(&view);
        for relation in view.relations.values() {
            self.commit_relation(&view, relation);
        }
        if let Some(app) = self.applications.get_mut(&view.app)
            && view.leader
        {
            app.status = view.app_status;
            if app.leader_settings != view.leader_settings {
                app.leader_settings = view.leader_settings;
                app.leader_settings_version += 1;
            }
        }
        let Some(unit) = self.units.get_mut(&view.unit) else {
            return;
        };
        unit.status = view.unit_status;
        unit.status_was_set = view.status_was_set;
        unit.ports = view.ports;
        unit.workload_version = view.workload_version;
        unit.state = view.state;
        unit.storage_requests = view.storage_requests;
        unit.reboot = view.reboot;
        // A leader has seen the settings that it made itself.
        let version = self.applications.get(&view.app);
        let version = version.map(|app| app.leader_settings_version);
        if let Some(version) = version.filter(|_| view.leader) {
            unit.agent.leader_settings_version = version;
        }
    }

    fn commit_relation(&mut self, view: &UnitView, changed: &RelationView) {
        let Some(relation) = self.relations.get_mut(&changed.id) else {
            return;
        };
        let is_peer = relation.is_peer();
        let Some(side) = relation.side_mut(&view.app) else {
            return;
        };
        if let Some(member) = side.members.get_mut(&view.unit) {
            member.data.replace(changed.local_unit_data.clone());
        }
        if !view.leader {
            return;
        }
        side.app_data.replace(changed.local_app_data.clone());
        let version = side.app_data.version;
        // A leader gets no relation-changed for what it wrote itself.
        let unit = self.units.get_mut(&view.unit);
        let progress = unit.and_then(|unit| unit.agent.relations.get_mut(&changed.id));
        if let Some(progress) = progress.filter(|_| is_peer) {
            progress.app_version = version;
        }
    }

    fn commit_secrets(&mut self, view: &UnitView) {
        let is_removed = |id: &String, secret: &Secret| {
            let writes = match &secret.owner {
                Owner::App(app) => view.leader && *app == view.app,
                Owner::Unit(unit) => *unit == view.unit,
            };
            writes && !view.secrets.contains_key(id)
        };
        self.secrets.retain(|id, secret| !is_removed(id, secret));
        for (id, changed) in &view.secrets {
            let owner = match changed.owner {
                SecretOwner::App => Owner::App(view.app.clone()),
                SecretOwner::Unit => Owner::Unit(view.unit.clone()),
                SecretOwner::Remote(_) => {
                    if let Some(secret) = self.secrets.get_mut(id)
                        && changed.is_consumed
                    {
                        secret.track(&view.unit, changed);
                    }
                    continue;
                }
            };
            let writes = view.leader || changed.owner == SecretOwner::Unit;
            let secret = self.secrets.entry(id.clone());
            let secret = secret.or_insert_with(|| Secret::new(owner, Content::default()));
            if writes {
                secret.update(changed);
            }
            if changed.is_consumed {
                secret.track(&view.unit, changed);
            }
        }
    }
}
