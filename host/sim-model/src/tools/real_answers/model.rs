//! The unit behind the recorded answers, as far as they show it.

use serde_json::{Value, json};

use crate::{
    Action, Config, Databag, Hook, HookContext, Network, Networks, RelationView, Storage, UnitView,
};

const UNI: &str = "zażółć 🦊\nsecond line\n\ttab";

/// A hook of a recorded context.
pub fn hook(juju: &str, context: &str) -> Hook {
    let mut model = UnitView {
        uuid: "11111111-2222-4333-8444-555555555555".to_owned(),
        juju_version: juju.to_owned(),
        app: "wordpress".to_owned(),
        unit: "wordpress/0".to_owned(),
        leader: context != "config-changed, not leader",
        kubernetes: context == "config-changed on Kubernetes",
        config: config(),
        endpoints: ["cluster", "db", "url", "website"]
            .map(str::to_owned)
            .into(),
        networks: networks(),
        ..UnitView::default()
    };
    model.relations = [(7, "mysql", "db"), (9, "other", "db")]
        .map(|(id, app, endpoint)| (id, relation(id, app, endpoint)))
        .into();
    for (id, kind, location) in [
        ("data/0", "filesystem", "/srv/data"),
        ("disks/1", "block", "/dev/sdb"),
    ] {
        let (kind, location) = (kind.to_owned(), location.to_owned());
        model
            .storages
            .insert(id.to_owned(), Storage { kind, location });
    }
    super::secrets::add(&mut model);
    let context = match context {
        "db-relation-changed" => HookContext::Relation {
            id: 7,
            remote_app: Some("mysql".to_owned()),
            remote_unit: Some("mysql/0".to_owned()),
        },
        "data-storage-attached" => HookContext::Storage("data/0".to_owned()),
        "action" => HookContext::Action(Action {
            params: params().as_object().unwrap().clone(),
            ..Action::default()
        }),
        "config-changed"
        | "config-changed, fresh"
        | "config-changed, not leader"
        | "config-changed on Kubernetes"
        | "client" => HookContext::Plain,
        other => panic!("no such context: {other}"),
    };
    Hook::new(model, context)
}

/// One option of each odd value.
fn config() -> Config {
    let mut options = json!({"unset": {"type": "string"}});
    for (name, value) in [
        ("bang", json!("!b")),
        ("big", json!(123_456_789_012_i64)),
        ("bslash", json!("a\\b")),
        ("colon", json!("a: b")),
        ("ctl", json!("a\u{1}b\u{85}c\u{2028}d")),
        ("dash", json!("-")),
        ("date", json!("2026-01-02")),
        ("debug", json!(true)),
        ("dot", json!(".5")),
        ("empty", json!("")),
        ("eq", json!("=")),
        ("exp", json!("1e3")),
        ("fl", json!(1e6)),
        ("hash", json!("# x")),
        ("hex", json!("0x1F")),
        ("html", json!("<a href='x'>&</a>")),
        ("huge", json!(1e21)),
        ("inf", json!(".inf")),
        ("long", json!("word ".repeat(40))),
        ("merge", json!("<<")),
        ("million", json!(1_000_000)),
        ("name", json!("blog")),
        ("neg", json!(-5)),
        ("nl", json!("\n")),
        ("octal", json!("0123")),
        ("pct", json!("%x")),
        ("port", json!(8080)),
        ("qm", json!("? x")),
        ("quote", json!("it's \"q\"")),
        ("ratio", json!(0.5)),
        ("sp", json!(" lead")),
        ("star", json!("*a")),
        ("tilde", json!("~")),
        ("time", json!("12:30:45")),
        ("trail", json!("ends \n\n")),
        ("uni", json!(UNI)),
        ("yes", json!("yes")),
    ] {
        let kind = match &value {
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_i64() => "int",
            Value::Number(_) => "float",
            _ => "string",
        };
        options[name] = json!({"type": kind, "default": value});
    }
    let document = json!({ "options": options });
    Config::new(document.as_object().unwrap()).unwrap()
}

/// The default network for most endpoints; `website` has no address to bind to
/// and `url` no address at all.
fn networks() -> Networks {
    let mut networks = Networks::of_substrate(false);
    let ingress = Network {
        ingress_addresses: vec!["203.0.113.7".to_owned()],
        ..Network::default()
    };
    networks.by_binding = [
        ("website".to_owned(), ingress),
        ("url".to_owned(), Network::default()),
    ]
    .into();
    networks
}

fn bag(pairs: &[(&str, &str)]) -> Databag {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn relation(id: u32, remote_app: &str, endpoint: &str) -> RelationView {
    let unit = bag(&[
        ("empty-ish", " "),
        ("host", "10.0.0.9"),
        ("ingress-address", "10.0.0.9"),
        ("port", "3306"),
        ("uni", UNI),
        ("yes", "yes"),
    ]);
    RelationView {
        id,
        endpoint: endpoint.to_owned(),
        interface: "mysql".to_owned(),
        remote_app: remote_app.to_owned(),
        remote_units_data: [(format!("{remote_app}/0"), unit)].into(),
        local_unit_data: bag(&[
            ("egress-subnets", "10.0.0.7/32"),
            ("ingress-address", "10.0.0.7"),
            ("private-address", "10.0.0.7"),
        ]),
        ..RelationView::default()
    }
}

fn params() -> Value {
    json!({
        "big": 12_345_678_901_234_567_i64,
        "bool": false,
        "empty": "",
        "f": 2.5,
        "list": [1, "two", {"a": [], "k": "v"}, null, true],
        "long": "x".repeat(200),
        "n": 1_000_000,
        "nest": {
            "1": "num key",
            "a": {"b": {"c": "deep", "z": 1}},
            "e": {},
            "x.y": "dotted",
        },
        "nul": null,
        "s": UNI,
        "yes": "yes",
    })
}
