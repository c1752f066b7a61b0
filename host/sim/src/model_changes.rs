//! Changes of the model between two events of a unit, by an operator or by
//! made-up applications.

use charmhost_sim_model::{Content, Controller, update};

use crate::Error;
use crate::event::Change;
use crate::scenario::build;

/// Applies a change to the model around a unit. Changes of containers and storage
/// are not applied here.
pub fn apply(controller: &mut Controller, unit: &str, change: Change) -> Result<(), Error> {
    let app = build::app_of(unit);
    match change {
        Change::Config(config) => build::configure(controller, app, &config)?,
        Change::Leader(leads) => {
            controller.application_mut(app)?.leader = leads.then(|| unit.to_owned());
        }
        Change::Resolved => controller.unit_mut(unit)?.agent.failed_hook = None,
        Change::NewRelation(spec) => build::add_relation(&spec, controller, unit)?,
        Change::SecretRevision { secret, content } => {
            if let Some(secret) = controller.secrets.get_mut(&secret) {
                secret.add_revision(Content::text(build::plain(&content)));
            }
        }
        Change::Breaking { relation } => {
            if let Some(relation) = controller.relations.get_mut(&relation) {
                relation.is_dying = true;
            }
            let progress = controller
                .unit_mut(unit)?
                .agent
                .relations
                .get_mut(&relation);
            if let Some(progress) = progress {
                progress.is_broken = true;
            }
        }
        Change::RemoteUnit { .. } | Change::RemoteApp { .. } | Change::RemoteUnitGone { .. } => {
            change_remote_side(controller, app, change);
        }
        Change::StartContainer { .. }
        | Change::RestartContainer { .. }
        | Change::NewPod
        | Change::Notify { .. }
        | Change::Storage { .. } => {}
    }
    Ok(())
}

/// Changes what the made-up side of a relation has in its databags.
fn change_remote_side(controller: &mut Controller, app: &str, change: Change) {
    let (Change::RemoteUnit { relation: id, .. }
    | Change::RemoteApp { relation: id, .. }
    | Change::RemoteUnitGone { relation: id, .. }) = &change
    else {
        return;
    };
    let relation = controller.relations.get_mut(id);
    let Some(side) = relation.and_then(|relation| relation.remote_side_mut(app)) else {
        return;
    };
    match change {
        Change::RemoteUnit { unit, data, .. } => {
            let member = side.members.entry(unit).or_default();
            update(&mut member.data.bag, data.iter().flat_map(build::plain));
        }
        Change::RemoteApp { data, .. } => update(&mut side.app_data.bag, build::plain(&data)),
        Change::RemoteUnitGone { unit, .. } => drop(side.members.remove(&unit)),
        _ => {}
    }
}
