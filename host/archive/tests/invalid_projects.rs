//! Projects that Juju or charmcraft would reject later are rejected, with advice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use charmhost_archive::check_name;
use charmhost_error_chain::ErrorChain;
use common::{PLAIN, problems, project, with};

/// Keys that are added to a valid project, and a part of the only problem.
const REFUSED: &[(&str, &str)] = &[
    (
        "tags: [a]",
        "the key `tags` in charmcraft.yaml: extra inputs are not permitted",
    ),
    (
        "bases: []",
        "write `base: ubuntu@24.04` and `platforms: {amd64: }`",
    ),
    ("display-name: x", "write `title`"),
    ("min-juju-version: '3.6'", "write `assumes: [juju >= 3.6]`"),
    ("relatoins: {}", "correct its spelling"),
    ("title: x", "2 to 40 characters"),
    (
        "links: {homepage: 'https://a.b'}",
        "`links.homepage`: extra inputs are not permitted",
    ),
    ("links: {website: a.b}", "must begin with https://"),
    (
        "links: {contact: 5}",
        "`links.contact`: it must be a string, and is the number 5; write it in quotes",
    ),
    ("charm-user: nobody", "root, sudoer or non-root"),
    ("subordinate: 'yes'", "it must be true or false"),
    (
        "subordinate: true",
        "without an endpoint under `requires` with `scope: container`",
    ),
    (
        "assumes: [Juju 3]",
        "cannot use `assumes` with the string \"Juju 3\"",
    ),
    ("assumes: [{some-of: [a]}]", "one key, any-of or all-of"),
    ("assumes: k8s-api", "`assumes`: it must be a list"),
    ("terms: [1]", "cannot use `terms`"),
    // Endpoints.
    (
        "requires: [db]",
        "`requires`: it must be a map, and is a list",
    ),
    (
        "requires: {db: }",
        "`requires.db`: it must be a map, and is empty",
    ),
    ("requires: {db: {}}", "has no `interface`"),
    (
        "requires: {db: {interface: 5}}",
        "`requires.db.interface`: it must be a string",
    ),
    (
        "requires: {db: {interface: pg, scope: local}}",
        "write global or container",
    ),
    (
        "requires: {db: {interface: pg, limit: many}}",
        "`requires.db.limit`: it must be a whole number",
    ),
    (
        "requires: {db: {interface: pg, optional: maybe}}",
        "`requires.db.optional`: it must be true or false",
    ),
    (
        "requires: {a.b: {interface: pg}}",
        "must not be empty, begin with $ or have a dot",
    ),
    (
        "requires: {juju-x: pg}",
        "names that begin with juju are Juju's",
    ),
    (
        "provides: {x: juju-info}",
        "interfaces that begin with juju",
    ),
    (
        "requires: {web: http}\nprovides: {web: http}",
        "`provides.web` has the same name",
    ),
    ("extra-bindings: {}", "with nothing under it"),
    ("extra-bindings: {a: 1}", "it must not have a value"),
    (
        "requires: {a: pg}\nextra-bindings: {a: }",
        "an endpoint has that name",
    ),
    // Containers, resources, storage, devices.
    (
        "containers: {app: }",
        "`containers.app`: it must be a map, and is empty",
    ),
    (
        "containers: {app: {resource: img}}",
        "there is no resource `img`",
    ),
    (
        "containers: {app: {resource: f}}\nresources: {f: {type: file, filename: f}}",
        "is not an oci-image",
    ),
    (
        "containers: {app: {mounts: [{storage: d, location: /d}]}}",
        "there is no storage `d`",
    ),
    (
        "containers: {app: {mounts: [{storage: d}]}}\nstorage: {d: {type: filesystem}}",
        "`containers.app.mounts.location`: it is missing",
    ),
    (
        "containers: {app: {uid: 1000}}",
        "1000 to 9999 are Juju's own",
    ),
    (
        "containers: {app: {resource: i, bases: []}}\nresources: {i: {type: oci-image}}",
        "both `resource` and `bases`",
    ),
    ("resources: {f: {type: file}}", "needs a `filename`"),
    ("resources: {f: {type: file, filename: a/b}}", "has a /"),
    ("resources: {f: {type: oci}}", "must be oci-image or file"),
    ("storage: {d: {type: disk}}", "must be filesystem or block"),
    (
        "storage: {d: {type: block, location: /d}}",
        "only storage of the type filesystem",
    ),
    (
        "storage: {d: {type: block, multiple: {range: 3}}}",
        "in quotes",
    ),
    (
        "storage: {d: {type: block, multiple: {range: 'x'}}}",
        "write `range: 1-3`",
    ),
    ("devices: {g: {}}", "needs a `type`"),
    (
        "devices: {g: {type: gpu, countmin: 2, countmax: 1}}",
        "more than its countmax",
    ),
    (
        "storage: {d: {type: block, multiple: {range: 0-0}}}",
        "write `range: 1-3`",
    ),
    (
        "storage: {d: {type: block, minimum-size: big}}",
        "is not a size",
    ),
    (
        "storage: {d: {type: block, properties: [x]}}",
        "it must be transient",
    ),
    (
        "resources: {'': {type: oci-image}}",
        "a resource without a name",
    ),
    (
        "resources: {r: {type: file, filename: 5}}",
        "`resources.r.filename`: it must be a string",
    ),
    (
        "devices: {g: {type: gpu, description: }}",
        "`devices.g.description`",
    ),
    ("assumes: [juju >= 3.x]", "cannot use `assumes`"),
    (
        "terms: [Terms]",
        "cannot use `terms` with the string \"Terms\"",
    ),
    // Options.
    ("config: {options: {}, port: {type: int}}", "`config.port`"),
    (
        "config: {options: [a]}",
        "`config.options`: it must be a map",
    ),
    ("config: {options: {a: {}}}", "without `type`"),
    (
        "config: {options: {a: {type: list}}}",
        "must be one of string, int, float, boolean, secret",
    ),
    (
        "config: {options: {a: {type: string, default: 5}}}",
        "the default is the number 5; write it in quotes",
    ),
    (
        "config: {options: {a: {type: string, default: on}}}",
        "the boolean true; write it in quotes",
    ),
    (
        "config: {options: {a: {type: int, default: 1.5}}}",
        "the type int, and the default is the number 1.5",
    ),
    (
        "config: {options: {a: {type: int, default: '5'}}}",
        "write it without quotes",
    ),
    (
        "config: {options: {a: {type: float, default: 1e3}}}",
        "the string \"1e3\"",
    ),
    (
        "config: {options: {a: {type: boolean, default: 'true'}}}",
        "write it without quotes",
    ),
    (
        "config: {options: {a: {type: secret, default: abc}}}",
        "begins with secret:",
    ),
    // Actions.
    ("actions: {a: {required: [x, x]}}", "it names x twice"),
    (
        "actions: {a: {additionalProperties: 5}}",
        "true, false or a map",
    ),
    (
        "actions: {a: {params: {x: {enum: 5}}}}",
        "`actions.a.params.x.enum`: it must be a list",
    ),
    (
        "actions: {a: {params: {x: {minimum: '1'}}}}",
        "it must be a number",
    ),
    (
        "actions: {a: {params: {x: {items: 5}}}}",
        "`actions.a.params.x.items`: it must be a map",
    ),
    (
        "actions: {a: {params: {x: {oneOf: [{type: strin}]}}}}",
        "`actions.a.params.x.oneOf.type`",
    ),
    (
        "actions: {a: {params: {x: {required: true}}}}",
        "it must be a list",
    ),
    (
        "actions: {do_it: {}}",
        "lower-case letters, digits and hyphens",
    ),
    ("actions: {juju-x: {}}", "names that begin with juju"),
    (
        "actions: {a: {params: }}",
        "`actions.a.params`: it must be a map, and is empty",
    ),
    (
        "actions: {a: {params: [to]}}",
        "`actions.a.params`: it must be a map, and is a list",
    ),
    (
        "actions: {a: {params: {to: string}}}",
        "`actions.a.params.to`: it must be a map",
    ),
    (
        "actions: {a: {params: {to: {type: strin}}}}",
        "one of array, boolean",
    ),
    (
        "actions: {a: {params: {to: {type: array, items: {type: strin}}}}}",
        "`actions.a.params.to.items.type`",
    ),
    (
        "actions: {a: {params: {to: {$ref: '#/x'}}}}",
        "Juju resolves no references",
    ),
    (
        "actions: {a: {required: to}}",
        "`actions.a.required`: it must be a list",
    ),
    (
        "actions: {a: {description: 5}}",
        "`actions.a.description`: it must be a string",
    ),
    (
        "actions: {a: {parallel: 'yes'}}",
        "`actions.a.parallel`: it must be true or false",
    ),
    (
        "actions: {actions: {backup: {description: x}}}",
        "remove the inner key",
    ),
];

#[test]
fn each_mistake_is_one_problem_with_advice() {
    for (more, wanted) in REFUSED {
        let found = problems(&[("charmcraft.yaml", &with(more))]);
        assert_eq!(found.len(), 1, "{more} gave {found:#?}");
        assert!(found[0].contains(wanted), "{more} gave {found:#?}");
        assert!(found[0].starts_with("cannot "), "{found:?}");
    }
}

/// Platforms and bases, with a part of the problem.
const PLATFORMS: &[(&str, &str)] = &[
    ("base: ubuntu@24.04", "charmcraft.yaml has no `platforms`"),
    ("base: ubuntu@24.04\nplatforms: {}", "`platforms` is empty"),
    (
        "base: ubuntu@24.04\nplatforms: {all: }",
        "the name is reserved",
    ),
    (
        "base: ubuntu@24.04\nplatforms: {x86_64: }",
        "not one of Juju's architectures",
    ),
    (
        "base: ubuntu@24.04\nplatforms: {x: {build-on: [amd64], build-for: [all]}}",
        "Juju rejects charms for the architecture `all`",
    ),
    (
        "base: ubuntu@24.04\nplatforms: {x: {build-on: [amd64], build-for: [amd64, arm64]}}",
        "must name one architecture",
    ),
    (
        "base: ubuntu@24.04\nplatforms: {x: {build-for: [amd64]}}",
        "has no `build-on`",
    ),
    (
        "base: ubuntu@24.04\nplatforms: {amd64: {run-on: amd64}}",
        "has the key `run-on`",
    ),
    (
        "base: ubuntu@24.04\nplatforms: {amd64: , x: {build-on: amd64, build-for: amd64}}",
        "both are for amd64",
    ),
    (
        "base: almalinux@9\nplatforms: {amd64: }",
        "Juju cannot read charms with the base `almalinux@9`",
    ),
    (
        "base: ubuntu@devel\nplatforms: {amd64: }",
        "no released version",
    ),
    (
        "base: 24.04\nplatforms: {amd64: }",
        "`base`: it must be a string, and is the number",
    ),
    ("platforms: {amd64: }", "has no base"),
    (
        "base: ubuntu@24.04\nplatforms: {'ubuntu@22.04:amd64': }",
        "remove one of them",
    ),
];

#[test]
fn platforms_that_cannot_be_packed_are_rejected() {
    for (more, wanted) in PLATFORMS {
        let text = format!("{PLAIN}name: demo\n{more}\n");
        let found = problems(&[("charmcraft.yaml", &text)]);
        assert_eq!(found.len(), 1, "{more} gave {found:#?}");
        assert!(found[0].contains(wanted), "{more} gave {found:#?}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = "type: rock\nname: Demo\nseries: [x]\nplatforms: {any: }\nrequires: {a: 1, b: 2}\n";
    let found = problems(&[("charmcraft.yaml", text)]);
    for wanted in [
        "type: charm",
        "\"Demo\"",
        "`series`",
        "`any`",
        "`summary`",
        "`description`",
        "requires.a",
        "requires.b",
    ] {
        assert!(
            found.iter().any(|one| one.contains(wanted)),
            "{wanted}: {found:#?}"
        );
    }
}

#[test]
fn files_beside_charmcraft_yaml_may_not_contradict_it() {
    let plain = with("");
    let charmcraft = "type: charm\nbase: ubuntu@24.04\nplatforms: {amd64: }\n";
    let lost = format!("{charmcraft}requires: {{db: pg}}\n");
    let metadata = "name: old\nsummary: s\ndescription: d\n";
    let config = with("config: {options: {}}\n");
    let actions = with("actions: {a: {}}\n");
    let mixed = format!("{metadata}series: [noble]\ncontainers: {{}}\n");
    let null = format!("{metadata}requires:\n");
    for (charmcraft, file, text, wanted, count) in [
        (
            plain.as_str(),
            "metadata.yaml",
            metadata,
            "cannot be duplicated in metadata.yaml",
            3,
        ),
        (&lost, "metadata.yaml", metadata, "would be lost", 1),
        (
            charmcraft,
            "metadata.yaml",
            "- a\n",
            "metadata.yaml: it must be a map",
            4,
        ),
        (
            charmcraft,
            "metadata.yaml",
            &null,
            "`requires`: it must be a map, and is empty",
            1,
        ),
        (
            charmcraft,
            "metadata.yaml",
            &mixed,
            "cannot use series together with containers",
            1,
        ),
        (
            &config,
            "config.yaml",
            "options: {}\n",
            "when config.yaml exists",
            1,
        ),
        (
            &actions,
            "actions.yaml",
            "b: {}\n",
            "when actions.yaml exists",
            1,
        ),
        (
            &plain,
            "config.yaml",
            "",
            "`config`: it must be a map, and is empty",
            1,
        ),
        (
            &plain,
            "config.yaml",
            "{}\n",
            "Juju rejects an empty configuration",
            1,
        ),
        (
            &plain,
            "lxd-profile.yaml",
            "config: {limits.cpu: '2'}\n",
            "limits.cpu",
            1,
        ),
        (
            &plain,
            "lxd-profile.yaml",
            "devices: {d: {type: disk}}\n",
            "its type \"disk\"",
            1,
        ),
        (
            &plain,
            "config.yaml",
            "options: {on: {type: int}}\n",
            "config.yaml: line 1",
            1,
        ),
    ] {
        let found = problems(&[("charmcraft.yaml", charmcraft), (file, text)]);
        assert_eq!(found.len(), count, "{file} {text:?} gave {found:#?}");
        assert!(
            found.iter().any(|one| one.contains(wanted)),
            "{file} {text:?} gave {found:#?}"
        );
    }
}

#[test]
fn valid_projects_pass() {
    for more in [
        "requires: {db: pg}",
        "requires: {db: {interface: pg, limit: , scope: global}}",
        "requires: {i: juju-info}",
        "subordinate: true\nrequires: {juju-info: {interface: juju-info, scope: container}}",
        "containers: {app: {}}",
        "containers: {app: {uid: 999, gid: 10000}}",
        "storage: {d: {type: filesystem, location: /d, multiple: {range: 1-3}}}",
        "storage: {d: {type: filesystem, multiple: {range: 0+}}}",
        "storage: {d: {type: filesystem, multiple: {range: '2'}}}",
        "terms: [my-terms, owner/my-terms/3]",
        "storage: {d: {type: block, minimum-size: 1.5GiB, properties: [transient]}}",
        "assumes: [juju >= 3.6-beta1, juju < 5.0.0, k8s-api, 'juju>=3.6', juju < 5, {any-of: [{all-of: [k8s-api]}]}]",
        "config: {options: {a: {type: float, default: 5}, b: {type: int, default: }, c: {type: secret, default: ''}}}",
        "config: {options: }",
        "actions: {a: , b: {params: {}}, c: {params: {x: {type: [string, 'null']}}, x-own: 1}}",
        "actions: {actions: {description: odd but allowed}}",
        "extra-bindings: {a: }",
        "devices: {g: {type: nvidia.com/gpu, countmin: 1, countmax: 1}}",
        "version: '1.0'\ncharm-libs: [{lib: a.b, version: '1'}]\nanalysis: {ignore: {}}",
    ] {
        assert_eq!(
            problems(&[("charmcraft.yaml", &with(more))]),
            [""; 0],
            "{more}"
        );
    }
}

#[test]
fn a_charm_of_juju_may_use_reserved_names() {
    let text = with("provides: {juju-x: juju-y}\nactions: {juju-z: {}}\n")
        .replace("name: demo", "name: juju-own");
    assert_eq!(problems(&[("charmcraft.yaml", &text)]), [""; 0]);
}

#[test]
fn names() {
    for name in ["a", "demo", "demo-k8s", "a1", "pg2-k8s", "a-1b", "a-b-c"] {
        assert!(check_name(name).is_ok(), "{name}");
    }
    for name in [
        "", "Demo", "demo-1", "my_demo", "1a", "-a", "a-", "a--b", "a b", "ä", "a/b",
    ] {
        let error = check_name(name).unwrap_err().to_string();
        assert!(
            error.contains("cannot use the charm name"),
            "{name}: {error}"
        );
    }
}

#[test]
fn other_directories_are_rejected() {
    let (_dir, missing) = project(&[]);
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("cannot find charmcraft.yaml")
    );
    let (_dir, list) = project(&[("charmcraft.yaml", "- a\n")]);
    assert!(
        list.unwrap_err()
            .to_string()
            .contains("must be a map of keys")
    );
    let (_dir, broken) = project(&[("charmcraft.yaml", "a: [\n")]);
    let error = broken.unwrap_err().chain().to_string();
    assert!(
        error.starts_with("cannot read charmcraft.yaml: line "),
        "{error}"
    );
    assert_eq!(error.matches("line ").count(), 1, "{error}");
}
