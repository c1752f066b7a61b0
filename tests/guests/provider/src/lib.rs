//! Provides a database: its leader makes a secret with the password for each
//! relation, grants it, and names itself as the primary.

use charmhost::hook_tool;
use charmhost::prelude::*;

struct Provider;

impl Charm for Provider {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.leader_elected(Self::on_leader_elected);
        on.secret_remove(Self::on_secret_remove);
        on.action("rotate", Self::on_rotate);
        on.relation("database")
            .created(Self::on_created)
            .changed(Self::on_changed)
            .departed(Self::on_departed)
            .broken(Self::on_broken);
        on.collect_unit_status(Self::on_collect_status);
        Ok(Provider)
    }
}

impl Provider {
    fn on_created(&self, event: RelationCreatedEvent) -> Result<()> {
        publish(&event.relation())
    }

    /// A new leader takes over; the secrets are the application's.
    fn on_leader_elected(&self, _event: LeaderElectedEvent) -> Result<()> {
        relations("database")?.iter().try_for_each(publish)
    }

    fn on_changed(&self, event: RelationChangedEvent) -> Result<()> {
        if let Some(unit) = &event.unit {
            let data = event.relation().remote_unit_data(unit)?;
            let user = data.get("user").map_or("nobody", String::as_str);
            log::info!("{unit} is user {user}");
        }
        Ok(())
    }

    fn on_departed(&self, event: RelationDepartedEvent) -> Result<()> {
        log::info!(
            "gone: {:?}, leaving: {:?}",
            event.unit,
            event.departing_unit
        );
        Ok(())
    }

    fn on_broken(&self, _event: RelationBrokenEvent) -> Result<()> {
        log::info!("broken");
        Ok(())
    }

    fn on_rotate(&self, _event: ActionEvent) -> Result<()> {
        for relation in relations("database")? {
            if let Some(uri) = relation.app_data()?.get("secret") {
                tool("secret-set", &[uri, "password=second-password"])?;
            }
        }
        Ok(())
    }

    fn on_secret_remove(&self, event: SecretRemoveEvent) -> Result<()> {
        let revision = event.revision.to_string();
        tool("secret-remove", &[&event.id, "--revision", &revision])?;
        log::info!("removed revision {revision}");
        Ok(())
    }

    fn on_collect_status(&self, event: CollectStatusEvent) -> Result<()> {
        event.add_status(Status::active(""))
    }
}

/// Names this unit as the primary, if it leads, with the secret of the password.
fn publish(relation: &Relation) -> Result<()> {
    if !unit().is_leader()? {
        return Ok(());
    }
    if !relation.app_data()?.contains_key("secret") {
        let label = format!("password-{}", relation.id());
        let uri = tool(
            "secret-add",
            &["--label", &label, "password=first-password"],
        )?;
        let id = relation.id().to_string();
        tool("secret-grant", &[&uri, "--relation", &id])?;
        relation.set_app_data([("secret", uri)])?;
    }
    relation.set_app_data([("primary", context().unit_name)])
}

/// What a hook tool prints.
fn tool(name: &str, args: &[&str]) -> Result<String> {
    let output = hook_tool(name, args, None)?;
    if output.exit_code != 0 {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::msg(format!("{name} failed: {text}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

charmhost::main!(Provider);
