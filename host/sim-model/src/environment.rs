//! The environment of a dispatch (juju §1.3).

use std::path::Path;

use charmhost_hook_tools::Version;

use crate::hook_kind::{HookKind, WorkloadEvent};
use crate::unit_view::UnitView;

/// Where programs are looked for, after the hook tools.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin";

/// Variables that are always set, and empty without a cloud, a proxy or a
/// principal unit.
const EMPTY: [&str; 6] = [
    "JUJU_AVAILABILITY_ZONE",
    "CLOUD_API_VERSION",
    "JUJU_CHARM_HTTP_PROXY",
    "JUJU_CHARM_HTTPS_PROXY",
    "JUJU_CHARM_FTP_PROXY",
    "JUJU_CHARM_NO_PROXY",
];

/// The collector of traces that is offered to charms, from Juju 4.0.6 on: empty
/// without one.
const TRACES: [&str; 3] = [
    "JUJU_CHARM_TRACE_CONFIG_HTTP",
    "JUJU_CHARM_TRACE_CONFIG_GRPC",
    "JUJU_CHARM_TRACE_CONFIG_CA_CERT",
];
const TRACES_SINCE: Version = Version::new(4, 0, 6);

/// Paths of the agent that are in the environment of a dispatch.
pub struct AgentPaths<'a> {
    /// The charm.
    pub charm: &'a Path,
    /// The hook tools' programs.
    pub tools: &'a Path,
    /// The agent's socket.
    pub socket: &'a Path,
    /// The way in which `dispatch` of this host calls hook tools, if it is forced.
    pub hook_tools: Option<&'a str>,
}

/// The environment of a dispatch. Nothing is inherited (juju §1.3).
pub fn environment(
    view: &UnitView,
    hook: &HookKind,
    action_id: u64,
    context_id: &str,
    paths: &AgentPaths,
) -> Vec<(String, String)> {
    let charm = paths.charm.display().to_string();
    let machine = if view.kubernetes { "" } else { "0" };
    let path_end = if view.kubernetes { ":/charm/bin" } else { "" };
    let mut vars: Vec<(&str, String)> = vec![
        ("JUJU_DISPATCH_PATH", hook.dispatch_path()),
        ("JUJU_HOOK_NAME", hook.hook_name()),
        ("CHARM_DIR", charm.clone()),
        ("JUJU_CHARM_DIR", charm),
        ("JUJU_CONTEXT_ID", context_id.to_owned()),
        (
            "JUJU_AGENT_SOCKET_ADDRESS",
            paths.socket.display().to_string(),
        ),
        ("JUJU_AGENT_SOCKET_NETWORK", "unix".to_owned()),
        ("JUJU_UNIT_NAME", view.unit.clone()),
        ("JUJU_MODEL_UUID", view.uuid.clone()),
        ("JUJU_MODEL_NAME", view.name.clone()),
        ("JUJU_API_ADDRESSES", "127.0.0.1:17070".to_owned()),
        ("JUJU_MACHINE_ID", machine.to_owned()),
        ("JUJU_VERSION", view.juju_version.clone()),
        (
            "JUJU_PRINCIPAL_UNIT",
            view.principal.clone().unwrap_or_default(),
        ),
        (
            "PATH",
            format!("{}:{SYSTEM_PATH}{path_end}", paths.tools.display()),
        ),
        ("LANG", "C.UTF-8".to_owned()),
        ("APT_LISTCHANGES_FRONTEND", "none".to_owned()),
        ("DEBIAN_FRONTEND", "noninteractive".to_owned()),
        ("TERM", "tmux-256color".to_owned()),
    ];
    vars.extend(EMPTY.iter().map(|name| (*name, String::new())));
    if Version::parse(&view.juju_version) >= TRACES_SINCE {
        vars.extend(TRACES.iter().map(|name| (*name, String::new())));
    }
    if view.is_before_juju_4() {
        vars.push(("JUJU_SLA", "unsupported".to_owned()));
    }
    vars.extend(
        paths
            .hook_tools
            .map(|choice| ("CHARMHOST_HOOK_TOOLS", choice.to_owned())),
    );
    vars.extend(hook_variables(hook, view, action_id));
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    vars.into_iter().map(owned).collect()
}

/// The variables that only hooks of a kind have (juju §1.3).
fn hook_variables(hook: &HookKind, view: &UnitView, action_id: u64) -> Vec<(&'static str, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    match hook {
        HookKind::Unit(_) => Vec::new(),
        HookKind::Relation {
            endpoint,
            id,
            app,
            unit,
            departing_unit,
            ..
        } => {
            let mut vars = vec![
                ("JUJU_RELATION", endpoint.clone()),
                ("JUJU_RELATION_ID", format!("{endpoint}:{id}")),
                ("JUJU_REMOTE_APP", text(app)),
                ("JUJU_REMOTE_UNIT", text(unit)),
            ];
            let departing = departing_unit.clone();
            vars.extend(departing.map(|unit| ("JUJU_DEPARTING_UNIT", unit)));
            vars
        }
        HookKind::Storage { id, .. } => vec![
            ("JUJU_STORAGE_ID", id.clone()),
            ("JUJU_STORAGE_LOCATION", view.storage_location(id)),
            ("JUJU_STORAGE_KIND", view.storage_kind(id)),
        ],
        HookKind::Workload { container, what } => {
            let mut vars = vec![("JUJU_WORKLOAD_NAME", container.clone())];
            vars.extend(workload_variables(what));
            vars
        }
        HookKind::Secret {
            id,
            label,
            revision,
            ..
        } => {
            let mut vars = vec![
                ("JUJU_SECRET_ID", format!("secret:{id}")),
                ("JUJU_SECRET_LABEL", label.clone()),
            ];
            vars.extend(revision.map(|revision| ("JUJU_SECRET_REVISION", revision.to_string())));
            vars
        }
        HookKind::Action { name, .. } => vec![
            ("JUJU_ACTION_NAME", name.clone()),
            ("JUJU_ACTION_UUID", action_id.to_string()),
            ("JUJU_ACTION_TAG", format!("action-{action_id}")),
        ],
    }
}

fn workload_variables(what: &WorkloadEvent) -> Vec<(&'static str, String)> {
    match what {
        WorkloadEvent::Ready => Vec::new(),
        WorkloadEvent::CustomNotice { key, id } => vec![
            ("JUJU_NOTICE_ID", id.clone().unwrap_or_default()),
            ("JUJU_NOTICE_TYPE", "custom".to_owned()),
            ("JUJU_NOTICE_KEY", key.clone()),
        ],
        WorkloadEvent::CheckFailed(check) | WorkloadEvent::CheckRecovered(check) => {
            vec![("JUJU_PEBBLE_CHECK_NAME", check.clone())]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(hook: &HookKind, model: &UnitView, name: &str) -> Option<String> {
        let paths = AgentPaths {
            charm: Path::new("/c"),
            tools: Path::new("/t"),
            socket: Path::new("/s"),
            hook_tools: None,
        };
        let vars = environment(model, hook, 7, "x/0-install-00", &paths);
        let mut found = vars.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.clone());
        assert!(found.next().is_none(), "{name} is set twice");
        value
    }

    #[test]
    fn hooks_and_actions_have_their_own_variables() {
        let model = UnitView::default();
        let hook = HookKind::Workload {
            container: "app".to_owned(),
            what: WorkloadEvent::Ready,
        };
        let action = HookKind::Action {
            name: "backup".to_owned(),
            params: serde_json::Map::new(),
        };
        for (name, in_hook, in_action) in [
            (
                "JUJU_DISPATCH_PATH",
                Some("hooks/app-pebble-ready"),
                Some("actions/backup"),
            ),
            ("JUJU_HOOK_NAME", Some("app-pebble-ready"), Some("")),
            ("JUJU_WORKLOAD_NAME", Some("app"), None),
            ("JUJU_ACTION_NAME", None, Some("backup")),
            ("JUJU_ACTION_UUID", None, Some("7")),
            ("JUJU_ACTION_TAG", None, Some("action-7")),
            ("HOME", None, None),
        ] {
            assert_eq!(value(&hook, &model, name).as_deref(), in_hook, "{name}");
            assert_eq!(value(&action, &model, name).as_deref(), in_action, "{name}");
        }
    }

    #[test]
    fn kubernetes_and_juju_4_differ_a_little() {
        let event = HookKind::unit("install");
        let machine = UnitView::default();
        let pod = UnitView {
            kubernetes: true,
            juju_version: "4.0.15".to_owned(),
            ..UnitView::default()
        };
        for (name, on_machine, in_pod) in [
            ("JUJU_MACHINE_ID", Some("0"), Some("")),
            ("JUJU_SLA", Some("unsupported"), None),
            ("JUJU_CHARM_TRACE_CONFIG_HTTP", None, Some("")),
            ("JUJU_CHARM_TRACE_CONFIG_GRPC", None, Some("")),
            ("JUJU_CHARM_TRACE_CONFIG_CA_CERT", None, Some("")),
        ] {
            assert_eq!(
                value(&event, &machine, name).as_deref(),
                on_machine,
                "{name}"
            );
            assert_eq!(value(&event, &pod, name).as_deref(), in_pod, "{name}");
        }
        assert!(
            value(&event, &machine, "PATH")
                .unwrap()
                .starts_with("/t:/usr/local/sbin:")
        );
        assert!(
            value(&event, &pod, "PATH")
                .unwrap()
                .ends_with(":/charm/bin")
        );
    }
}
