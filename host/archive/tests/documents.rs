//! The documents of an archive have the values that charmcraft 4.5.0 writes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use charmhost_archive::Mode;
use charmhost_yaml::parse;
use common::{PLAIN, project, with};
use serde_json::{Value, json};

const DEMO: &str = include_str!("data/demo-k8s.yaml");

/// What charmcraft 4.5.0 wrote for the same project.
const METADATA: &str = "assumes:\n- juju >= 3.6\n- any-of:\n  - k8s-api\ncharm-user: non-root\ncontainers:\n  app:\n    mounts:\n    - location: /data\n      storage: data\n    resource: img\ndescription: |\n  First.\n\n  Second.\ndisplay-name: Demo for Kubernetes\ndocs: https://example.com/docs\nmaintainers:\n- Jane <j@example.com>\nname: demo-k8s\nprovides:\n  web:\n    interface: http\nrequires:\n  db:\n    interface: pg\n    limit: 1\n    optional: true\nresources:\n  img:\n    type: oci-image\nsource:\n- https://example.com/src\nstorage:\n  data:\n    minimum-size: 1G\n    type: filesystem\nsummary: A demo\nwebsite: https://example.com/\n";
const CONFIG: &str = "options:\n  level:\n    default: 'on'\n    type: string\n  port:\n    default: 8080\n    description: Port\n    type: int\n  token:\n    type: secret\n";
const ACTIONS: &str = "backup:\n  additionalProperties: false\n  description: Make a backup\n  params:\n    to:\n      type: string\n  required:\n  - to\n";

/// Compares values and the order of keys, which maps alone ignore.
fn assert_same(ours: &str, theirs: &str) {
    let (ours, theirs) = (parse(ours).unwrap(), parse(theirs).unwrap());
    assert_eq!(ours.to_string(), theirs.to_string());
}

#[test]
fn the_worked_example_equals_charmcrafts_output() {
    let project = project(&[("charmcraft.yaml", DEMO)]).1.unwrap();
    let documents = project.documents("amd64").unwrap();
    assert_same(&documents.metadata, METADATA);
    assert_same(documents.config.as_deref().unwrap(), CONFIG);
    assert_same(documents.actions.as_deref().unwrap(), ACTIONS);
    let manifest = parse(&documents.manifest).unwrap();
    assert_eq!(
        manifest["bases"],
        json!([{"name": "ubuntu", "channel": "24.04", "architectures": ["amd64"]}])
    );
    assert_eq!(
        manifest.get("charmcraft-version"),
        None,
        "it is not charmcraft that packs"
    );
}

#[test]
fn documents_are_reproducible() {
    let documents = || {
        let project = project(&[("charmcraft.yaml", DEMO)]).1.unwrap();
        project.documents("amd64").unwrap()
    };
    assert_eq!(documents(), documents());
}

#[test]
fn every_string_is_quoted() {
    let text = with("config: {options: {a: {type: string, default: y}}}\n");
    let project = project(&[("charmcraft.yaml", &text)]).1.unwrap();
    let config = project.documents("amd64").unwrap().config.unwrap();
    assert!(config.contains("\"default\": \"y\"\n"), "{config}");
}

#[test]
fn empty_and_null_sections() {
    for (more, config) in [
        ("", None),
        ("config: {}\n", None),
        ("config:\n", None),
        ("config: {options: {}}\n", Some("\"options\": {}\n")),
        ("requires:\nprovides: {}\n", None),
    ] {
        let project = project(&[("charmcraft.yaml", &with(more))]).1.unwrap();
        let documents = project.documents("amd64").unwrap();
        assert_eq!(documents.config.as_deref(), config, "{more}");
        assert_eq!(project.metadata().get("requires"), None, "null is left out");
        let kept = more.contains("provides").then(|| json!({}));
        assert_eq!(
            project.metadata().get("provides"),
            kept.as_ref(),
            "empty is kept"
        );
    }
}

#[test]
fn documents_in_separate_files_are_copied() {
    let charmcraft = "type: charm\nbase: ubuntu@24.04\nplatforms: {amd64: }\n";
    let metadata = format!("{PLAIN}name: old\nmaintainer: Jane\nrequires: {{db: pg}}\n");
    let files = [
        ("charmcraft.yaml", charmcraft),
        ("metadata.yaml", &metadata),
        (
            "config.yaml",
            "options:\n  b: {type: string, default: n}\n  a: {type: int}\n",
        ),
        ("actions.yaml", "run: {}\n"),
    ];
    let project = project(&files).1.unwrap();
    assert_eq!(project.name(), "old");
    assert_eq!(project.metadata(), &parse(&metadata).unwrap());
    assert_eq!(project.actions(), Some(&json!({"run": {}})));
    let config = project.documents("amd64").unwrap().config.unwrap();
    assert_same(&config, files[2].1);
    assert!(
        config.contains("\"n\""),
        "Juju reads a bare n as false: {config}"
    );
}

#[test]
fn platforms_become_architectures_bases_and_file_names() {
    let both = "base: ubuntu@24.04\nplatforms:\n  amd64:\n  big: {build-on: [amd64], build-for: [arm64]}\n";
    let multi = "platforms:\n  ubuntu@22.04:amd64:\n  ubuntu@24.04:arm64:\n";
    let one = "base: ubuntu@26.04\nbuild-base: ubuntu@26.04\nplatforms: {riscv64: {build-on: amd64, build-for: riscv64}}\n";
    for (text, architecture, channel, file, count) in [
        (both, "amd64", "24.04", "demo_amd64.charm", 2),
        (both, "arm64", "24.04", "demo_big.charm", 2),
        (multi, "amd64", "22.04", "demo_ubuntu@22.04-amd64.charm", 2),
        (multi, "arm64", "24.04", "demo_ubuntu@24.04-arm64.charm", 2),
        (one, "riscv64", "26.04", "demo_riscv64.charm", 1),
    ] {
        let text = format!("{PLAIN}name: demo\n{text}");
        let project = project(&[("charmcraft.yaml", &text)]).1.unwrap();
        assert_eq!(project.architectures().len(), count);
        assert_eq!(project.platform_file_name(architecture).unwrap(), file);
        let manifest = parse(&project.documents(architecture).unwrap().manifest).unwrap();
        assert_eq!(manifest["bases"][0]["channel"], channel);
        assert_eq!(manifest["bases"][0]["architectures"], json!([architecture]));
        let unknown = project.documents("s390x").unwrap_err().to_string();
        assert!(unknown.contains("cannot pack for s390x"), "{unknown}");
    }
}

#[test]
fn default_files_are_copied() {
    let text = with("");
    let files = [
        ("charmcraft.yaml", text.as_str()),
        ("LICENSE", "x"),
        ("icon.svg", "x"),
        ("notes.txt", "x"),
    ];
    let (_dir, project) = project(&files);
    let entries = project.unwrap().files().unwrap();
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["LICENSE", "icon.svg"]);
    assert!(entries.iter().all(|entry| entry.mode == Mode::Data));
}

#[test]
fn a_copied_file_may_not_be_a_link_out_of_the_project() {
    let text = with("");
    let (dir, project) = project(&[("charmcraft.yaml", &text)]);
    std::os::unix::fs::symlink("/etc/hostname", dir.path().join("LICENSE")).unwrap();
    let error = project.unwrap().files().unwrap_err().to_string();
    assert!(error.contains("leads out of the project"), "{error}");
}

#[test]
fn values_keep_their_types() {
    let text = with(
        "config: {options: {f: {type: float, default: 1.0e+300}, b: {type: boolean, default: no}, \
         s: {type: string, default: 'ö 😀 a/b \"q\" 1e3'}}}\n",
    );
    let project = project(&[("charmcraft.yaml", &text)]).1.unwrap();
    let config = project.documents("amd64").unwrap().config.unwrap();
    let read: Value = parse(&config).unwrap();
    assert_eq!(read["options"]["f"]["default"], json!(1e300));
    assert_eq!(read["options"]["b"]["default"], json!(false));
    assert_eq!(read["options"]["s"]["default"], "ö 😀 a/b \"q\" 1e3");
}
