//! What one unit sees of the controller.

use super::Controller;
use super::relation::Relation;
use super::unit::{RelationProgress, Unit};
use crate::relation_view::RelationView;
use crate::unit_view::UnitView;

impl Controller {
    /// What a unit knows at the start of a hook; none if it has no agent.
    pub fn view(&self, name: &str) -> Option<UnitView> {
        let unit = self.units.get(name)?;
        let app = self.applications.get(&unit.app)?;
        let relations = unit.agent.relations.iter().filter_map(|(id, progress)| {
            let relation = self.relations.get(id)?;
            Some((*id, self.relation_view(name, unit, relation, progress)?))
        });
        let secrets = self.secrets.iter().map(|(id, secret)| {
            let readable = self.may_read(name, &unit.app, secret);
            (id.clone(), secret.view(id, name, &unit.app, readable))
        });
        let others = self.units_of(&unit.app).into_iter();
        let others = others.filter(|other| other != name).filter_map(|other| {
            let status = self.units.get(&other)?.shown_status();
            Some((other, status))
        });
        Some(UnitView {
            name: self.model_name.clone(),
            uuid: self.model_uuid.clone(),
            juju_version: self.juju_version.clone(),
            app: unit.app.clone(),
            unit: name.to_owned(),
            kubernetes: app.kubernetes,
            leader: app.leader.as_deref() == Some(name),
            endpoints: app.endpoints.keys().cloned().collect(),
            config: app.config.clone(),
            unit_status: unit.status.clone(),
            app_status: app.status.clone(),
            status_was_set: unit.status_was_set,
            failed_hook: unit
                .agent
                .failed_hook
                .as_ref()
                .map(|hook| hook.event_name()),
            ports: unit.ports.clone(),
            workload_version: unit.workload_version.clone(),
            state: unit.state.clone(),
            relations: relations.collect(),
            secrets: secrets.collect(),
            secret_ids: self.secret_ids,
            storages: unit.storages.clone(),
            storage_requests: unit.storage_requests.clone(),
            resources: unit.resources.clone(),
            networks: unit.networks.clone(),
            planned: self.planned_units(&unit.app),
            other_units: others.collect(),
            cloud_spec: app.cloud_spec.clone(),
            leader_settings: app.leader_settings.clone(),
            principal: unit.principal.clone(),
            reboot: unit.reboot,
        })
    }

    /// The names of the units that an application shall have (`goal-state`).
    fn planned_units(&self, app: &str) -> Vec<String> {
        let planned = self.applications.get(app).and_then(|app| app.planned_units);
        match planned {
            Some(count) => (0..count).map(|number| format!("{app}/{number}")).collect(),
            None => {
                let stays = |name: &String| {
                    let unit = self.units.get(name);
                    unit.is_some_and(|unit| !unit.agent.is_dying)
                };
                self.units_of(app).into_iter().filter(stays).collect()
            }
        }
    }

    fn relation_view(
        &self,
        name: &str,
        unit: &Unit,
        relation: &Relation,
        progress: &RelationProgress,
    ) -> Option<RelationView> {
        let local = relation.side(&unit.app)?;
        let remote = relation.remote_side(&unit.app)?;
        let is_peer = relation.is_peer();
        // Of a unit with an agent, this one knows nothing before it has joined.
        let is_known =
            |other: &str| !self.units.contains_key(other) || progress.members.contains_key(other);
        let members = remote.members.iter();
        let members = members.filter(|(other, _)| *other != name && is_known(other));
        let members = members.map(|(other, member)| (other.clone(), member.data.bag.clone()));
        let own = local.members.get(name);
        Some(RelationView {
            id: relation.id,
            endpoint: local.endpoint.clone(),
            interface: relation.interface.clone(),
            remote_app: remote.app.clone(),
            remote_app_data: match is_peer {
                true => Default::default(),
                false => remote.app_data.bag.clone(),
            },
            remote_units_data: members.collect(),
            local_app_data: local.app_data.bag.clone(),
            local_unit_data: own
                .map(|member| member.data.bag.clone())
                .unwrap_or_default(),
            remote_model_uuid: relation.remote_model_uuid.clone(),
            broken: progress.is_broken,
            peer: is_peer,
        })
    }
}
