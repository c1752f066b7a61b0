//! The metadata that a guest reads, compared with what Python ops makes of the same
//! files.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Agent, Dispatch, copy, prints, root, shown, usual};

const GUEST: &str = "tests/guests/machine";

/// Sections of `metadata.yaml`, in several forms each.
const METADATA: &[&[&str]] = &[
    &[
        "",
        "summary: A charm",
        "summary: |\n  Two\n  lines",
        "summary: ''",
    ],
    &[
        "",
        "description: 'It: does'",
        "description: >\n  folded\n  text",
    ],
    &[
        "",
        "maintainer: a@b",
        "maintainers: [a@b, c@d]",
        "maintainer: a\nmaintainers: [b]",
    ],
    &[
        "",
        "subordinate: true",
        "subordinate: no",
        "subordinate: off",
    ],
    &[
        "",
        "tags: [a, b]",
        "terms: [x/1]",
        "series: [focal, jammy]",
        "tags: []",
    ],
    &["", "min-juju-version: 3.1.0", "min-juju-version: '3.6'"],
    &["", "charm-user: non-root", "charm-user: sudoer"],
    &[
        "",
        "links: {website: w, source: [s, t], issues: i, documentation: d, contact: c}",
        "links: {}",
        "links: {website: w}\nwebsite: [v]\ndocs: e",
        "website: w\nsource: s\nissues: [i, j]\ndocs: d",
        "website: []\nlinks: {website: w, documentation: d}",
    ],
    &[
        "",
        "assumes: []",
        "assumes: [juju >= 3.6, k8s-api]",
        "assumes:\n- any-of: [a, all-of: [b, c]]\n- d",
        "assumes: [{all-of: [{any-of: [a]}, {any-of: [b]}]}]",
    ],
    &[
        "",
        "requires: {db: {interface: pg, limit: 1, optional: true}}",
        "requires: {db: {interface: pg, scope: container}, cache: {interface: redis}}",
        "requires: {}",
        "requires: {db: {interface: pg, limit: null, scope: null}}",
    ],
    &[
        "",
        "provides: {web: {interface: http, scope: global, schema: v1}}",
    ],
    &[
        "",
        "peers: {ring: {interface: ring, limit: 3, optional: false}}",
    ],
    &[
        "",
        "storage: {data: {type: filesystem}}",
        "storage: {data: {type: block, shared: true, read-only: yes, minimum-size: 100M, location: /srv, description: d, properties: [transient]}}",
        "storage: {a: {type: filesystem, multiple: {range: 2+}}, b: {type: filesystem, multiple: {range: '3'}}}",
        "storage: {a: {type: filesystem, multiple: {range: 1-5}}, b: {type: filesystem, multiple: {range: 0-}}, c: {type: block, multiple: {range: 10-10}}}",
    ],
    &[
        "",
        "resources: {file: {type: file, filename: f.txt, description: d}, img: {type: oci-image}}",
        "resources: {img: {type: oci-image, upstream-source: x/y}}",
    ],
    &[
        "",
        "containers: {app: {resource: img}}",
        "containers: {app: }",
        "containers: {app: {bases: [{name: ubuntu, channel: '24.04', architectures: [amd64, arm64]}]}}",
        "containers: {app: {resource: img, mounts: [{storage: data, location: /a}, {storage: data, location: /b}, {storage: logs, location: /c}, {storage: none}]}, b: {}}",
    ],
    &[
        "",
        "payloads: {p: {type: docker}}",
        "extra-bindings: {public: , admin: }",
        "extra-bindings: {}",
    ],
    &["", "display-name: Nice\nfuture: {a: [1]}"],
];

/// `config.yaml`, in several forms; none is no file.
const CONFIG: &[Option<&str>] = &[
    None,
    Some(""),
    Some("options:"),
    Some("options: {}"),
    Some("options: {a: {type: string, default: x, description: d}, b: {type: int, default: 0}}"),
    Some(
        "options: {a: {type: boolean, default: on}, b: {type: float, default: 1.5}, c: {type: secret}}",
    ),
    Some("options: {a: {type: string, default: null, description: 'It: is'}}"),
];

/// `actions.yaml`, in several forms; none is no file.
const ACTIONS: &[Option<&str>] = &[
    None,
    Some(""),
    Some("backup: "),
    Some("backup: {description: d, title: t}"),
    Some("backup: {params: {to: {type: string, default: x}, n: {type: integer}}, required: [to]}"),
    Some(
        "backup: {additionalProperties: true}\nrestore: {additionalProperties: false, parallel: true}",
    ),
];

const VERSIONS: [&str; 3] = ["3.6.28", "4.0.0", "4.0-beta2"];

/// What both reject.
const INVALID: &[(&str, &str)] = &[
    ("requires: {db: {interface: pg, limit: few}}", ""),
    ("requires: {db: {interface: pg, scope: world}}", ""),
    ("storage: {data: {description: d}}", ""),
    (
        "storage: {data: {type: block, multiple: {range: many}}}",
        "",
    ),
    ("resources: {file: {filename: f}}", ""),
    ("payloads: {p: {}}", ""),
    (
        "containers: {app: {resource: img, bases: [{name: u, channel: c, architectures: [a]}]}}",
        "",
    ),
    ("containers: {app: {bases: [{name: u}]}}", ""),
    ("assumes: [{none-of: [a]}]", ""),
    ("assumes: [{any-of: [1]}]", ""),
    ("", "options: {a: {default: x}}"),
    ("", "options: [a]"),
    ("", "options: ["),
];

/// What Python prints for the files in its arguments: the document, or the error.
const SCRIPT: &str = "import json, os, sys
sys.path.insert(0, sys.argv[1])
import metadata_document, ops
for line in sys.stdin:
    case = json.loads(line)
    for name in ('metadata', 'config', 'actions'):
        path = os.path.join(sys.argv[2], name + '.yaml')
        if case[name] is None:
            if os.path.exists(path):
                os.remove(path)
        else:
            with open(path, 'w') as file:
                file.write(case[name])
    os.environ['JUJU_VERSION'] = case['version']
    try:
        meta = ops.CharmMeta.from_charm_root(sys.argv[2])
        print(json.dumps({'ok': metadata_document.document(meta)}))
    except Exception as error:
        print(json.dumps({'error': repr(error)}))
";

/// The files of a charm, and the version of Juju.
struct Case {
    metadata: String,
    config: Option<&'static str>,
    actions: Option<&'static str>,
    version: &'static str,
}

/// Every form of every section, combined with others: the nth case has the nth form
/// of the first section, and so on, each counted with another start.
fn cases() -> Vec<Case> {
    let case = |n: usize| {
        let sections = METADATA.iter().enumerate();
        let section = |(place, forms): (usize, &&[&str])| {
            forms[(n + n / forms.len() * place) % forms.len()].to_owned()
        };
        let sections: Vec<String> = sections.map(section).collect();
        Case {
            metadata: format!("name: machine\n{}\n", sections.join("\n")),
            config: CONFIG[n % CONFIG.len()],
            actions: ACTIONS[n % ACTIONS.len()],
            version: VERSIONS[n % VERSIONS.len()],
        }
    };
    (0..90).map(case).collect()
}

fn invalid_cases() -> Vec<Case> {
    let case = |(metadata, config): &(&str, &'static str)| Case {
        metadata: format!("name: machine\n{metadata}\n"),
        config: Some(config),
        actions: None,
        version: VERSIONS[0],
    };
    INVALID.iter().map(case).collect()
}

/// What ops makes of the cases.
fn of_ops(cases: &[Case]) -> Vec<Value> {
    let scratch = tempfile::tempdir().unwrap();
    let mut python = Command::new(root().join("target/ops-venv/bin/python"))
        .args(["-c", SCRIPT])
        .arg(root().join("tests/differential/ops-reference/machine/src"))
        .arg(scratch.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = cases
        .iter()
        .map(|case| {
            let case = json!({
                "metadata": case.metadata,
                "config": case.config,
                "actions": case.actions,
                "version": case.version,
            });
            format!("{case}\n")
        })
        .collect();
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn write(path: &Path, text: Option<&str>) {
    match text {
        Some(text) => std::fs::write(path, text).unwrap(),
        None => drop(std::fs::remove_file(path)),
    }
}

/// What the guest reads of the cases: a document, or the code of its error.
fn of_host(cases: &[Case]) -> Vec<String> {
    let charm = copy(GUEST);
    let read = |case: &Case| {
        write(&charm.path().join("metadata.yaml"), Some(&case.metadata));
        write(&charm.path().join("config.yaml"), case.config);
        write(&charm.path().join("actions.yaml"), case.actions);
        let agent = Agent::answering(|request| match request.tool.as_str() {
            "config-get" => prints("{\"orders\":\"metadata\"}"),
            _ => usual(request),
        });
        let dispatch = Dispatch::new(charm.path(), "hooks/config-changed", &agent);
        let ended = dispatch.var("JUJU_VERSION", case.version).run();
        assert_eq!(ended.code, Some(0), "{}\n{}", case.metadata, ended.stderr);
        let logs = agent.logs();
        let found = logs
            .iter()
            .find_map(|line| line.strip_prefix("INFO metadata: "));
        found.unwrap_or_else(|| panic!("{logs:?}")).to_owned()
    };
    cases.iter().map(read).collect()
}

#[test]
fn metadata_is_that_of_ops() {
    let cases = cases();
    let theirs = of_ops(&cases);
    for ((case, ours), theirs) in cases.iter().zip(of_host(&cases)).zip(theirs) {
        let ours: Value = serde_json::from_str(&ours).unwrap_or(Value::String(ours));
        let theirs = theirs.get("ok").unwrap_or(&theirs);
        for (key, wanted) in theirs.as_object().unwrap() {
            let Case {
                metadata, config, ..
            } = case;
            assert_eq!(&ours[key], wanted, "{key} of\n{metadata}\n{config:?}");
        }
        assert_eq!(
            ours.as_object().map(|ours| ours.len()),
            theirs.as_object().map(|theirs| theirs.len())
        );
    }
}

#[test]
fn metadata_that_ops_rejects_has_an_error_code() {
    let cases = invalid_cases();
    let theirs = of_ops(&cases);
    for ((case, ours), theirs) in cases.iter().zip(of_host(&cases)).zip(theirs) {
        let Case {
            metadata, config, ..
        } = case;
        assert!(
            theirs.get("error").is_some(),
            "ops accepts\n{metadata}\n{config:?}"
        );
        assert_eq!(ours, "metadata", "{metadata}\n{config:?}");
    }
}
