//! Every hook tool of Juju 2.9 to 4.1, as data (juju-hook-tools §3).

use crate::flags::{Flag, Kind};
use crate::version::Version;

/// What a tool prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Nothing.
    Nothing,
    /// Text, in no format.
    Text,
    /// A value, as `--format` says: `smart` by default, `yaml` or `json`.
    Smart,
    /// A value, as `--format` says: `yaml` by default, or `json`.
    Yaml,
}

/// What the arguments of a tool that are not flags may make the agent do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// Nothing: they are values.
    Values,
    /// `KEY#file=PATH` makes it read a file; `KEY#base64=VALUE` is a value.
    SecretContent,
}

/// A hook tool.
#[derive(Debug)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its arguments, for help.
    pub usage: &'static str,
    /// What it does, for help.
    pub purpose: &'static str,
    /// The flags that it takes, besides `-h` and `--help`.
    pub flags: &'static [Flag],
    /// What its other arguments are.
    pub arguments: Arguments,
    /// What it prints.
    pub output: Output,
    /// The first version of Juju that has it.
    pub since: Version,
    /// The first version of Juju that no longer has it.
    pub until: Option<Version>,
    /// Whether it works in restricted contexts, those of `collect-metrics` and
    /// `meter-status-changed`.
    pub restricted: bool,
}

impl Tool {
    const fn new(name: &'static str, usage: &'static str, purpose: &'static str) -> Self {
        Tool {
            name,
            usage,
            purpose,
            flags: &[],
            arguments: Arguments::Values,
            output: Output::Nothing,
            since: Version::OLDEST,
            until: None,
            restricted: false,
        }
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

    /// Whether a version of Juju has it.
    pub fn is_in(&self, version: Version) -> bool {
        self.since <= version && self.until.is_none_or(|until| version < until)
    }

    /// Whether it reads its standard input.
    pub fn reads_stdin(&self) -> bool {
        let stdin = Kind::FileInput { stdin: true };
        self.flags.iter().any(|flag| flag.kind == stdin)
    }
}

/// The tool of a name.
pub fn tool(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

const FORMAT: Flag = Flag::new(&["format"], Kind::Format);
const YAML_FORMAT: Flag = Flag::new(&["format"], Kind::YamlFormat);
const IGNORED_FORMAT: Flag = Flag::new(&["format"], Kind::IgnoredFormat);
const OUTPUT: Flag = Flag::new(&["o", "output"], Kind::FileOutput);
/// `--file -` is the standard input.
const FILE: Flag = Flag::new(&["file"], Kind::FileInput { stdin: true });
/// `--file -` is a file named `-`: no secret tool reads its input.
const SECRET_FILE: Flag = Flag::new(&["file"], Kind::FileInput { stdin: false });
const RESOURCES: Flag = Flag::new(&["k8s-resources"], Kind::FileInput { stdin: false });
const RELATION: Flag = Flag::text(&["r", "relation"]);
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
        "Declare the running action failed; it goes on all the same.",
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
        "Print how the cloud is reached.",
    )
    .flags(SMART)
    .prints(Output::Smart),
    Tool::new(
        "goal-state",
        "[options]",
        "Print which units and relations there shall be.",
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
    Tool::new(
        "juju-log",
        "[options] <message>",
        "Write to the model's log.",
    )
    .flags(&[
        Flag::switch(&["debug"]),
        Flag::text(&["l", "log-level"]),
        IGNORED_FORMAT,
    ])
    .restricted(),
    Tool::new("juju-reboot", "[options]", "Reboot the machine.").flags(&[Flag::switch(&["now"])]),
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
    .flags(&[RELATION, APP, FORMAT, OUTPUT])
    .prints(Output::Smart),
    Tool::new(
        "relation-ids",
        "[options] [<endpoint>]",
        "Print the relations of an endpoint.",
    )
    .flags(SMART)
    .prints(Output::Smart),
    Tool::new(
        "relation-list",
        "[options]",
        "Print the units of a relation, or its application.",
    )
    .flags(&[RELATION, APP, FORMAT, OUTPUT])
    .prints(Output::Smart),
    Tool::new(
        "relation-model-get",
        "[options]",
        "Print the model of the other side of a relation.",
    )
    .flags(&[RELATION, FORMAT, OUTPUT])
    .prints(Output::Smart)
    .since(3, 6, 1),
    Tool::new(
        "relation-set",
        "[options] key=value [key=value ...]",
        "Set relation data when the hook succeeds.",
    )
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
        "Make a secret when the hook succeeds; its URI is printed at once.",
    )
    .flags(SECRET)
    .secret_content()
    .prints(Output::Text)
    .since(3, 0, 0),
    Tool::new(
        "secret-get",
        "[options] [<ID>] [<key>[#base64]]",
        "Print the content of a secret.",
    )
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
    .flags(&[RELATION, UNIT])
    .since(3, 0, 0),
    Tool::new(
        "secret-ids",
        "[options]",
        "Print the ids of the own secrets.",
    )
    .flags(SMART)
    .prints(Output::Smart)
    .since(3, 0, 0),
    Tool::new(
        "secret-info-get",
        "[options] [<ID>]",
        "Print the metadata of an own secret.",
    )
    .flags(&[LABEL, YAML_FORMAT, OUTPUT])
    .prints(Output::Yaml)
    .since(3, 0, 3),
    Tool::new(
        "secret-remove",
        "[options] <ID>",
        "Remove a secret, or one revision of it, when the hook succeeds.",
    )
    .flags(&[Flag::text(&["revision"])])
    .since(3, 0, 0),
    Tool::new(
        "secret-revoke",
        "[options] <ID>",
        "Revoke access to a secret.",
    )
    .flags(&[RELATION, Flag::text(&["app", "application"]), UNIT])
    .since(3, 0, 0),
    Tool::new(
        "secret-set",
        "[options] <ID> [key[#base64|#file]=value ...]",
        "Change a secret when the hook succeeds.",
    )
    .flags(SECRET)
    .secret_content()
    .since(3, 0, 0),
    Tool::new(
        "state-delete",
        "<key>",
        "Delete a value of the unit's state when the hook succeeds.",
    ),
    Tool::new(
        "state-get",
        "[options] [<key>]",
        "Print the unit's state in the controller, or one value of it.",
    )
    .flags(&[Flag::switch(&["strict"]), FORMAT, OUTPUT])
    .prints(Output::Smart),
    Tool::new(
        "state-set",
        "[options] key=value [key=value ...]",
        "Set values of the unit's state when the hook succeeds.",
    )
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
                .find(|kind| matches!(kind, Kind::Format | Kind::YamlFormat));
            let wanted = match tool.output {
                Output::Smart => Some(Kind::Format),
                Output::Yaml => Some(Kind::YamlFormat),
                Output::Nothing | Output::Text => None,
            };
            assert_eq!(format, wanted, "{}", tool.name);
            let writes = tool.flags.iter().any(|flag| flag.kind == Kind::FileOutput);
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
