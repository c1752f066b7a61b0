//! Every hook tool of Juju 2.9 to 4.1, as data: a row for each (juju §3.2, juju §3.3).
//!
//! Nothing else in this crate names a tool: what a guest may pass
//! ([`crate::Policy`]), what a failure means ([`crate::ToolError`]), the usage
//! texts of the simulated agent, and `TOOLS.md` are read from these rows.

use crate::flags::{Flag, FlagKind};
use crate::version::Version;

/// The tool that writes to the log. Agents are recognised by it: every Juju has
/// it, in the directory of its tools.
pub const LOG_TOOL: &str = "juju-log";

/// What a tool is about, as far as its failures depend on it (ops §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A relation: the relation may be gone.
    Relation,
    /// A secret: the secret may not exist.
    Secret,
    /// The unit's state in the controller.
    State,
    /// The log.
    Log,
    /// Anything else.
    Other,
}

/// What a tool prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Nothing.
    Nothing,
    /// Text, in no format.
    Text,
    /// A value in the format of `--format`: `smart` (default), `yaml` or `json`.
    Smart,
    /// A value in the format of `--format`: `yaml` (default) or `json`.
    Yaml,
}

/// How the agent reads the arguments of a tool that are not flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// As values.
    Values,
    /// As the content of a secret: for `KEY#file=PATH` it reads a file;
    /// `KEY#base64=VALUE` is a value.
    SecretContent,
}

/// A hook tool.
#[derive(Debug)]
pub struct Tool {
    /// The name, for example `config-get`.
    pub name: &'static str,
    /// The arguments, for the usage text.
    pub usage: &'static str,
    /// What the tool does, for the usage text.
    pub purpose: &'static str,
    /// What the tool is about.
    pub subject: Subject,
    /// The flags, besides `-h` and `--help`.
    pub flags: &'static [Flag],
    /// How other arguments are read.
    pub arguments: Arguments,
    /// What the tool prints.
    pub output: Output,
    /// The first version of Juju with the tool (ops §16.9).
    pub since: Version,
    /// The first version of Juju without it.
    pub until: Option<Version>,
    /// Whether the tool works in restricted contexts (ops §2.5).
    pub restricted: bool,
    /// Whether the tool reboots the machine (ops §16.6).
    pub reboots: bool,
}

impl Tool {
    const fn new(name: &'static str, usage: &'static str, purpose: &'static str) -> Self {
        Tool {
            name,
            usage,
            purpose,
            subject: Subject::Other,
            flags: &[],
            arguments: Arguments::Values,
            output: Output::Nothing,
            since: Version::OLDEST,
            until: None,
            restricted: false,
            reboots: false,
        }
    }

    const fn about(self, subject: Subject) -> Self {
        Tool { subject, ..self }
    }

    const fn flags(self, flags: &'static [Flag]) -> Self {
        Tool { flags, ..self }
    }

    const fn prints(self, output: Output) -> Self {
        Tool { output, ..self }
    }

    const fn secret_content(self) -> Self {
        let arguments = Arguments::SecretContent;
        Tool { arguments, ..self }
    }

    const fn since(self, major: u32, minor: u32, patch: u32) -> Self {
        let since = Version::new(major, minor, patch);
        Tool { since, ..self }
    }

    const fn until(self, major: u32, minor: u32, patch: u32) -> Self {
        let until = Some(Version::new(major, minor, patch));
        Tool { until, ..self }
    }

    const fn restricted(self) -> Self {
        Tool {
            restricted: true,
            ..self
        }
    }

    const fn reboots(self) -> Self {
        Tool {
            reboots: true,
            ..self
        }
    }

    /// Whether a version of Juju has the tool.
    pub fn is_in(&self, version: Version) -> bool {
        self.since <= version && self.until.is_none_or(|until| version < until)
    }

    /// Whether the tool can read its standard input.
    pub fn reads_stdin(&self) -> bool {
        let stdin = FlagKind::FileInput { stdin: true };
        self.flags.iter().any(|flag| flag.kind == stdin)
    }
}

/// Returns the tool of a name.
pub fn tool(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// Whether a hook tool may have the name. Beside the hook tools, Juju installs
/// programs that do more: `jujud`, `jujuc`, `juju-exec`,
/// `containeragent`, `pebble`. Names of hook tools are words with hyphens, and
/// those that begin with `juju-` are in the table.
pub fn is_tool_name(name: &str) -> bool {
    let is_word = |word: &str| {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        !word.is_empty() && word.chars().all(letter)
    };
    tool(name).is_some()
        || (name.contains('-') && !name.starts_with("juju-") && name.split('-').all(is_word))
}

const FORMAT: Flag = Flag::new(&["format"], FlagKind::Format);
const YAML_FORMAT: Flag = Flag::new(&["format"], FlagKind::YamlFormat);
const IGNORED_FORMAT: Flag = Flag::new(&["format"], FlagKind::IgnoredFormat);
const OUTPUT: Flag = Flag::new(&["o", "output"], FlagKind::FileOutput);
/// `--file -` reads the standard input.
const FILE: Flag = Flag::new(&["file"], FlagKind::FileInput { stdin: true });
/// `--file -` reads a file named `-`: no tool for secrets reads its input.
const SECRET_FILE: Flag = Flag::new(&["file"], FlagKind::FileInput { stdin: false });
const RESOURCES: Flag = Flag::new(&["k8s-resources"], FlagKind::FileInput { stdin: false });
pub(crate) const RELATION: Flag = Flag::text(&["r", "relation"]);
const APP: Flag = Flag::switch(&["app"]);
const APPLICATION: Flag = Flag::switch(&["application"]);
const LABEL: Flag = Flag::text(&["label"]);
const UNIT: Flag = Flag::text(&["unit"]);

const SMART: &[Flag] = &[FORMAT, OUTPUT];
const YAML: &[Flag] = &[YAML_FORMAT, OUTPUT];
const PORT: &[Flag] = &[Flag::text(&["endpoints"]), IGNORED_FORMAT];
const SPEC: &[Flag] = &[FILE, RESOURCES];
const SECRET: &[Flag] = &[
    Flag::text(&["owner"]),
    LABEL,
    Flag::text(&["description"]),
    Flag::text(&["rotate"]),
    Flag::text(&["expire"]),
    SECRET_FILE,
];

/// Every tool, by name.
pub const TOOLS: &[Tool] = &[
    Tool::new(
        "action-fail",
        "[\"<failure message>\"]",
        "Mark the running action as failed; it goes on.",
    ),
    Tool::new(
        "action-get",
        "[options] [<key>[.<key>.<key>...]]",
        "Print the parameters of the running action, or one of them.",
    )
    .flags(SMART)
    .prints(Output::Smart),
    Tool::new(
        "action-log",
        "<message>",
        "Report the progress of the running action.",
    ),
    Tool::new(
        "action-set",
        "<key>=<value> [<key>=<value> ...]",
        "Set results of the running action.",
    ),
    Tool::new(
        "add-metric",
        "[options] key1=value1 [key2=value2 ...]",
        "Add metrics.",
    )
    .flags(&[Flag::text(&["l", "labels"])])
    .until(3, 6, 10)
    .restricted(),
    Tool::new(
        "application-version-set",
        "<new-version>",
        "Set the version of the workload that runs.",
    ),
    Tool::new(
        "close-port",
        "[options] <port>[/<protocol>] or <from>-<to>[/<protocol>] or icmp",
        "Close a port or a range of ports when the hook succeeds.",
    )
    .flags(PORT),
    Tool::new(
        "config-get",
        "[options] [<key>]",
        "Print the application's configuration, or one value of it.",
    )
    .flags(&[Flag::switch(&["a", "all"]), FORMAT, OUTPUT])
    .prints(Output::Smart),
    Tool::new(
        "credential-get",
        "[options]",
        "Print the cloud's endpoint and credential.",
    )
    .flags(SMART)
    .prints(Output::Smart),
    Tool::new(
        "goal-state",
        "[options]",
        "Print the units and relations that the model is to have.",
    )
    .flags(YAML)
    .prints(Output::Yaml),
    Tool::new(
        "is-leader",
        "[options]",
        "Print whether this unit leads its application.",
    )
    .flags(SMART)
    .prints(Output::Smart),
    Tool::new(LOG_TOOL, "[options] <message>", "Write to the model's log.")
        .about(Subject::Log)
        .flags(&[
            Flag::switch(&["debug"]),
            Flag::text(&["l", "log-level"]),
            IGNORED_FORMAT,
        ])
        .restricted(),
    Tool::new("juju-reboot", "[options]", "Reboot the machine.")
        .flags(&[Flag::switch(&["now"])])
        .reboots(),
    Tool::new("k8s-raw-get", "", "Print the raw Kubernetes specification.")
        .prints(Output::Text)
        .until(4, 0, 0),
    Tool::new(
        "k8s-raw-set",
        "[options] --file <file>",
        "Set the raw Kubernetes specification when the hook succeeds.",
    )
    .flags(&[FILE])
    .until(4, 0, 0),
    Tool::new("k8s-spec-get", "", "Print the pod specification.")
        .prints(Output::Text)
        .until(4, 0, 0),
    Tool::new(
        "k8s-spec-set",
        "[options] --file <file> [--k8s-resources <file>]",
        "Set the pod specification when the hook succeeds.",
    )
    .flags(SPEC)
    .until(4, 0, 0),
    Tool::new(
        "leader-get",
        "[options] [<key>]",
        "Print the leader's settings.",
    )
    .flags(SMART)
    .prints(Output::Smart)
    .until(4, 0, 0),
    Tool::new(
        "leader-set",
        "<key>=<value> [...]",
        "Change the leader's settings, at once.",
    )
    .until(4, 0, 0),
    Tool::new(
        "network-get",
        "[options] <binding>",
        "Print the network of a binding.",
    )
    .about(Subject::Relation)
    .flags(&[
        RELATION,
        Flag::switch(&["bind-address"]),
        Flag::switch(&["ingress-address"]),
        Flag::switch(&["egress-subnets"]),
        Flag::switch(&["primary-address"]),
        FORMAT,
        OUTPUT,
    ])
    .prints(Output::Smart),
    Tool::new(
        "open-port",
        "[options] <port>[/<protocol>] or <from>-<to>[/<protocol>] or icmp",
        "Open a port or a range of ports when the hook succeeds.",
    )
    .flags(PORT),
    Tool::new(
        "opened-ports",
        "[options]",
        "Print the open ports, with the changes of this hook.",
    )
    .flags(&[Flag::switch(&["endpoints"]), FORMAT, OUTPUT])
    .prints(Output::Smart),
    Tool::new(
        "payload-register",
        "<type> <class> <id> [<tag> ...]",
        "Register a payload.",
    )
    .until(4, 0, 0),
    Tool::new(
        "payload-status-set",
        "<class> <id> <status>",
        "Set the status of a payload.",
    )
    .until(4, 0, 0),
    Tool::new(
        "payload-unregister",
        "<class> <id>",
        "Remove the registration of a payload.",
    )
    .until(4, 0, 0),
    Tool::new("pod-spec-get", "", "Print the pod specification.")
        .prints(Output::Text)
        .until(4, 0, 0),
    Tool::new(
        "pod-spec-set",
        "[options] --file <file> [--k8s-resources <file>]",
        "Set the pod specification when the hook succeeds.",
    )
    .flags(SPEC)
    .until(4, 0, 0),
    Tool::new(
        "relation-get",
        "[options] [<key>|-] [<unit or application>]",
        "Print the relation data of a unit or an application.",
    )
    .about(Subject::Relation)
    .flags(&[RELATION, APP, FORMAT, OUTPUT])
    .prints(Output::Smart),
    Tool::new(
        "relation-ids",
        "[options] [<endpoint>]",
        "Print the relations of an endpoint.",
    )
    .about(Subject::Relation)
    .flags(SMART)
    .prints(Output::Smart),
    Tool::new(
        "relation-list",
        "[options]",
        "Print the units of a relation, or its application.",
    )
    .about(Subject::Relation)
    .flags(&[RELATION, APP, FORMAT, OUTPUT])
    .prints(Output::Smart),
    Tool::new(
        "relation-model-get",
        "[options]",
        "Print the model of the other side of a relation.",
    )
    .about(Subject::Relation)
    .flags(&[RELATION, FORMAT, OUTPUT])
    .prints(Output::Smart)
    .since(3, 6, 1),
    Tool::new(
        "relation-set",
        "[options] key=value [key=value ...]",
        "Set relation data when the hook succeeds.",
    )
    .about(Subject::Relation)
    .flags(&[RELATION, APP, FILE, IGNORED_FORMAT]),
    Tool::new(
        "resource-get",
        "<resource name>",
        "Print the path of a resource's file.",
    )
    .prints(Output::Text),
    Tool::new(
        "secret-add",
        "[options] [key[#base64|#file]=value ...]",
        "Add a secret when the hook succeeds; print its URI at once.",
    )
    .about(Subject::Secret)
    .flags(SECRET)
    .secret_content()
    .prints(Output::Text)
    .since(3, 0, 0),
    Tool::new(
        "secret-get",
        "[options] [<ID>] [<key>[#base64]]",
        "Print the content of a secret.",
    )
    .about(Subject::Secret)
    .flags(&[
        LABEL,
        Flag::switch(&["peek"]),
        Flag::switch(&["refresh"]),
        YAML_FORMAT,
        OUTPUT,
    ])
    .prints(Output::Yaml)
    .since(3, 0, 0),
    Tool::new(
        "secret-grant",
        "[options] <ID>",
        "Grant the other side of a relation access to a secret.",
    )
    .about(Subject::Secret)
    .flags(&[RELATION, UNIT])
    .since(3, 0, 0),
    Tool::new(
        "secret-ids",
        "[options]",
        "Print the IDs of this unit's secrets.",
    )
    .about(Subject::Secret)
    .flags(SMART)
    .prints(Output::Smart)
    .since(3, 0, 0),
    Tool::new(
        "secret-info-get",
        "[options] [<ID>]",
        "Print the metadata of a secret of this unit.",
    )
    .about(Subject::Secret)
    .flags(&[LABEL, YAML_FORMAT, OUTPUT])
    .prints(Output::Yaml)
    .since(3, 0, 3),
    Tool::new(
        "secret-remove",
        "[options] <ID>",
        "Remove a secret, or one revision of it, when the hook succeeds.",
    )
    .about(Subject::Secret)
    .flags(&[Flag::text(&["revision"])])
    .since(3, 0, 0),
    Tool::new(
        "secret-revoke",
        "[options] <ID>",
        "Revoke access to a secret.",
    )
    .about(Subject::Secret)
    .flags(&[RELATION, Flag::text(&["app", "application"]), UNIT])
    .since(3, 0, 0),
    Tool::new(
        "secret-set",
        "[options] <ID> [key[#base64|#file]=value ...]",
        "Change a secret when the hook succeeds.",
    )
    .about(Subject::Secret)
    .flags(SECRET)
    .secret_content()
    .since(3, 0, 0),
    Tool::new(
        "state-delete",
        "<key>",
        "Delete a value of the unit's state when the hook succeeds.",
    )
    .about(Subject::State),
    Tool::new(
        "state-get",
        "[options] [<key>]",
        "Print the unit's state in the controller, or one value of it.",
    )
    .about(Subject::State)
    .flags(&[Flag::switch(&["strict"]), FORMAT, OUTPUT])
    .prints(Output::Smart),
    Tool::new(
        "state-set",
        "[options] key=value [key=value ...]",
        "Set values of the unit's state when the hook succeeds.",
    )
    .about(Subject::State)
    .flags(&[FILE]),
    Tool::new(
        "status-get",
        "[options]",
        "Print the status of the unit, or of the application.",
    )
    .flags(&[APPLICATION, Flag::switch(&["include-data"]), FORMAT, OUTPUT])
    .prints(Output::Smart),
    Tool::new(
        "status-set",
        "[options] <maintenance | blocked | waiting | active> [message]",
        "Set the status of the unit, or of the application.",
    )
    .flags(&[APPLICATION]),
    Tool::new(
        "storage-add",
        "<storage name>[=<count>] ...",
        "Ask for more storage when the hook succeeds.",
    ),
    Tool::new(
        "storage-get",
        "[options] [<key>]",
        "Print the kind and the location of a storage instance.",
    )
    .flags(&[Flag::text(&["s"]), FORMAT, OUTPUT])
    .prints(Output::Smart),
    Tool::new(
        "storage-list",
        "[options] [<storage-name>]",
        "Print the unit's storage instances.",
    )
    .flags(SMART)
    .prints(Output::Smart),
    Tool::new(
        "unit-get",
        "[options] <setting>",
        "Print an address of the unit: private-address or public-address.",
    )
    .flags(SMART)
    .prints(Output::Smart),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_single() {
        let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }

    #[test]
    fn a_tool_has_each_flag_once_and_a_format_if_it_prints_a_value() {
        for tool in TOOLS {
            let mut names: Vec<&str> = tool
                .flags
                .iter()
                .flat_map(|flag| flag.names)
                .copied()
                .collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{}", tool.name);
            let format = tool
                .flags
                .iter()
                .map(|flag| flag.kind)
                .find(|kind| matches!(kind, FlagKind::Format | FlagKind::YamlFormat));
            let wanted = match tool.output {
                Output::Smart => Some(FlagKind::Format),
                Output::Yaml => Some(FlagKind::YamlFormat),
                Output::Nothing | Output::Text => None,
            };
            assert_eq!(format, wanted, "{}", tool.name);
            let writes = tool
                .flags
                .iter()
                .any(|flag| flag.kind == FlagKind::FileOutput);
            assert_eq!(writes, wanted.is_some(), "{}", tool.name);
        }
    }

    #[test]
    fn versions_of_juju_have_their_tools() {
        for (name, version, wanted) in [
            ("config-get", "2.9.0", true),
            ("config-get", "5.0", true),
            ("leader-get", "3.6.28", true),
            ("leader-get", "4.0-beta1", false),
            ("add-metric", "3.6.9", true),
            ("add-metric", "3.6.10", false),
            ("relation-model-get", "3.6.0", false),
            ("relation-model-get", "3.6.1", true),
            ("secret-info-get", "3.0.2", false),
            ("secret-info-get", "4.1-beta2.1", true),
        ] {
            let tool = tool(name).unwrap();
            assert_eq!(
                tool.is_in(Version::parse(version)),
                wanted,
                "{name} {version}"
            );
        }
    }
}
