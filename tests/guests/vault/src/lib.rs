//! Uses secrets, networks and the goal state: the action `run` performs steps
//! and logs the result of each; every event of a secret does what its owner or
//! reader usually does. Values are logged, so this is for tests only.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use charmhost::prelude::*;
use charmhost::{
    Goal, NetworkInterface, SecretContent, owned_secrets, relation_with_id, serde_json,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Config {
    password: Option<Secret>,
}

#[derive(Deserialize)]
struct Params {
    steps: Vec<Step>,
    /// Whether errors are logged with their kinds, codes and messages.
    #[serde(default)]
    errors: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Step {
    #[serde(rename = "do")]
    verb: String,
    /// The name under which the next steps find a secret.
    name: String,
    /// The name of a secret of an earlier step.
    secret: String,
    owner: String,
    id: Option<String>,
    label: Option<String>,
    description: Option<String>,
    /// In seconds since 1970-01-01 UTC.
    expire: Option<f64>,
    rotate: Option<String>,
    content: Vec<(String, String)>,
    relation: Option<(String, u32)>,
    unit: Option<String>,
    revision: Option<u32>,
    binding: String,
}

struct Vault;

impl Charm for Vault {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.action("run", Self::on_run);
        on.secret_changed(Self::on_secret_changed);
        on.secret_rotate(Self::on_secret_rotate);
        on.secret_expired(Self::on_secret_expired);
        on.secret_remove(Self::on_secret_remove);
        Ok(Vault)
    }
}

impl Vault {
    fn on_run(&self, event: ActionEvent) -> Result<()> {
        let Params { steps, errors } = event.params()?;
        let mut secrets = BTreeMap::new();
        for step in &steps {
            match perform(step, &mut secrets) {
                Ok(seen) => log::info!("{}: {seen}", step.verb),
                Err(error) if errors => {
                    let code = error.code().unwrap_or("-");
                    log::info!("{}: {:?} {code}: {error}", step.verb, error.kind());
                }
                Err(error) => log::info!("{}: {}", step.verb, outcome(&error)),
            }
        }
        Ok(())
    }

    fn on_secret_changed(&self, event: SecretChangedEvent) -> Result<()> {
        let content = event.secret().refresh()?;
        let label = event.secret().label().unwrap_or("-").to_owned();
        log::info!("changed {label}: {}", shown(&content)?);
        Ok(())
    }

    fn on_secret_rotate(&self, event: SecretRotateEvent) -> Result<()> {
        event
            .secret()
            .set_content([("token", "rotated"), ("serial", "2")])
    }

    fn on_secret_expired(&self, event: SecretExpiredEvent) -> Result<()> {
        log::info!("expired {}", event.revision);
        event.remove_revision()
    }

    fn on_secret_remove(&self, event: SecretRemoveEvent) -> Result<()> {
        log::info!("remove {}", event.revision);
        event.remove_revision()
    }
}

/// A word that is the same for the errors of ops.
fn outcome(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::RelationGone => "gone",
        ErrorKind::InvalidInput => "invalid",
        _ => "failed",
    }
}

fn perform(step: &Step, secrets: &mut BTreeMap<String, Secret>) -> Result<String> {
    if let Some(seen) = about_model(step)? {
        return Ok(seen);
    }
    let named = secrets
        .get(&step.secret)
        .filter(|_| !step.secret.is_empty());
    let secret = match (&step.id, &step.label, named) {
        (_, _, Some(secret)) => secret.clone(),
        (Some(id), None, None) => Secret::with_id(id),
        (Some(id), Some(label), None) => Secret::labelled(id, label),
        (None, Some(label), None) => Secret::with_label(label),
        (None, None, None) => Secret::with_id(""),
    };
    match step.verb.as_str() {
        "add" => {
            let content = step.content.clone();
            let added = match step.owner.as_str() {
                "app" => app().add_secret(content, metadata(step)?)?,
                _ => unit().add_secret(content, metadata(step)?)?,
            };
            secrets.insert(step.name.clone(), added);
        }
        "get" => {
            let content = secret.content()?;
            secrets.insert(step.name.clone(), secret);
            return shown(&content);
        }
        "content" => return shown(&secret.content()?),
        "refresh" => return shown(&secret.refresh()?),
        "peek" => return shown(&secret.peek()?),
        "info" => {
            let info = secret.info()?;
            return Ok(format!(
                "{} {} {} {} {} {} {}",
                last(&info.id),
                info.label.as_deref().unwrap_or("-"),
                info.description.as_deref().unwrap_or("-"),
                info.revision,
                info.expires.map_or("-".to_owned(), seconds),
                info.rotation.map_or("-".to_owned(), word),
                info.rotates.map_or("-".to_owned(), seconds),
            ));
        }
        "set-content" => secret.set_content(step.content.clone())?,
        "set-info" => secret.set_info(metadata(step)?)?,
        "grant" => match &step.unit {
            None => secret.grant(&the_relation(step)?)?,
            Some(unit) => secret.grant_unit(&the_relation(step)?, unit)?,
        },
        "revoke" => match &step.unit {
            None => secret.revoke(&the_relation(step)?)?,
            Some(unit) => secret.revoke_unit(&the_relation(step)?, unit)?,
        },
        "remove" => match step.revision {
            None => secret.remove()?,
            Some(revision) => secret.remove_revision(revision)?,
        },
        other => return Err(Error::msg(format!("there is no step {other}"))),
    }
    Ok("done".to_owned())
}

/// Steps that are not about one secret.
fn about_model(step: &Step) -> Result<Option<String>> {
    Ok(Some(match step.verb.as_str() {
        "config" => {
            let config: Config = config()?;
            match config.password {
                Some(secret) => shown(&secret.content()?)?,
                None => "-".to_owned(),
            }
        }
        "ids" => {
            let owned = owned_secrets()?;
            let mut ids: Vec<&str> = owned.iter().filter_map(Secret::id).map(last).collect();
            ids.sort_unstable();
            ids.join(" ")
        }
        "network" => {
            let network = match &step.relation {
                None => network(&step.binding)?,
                Some((endpoint, id)) => relation_with_id(endpoint, *id)?.network()?,
            };
            let bound: Vec<String> = network.interfaces.iter().flat_map(addresses).collect();
            let (ingress, egress) = (&network.ingress_addresses, &network.egress_subnets);
            let bind = network.bind_address().unwrap_or("-").to_owned();
            format!(
                "{}; {bind}; {}; {}",
                bound.join(", "),
                ingress.join(" "),
                egress.join(" ")
            )
        }
        "planned-units" => app().planned_units()?.to_string(),
        "goal-state" => {
            let state = app().goal_state()?;
            let mut parts = vec![goals(&state.units)];
            let relations = state.relations.iter();
            parts.extend(relations.map(|(name, remote)| format!("{name}: {}", goals(remote))));
            parts.join("; ")
        }
        "cloud-spec" => {
            let spec = app().cloud_spec()?;
            let option = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
            let credential = spec.credential.as_ref();
            let credential = credential.map_or("-".to_owned(), |credential| {
                let attributes = serde_json::to_string(&credential.attributes);
                let (kind, redacted) = (&credential.auth_type, credential.redacted.join(" "));
                format!("{kind} {} [{redacted}]", attributes.unwrap_or_default())
            });
            format!(
                "{} {} {} {} {} {} ({credential}) [{}] {} {}",
                spec.kind,
                spec.name,
                option(&spec.region),
                option(&spec.endpoint),
                option(&spec.identity_endpoint),
                option(&spec.storage_endpoint),
                spec.ca_certificates.join(" "),
                spec.skip_tls_verify,
                spec.is_controller_cloud
            )
        }
        "model-uuid" => the_relation(step)?.remote_model_uuid()?,
        _ => return Ok(None),
    }))
}

fn addresses(interface: &NetworkInterface) -> Vec<String> {
    let name = match interface.name.as_str() {
        "" => "-",
        name => name,
    };
    let addresses = interface.addresses.iter();
    addresses
        .map(|address| {
            let subnet = address.subnet.as_deref().unwrap_or("-");
            format!("{name} {} {subnet}", address.value)
        })
        .collect()
}

fn the_relation(step: &Step) -> Result<Relation> {
    match &step.relation {
        Some((endpoint, id)) => relation_with_id(endpoint, *id),
        None => Err(Error::msg("the step needs a relation")),
    }
}

fn metadata(step: &Step) -> Result<SecretMetadata> {
    let mut metadata = SecretMetadata::new();
    if let Some(label) = &step.label {
        metadata = metadata.label(label);
    }
    if let Some(description) = &step.description {
        metadata = metadata.description(description);
    }
    if let Some(seconds) = step.expire {
        let duration = Duration::from_secs_f64(seconds.abs());
        metadata = metadata.expires_at(match seconds < 0.0 {
            true => SystemTime::UNIX_EPOCH - duration,
            false => SystemTime::UNIX_EPOCH + duration,
        });
    }
    if let Some(wanted) = &step.rotate {
        let rotation = ROTATIONS
            .into_iter()
            .find(|rotation| word(*rotation) == *wanted);
        let unknown = || Error::msg(format!("there is no rotation {wanted}"));
        metadata = metadata.rotate(rotation.ok_or_else(unknown)?);
    }
    Ok(metadata)
}

const ROTATIONS: [Rotation; 7] = [
    Rotation::Never,
    Rotation::Hourly,
    Rotation::Daily,
    Rotation::Weekly,
    Rotation::Monthly,
    Rotation::Quarterly,
    Rotation::Yearly,
];

fn word(rotation: Rotation) -> String {
    format!("{rotation:?}").to_lowercase()
}

fn shown(content: &SecretContent) -> Result<String> {
    Ok(serde_json::to_string(content)?)
}

fn goals(goals: &BTreeMap<String, Goal>) -> String {
    let shown = goals.iter().map(|(name, goal)| {
        let since = goal.since.map_or("-".to_owned(), seconds);
        format!("{name} {} {since}", goal.status)
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// The id of a URI in the long or the short form.
fn last(uri: &str) -> &str {
    let last = uri.rsplit('/').next().unwrap_or(uri);
    last.strip_prefix("secret:").unwrap_or(last)
}

fn seconds(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    format!("{:.6}", since.unwrap_or_default().as_secs_f64())
}

charmhost::main!(Vault);
