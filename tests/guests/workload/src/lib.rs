//! Does the steps of its action in a container, and logs how each ended.

use std::time::{Duration, SystemTime};

use charmhost::prelude::*;
use charmhost::{
    Change, ChangeSelection, CheckInfo, CheckLevel, Identity, IdentityAccess, NoticeFilter,
    PathErrorKind,
};
use serde::Deserialize;

struct Workload;

#[derive(Deserialize)]
struct Params {
    steps: Vec<Step>,
}

/// A step, with what it needs of the rest.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Step {
    #[serde(rename = "do")]
    what: String,
    names: Vec<String>,
    name: String,
    level: Option<String>,
    wait: Option<f64>,
    label: String,
    layer: String,
    combine: bool,
    id: String,
    select: String,
    key: String,
    data: std::collections::BTreeMap<String, String>,
    repeat: Option<f64>,
    users: bool,
    user_id: Option<u32>,
    access: String,
    password: Option<String>,
    path: String,
    content: String,
    pattern: Option<String>,
    parents: bool,
    mode: Option<u32>,
    recursive: bool,
}

impl Charm for Workload {
    fn new(on: &mut Observe<Self>) -> Result<Self> {
        on.action("run", Self::on_run);
        Ok(Workload)
    }
}

impl Workload {
    fn on_run(&self, event: ActionEvent) -> Result<()> {
        let params: Params = event.params()?;
        for step in &params.steps {
            let ended = match services(step) {
                Ok(ended) => ended,
                Err(error) => failure(&error),
            };
            log::info!("{}: {ended}", step.what);
        }
        Ok(())
    }
}

/// How an error is logged, without the words of Pebble.
fn failure(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Api(status) => format!("api {status}"),
        ErrorKind::Path(PathErrorKind::NotFound) => "path not-found".to_owned(),
        ErrorKind::Path(PathErrorKind::PermissionDenied) => "path permission-denied".to_owned(),
        ErrorKind::Path(_) => "path generic-file-error".to_owned(),
        ErrorKind::Change => {
            let change = error.change();
            format!("change {}", change.map(shown).unwrap_or_default())
        }
        ErrorKind::Timeout => match error.change_id() {
            Some(id) => format!("timeout of {id}"),
            None => "timeout".to_owned(),
        },
        other => format!("{other:?}"),
    }
}

fn shown(change: &Change) -> String {
    let logs: usize = change.tasks.iter().map(|task| task.log.len()).sum();
    format!(
        "{} {} {} {} {} {} {}",
        change.kind,
        change.summary,
        change.status,
        change.ready,
        change.err.is_some(),
        change.tasks.len(),
        logs > 0
    )
}

fn check(check: &CheckInfo) -> String {
    let level = check.level.clone().map(String::from);
    let startup = check.startup.clone().map(String::from);
    format!(
        "{} {} {} {:?} {} {}",
        check.name,
        level.unwrap_or_default(),
        startup.unwrap_or_default(),
        check.status,
        check.threshold,
        check.change_id.is_some()
    )
}

fn services(step: &Step) -> Result<String> {
    let one = unit().container("one");
    let names = step.names.clone();
    if let Some(wait) = step.wait {
        let waiting = one.waiting(Duration::from_secs_f64(wait));
        let change = match step.what.as_str() {
            "autostart" => waiting.autostart()?,
            "replan" => waiting.replan()?,
            "start" => waiting.start(names)?,
            "stop" => waiting.stop(names)?,
            "restart" => waiting.restart(names)?,
            _ => return changes(&one, step),
        };
        return Ok(format!("change {change}"));
    }
    match step.what.as_str() {
        "autostart" => one.autostart()?,
        "replan" => one.replan()?,
        "start" => one.start(names)?,
        "stop" => one.stop(names)?,
        "restart" => one.restart(names)?,
        "signal" => one.send_signal(&step.name, names)?,
        "layer" if step.combine => one.combine_layer(&step.label, step.layer.as_str())?,
        "layer" => one.add_layer(&step.label, step.layer.as_str())?,
        "services" => {
            let services = one.services()?;
            let shown = services.iter().map(|service| {
                let startup = String::from(service.startup.clone());
                format!("{} {startup} {:?}", service.name, service.current)
            });
            return Ok(shown.collect::<Vec<_>>().join(", "));
        }
        "ran" => {
            let service = one.service(&step.name)?;
            let ran = service.map(|service| (service.is_running(), service.current_since));
            let (runs, since) = ran.unwrap_or_default();
            let recent = since.and_then(|since| since.elapsed().ok());
            return Ok(format!(
                "{runs} {}",
                recent.is_some_and(|ago| ago.as_secs() < 60)
            ));
        }
        "plan" => {
            let plan = one.plan()?;
            let services = plan.services.iter();
            let shown = services.map(|(name, service)| format!("{name} {}", service.command));
            return Ok(shown.collect::<Vec<_>>().join(", "));
        }
        _ => return changes(&one, step),
    }
    Ok("done".to_owned())
}

fn changes(one: &Container, step: &Step) -> Result<String> {
    let wait = Duration::from_secs_f64(step.wait.unwrap_or(30.0));
    Ok(match step.what.as_str() {
        "changes" => {
            let select = match step.select.as_str() {
                "all" => ChangeSelection::All,
                "ready" => ChangeSelection::Ready,
                _ => ChangeSelection::InProgress,
            };
            let changes = match step.name.as_str() {
                "" => one.changes(select)?,
                service => one.changes_of(service, select)?,
            };
            let kinds = changes.iter().map(|change| change.kind.as_str());
            kinds.collect::<Vec<_>>().join(" ")
        }
        "change" => shown(&one.change(&step.id)?),
        "wait" => shown(&one.wait_change(&step.id, wait)?),
        "abort" => one.abort_change(&step.id)?.kind,
        _ => return checks(one, step),
    })
}

fn checks(one: &Container, step: &Step) -> Result<String> {
    let names = step.names.clone();
    Ok(match step.what.as_str() {
        "checks" => {
            let checks = match &step.level {
                Some(level) => one.checks_at(CheckLevel::from(level.as_str()))?,
                None => one.checks()?,
            };
            checks.iter().map(check).collect::<Vec<_>>().join(", ")
        }
        "start-checks" => one.start_checks(names)?.join(" "),
        "stop-checks" => one.stop_checks(names)?.join(" "),
        "refresh" => {
            let limit = Duration::from_secs_f64(step.wait.unwrap_or(30.0));
            let refreshed = one.refresh_check(&step.name, limit)?;
            match refreshed.error {
                None => format!("succeeded {}", refreshed.info.has_run()),
                // Pebble may count the failure after it answers.
                Some(_) => "failed".to_owned(),
            }
        }
        "health" => match &step.level {
            Some(level) => one.is_healthy_at(CheckLevel::from(level.as_str()))?,
            None => one.is_healthy()?,
        }
        .to_string(),
        "metrics" => {
            let metrics = one.metrics()?;
            metrics.contains(step.name.as_str()).to_string()
        }
        _ => return notices(one, step),
    })
}

fn notices(one: &Container, step: &Step) -> Result<String> {
    Ok(match step.what.as_str() {
        "notify" => match step.repeat {
            Some(after) => {
                let after = Duration::from_secs_f64(after);
                one.notify_rarely(&step.key, step.data.clone(), after)?
            }
            None => one.notify(&step.key, step.data.clone())?,
        },
        "notice" => {
            let notice = one.notice(&step.id)?;
            let repeat = notice.repeat_after.map(|after| after.as_secs());
            format!(
                "{} {} {} {} {} {} {}",
                notice.kind,
                notice.key,
                notice.occurrences,
                json!(notice.last_data),
                repeat.unwrap_or_default(),
                notice.expire_after.unwrap_or_default().as_secs(),
                notice.last_repeated > notice.first_occurred
            )
        }
        "notices" => {
            let mut filter = NoticeFilter::new()
                .kinds(step.names.clone())
                .keys(Some(step.key.clone()).filter(|key| !key.is_empty()));
            if step.users {
                filter = filter.all_users();
            }
            if let Some(id) = step.user_id {
                filter = filter.user_id(id);
            }
            let notices = one.notices(&filter)?;
            let keys = notices.iter().map(|notice| notice.key.as_str());
            keys.collect::<Vec<_>>().join(" ")
        }
        "warnings" => one.warnings()?.len().to_string(),
        "all-warnings" => {
            let warnings = one.all_warnings()?;
            let last = warnings.last().map(|warning| warning.last_added);
            let until = last.unwrap_or(SystemTime::UNIX_EPOCH);
            one.acknowledge_warnings(until)?.to_string()
        }
        "acknowledge" => one
            .acknowledge_warnings(SystemTime::UNIX_EPOCH)?
            .to_string(),
        _ => return identities(one, step),
    })
}

fn identities(one: &Container, step: &Step) -> Result<String> {
    match step.what.as_str() {
        "identities" => {
            let identities = one.identities()?;
            let shown = identities.iter().map(|identity| {
                format!(
                    "{} {} {} {}",
                    identity.name,
                    String::from(identity.access.clone()),
                    identity.local_user_id.unwrap_or_default(),
                    identity.basic_password.as_deref().unwrap_or("-")
                )
            });
            return Ok(shown.collect::<Vec<_>>().join(", "));
        }
        "replace-identity" => {
            let access = IdentityAccess::from(step.access.as_str());
            let identity = match &step.password {
                Some(hash) => Identity::basic(&step.name, access, hash),
                None => Identity::local(&step.name, access, step.user_id.unwrap_or_default()),
            };
            one.replace_identities([identity])?;
        }
        "remove-identities" => one.remove_identities(step.names.clone())?,
        _ => return files(one, step),
    }
    Ok("done".to_owned())
}

fn files(one: &Container, step: &Step) -> Result<String> {
    let mut options = FileOptions::new();
    if step.parents {
        options = options.parents();
    }
    if let Some(mode) = step.mode {
        options = options.mode(mode);
    }
    match step.what.as_str() {
        "push" => one.push_with(&step.path, &step.content, &options)?,
        "pull" => return one.pull_text(&step.path),
        "many" => {
            let files = one.pull_many(step.names.clone())?;
            let shown = files.into_iter().map(|(path, content)| match content {
                Ok(content) => format!("{path} {}", content.len()),
                Err(error) => format!("{path} {}", failure(&error)),
            });
            return Ok(shown.collect::<Vec<_>>().join(", "));
        }
        "stat" => {
            let info = one.stat(&step.path)?;
            return Ok(format!(
                "{} {:?} {:?} {:o}",
                info.name,
                info.kind,
                info.size.unwrap_or_default(),
                info.permissions
            ));
        }
        "list" => {
            let found = match &step.pattern {
                Some(pattern) => one.list_matching(&step.path, pattern)?,
                None => one.list_files(&step.path)?,
            };
            let names = found.into_iter().map(|info| info.name);
            return Ok(names.collect::<Vec<_>>().join(" "));
        }
        "make-dir" => one.make_dir_with(&step.path, &options)?,
        "remove" if step.recursive => one.remove_all(&step.path)?,
        "remove" => one.remove(&step.path)?,
        other => return Err(Error::msg(format!("there is no step {other:?}"))),
    }
    Ok("done".to_owned())
}

charmhost::main!(Workload);
