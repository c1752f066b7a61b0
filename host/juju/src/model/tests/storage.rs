//! Storage, resources, ports and reboots.

use charmhost_hook_tools::ToolError;

use super::*;
use crate::{OpenedPort, Port, RebootTime, StorageInstance, StorageKind};

const DATA_0: &str = "storage-get --format=json -s data/0";

#[test]
fn storage_is_listed_and_looked_up_once() {
    let mut bench = Bench::new(&[
        ("storage-list", Ok("[\"data/10\",\"data/0\"]\n")),
        (
            "storage-get",
            Ok("{\"kind\":\"filesystem\",\"location\":\"/srv/data\"}\n"),
        ),
    ]);
    for _ in 0..2 {
        assert_eq!(bench.model.storage_indices("data").unwrap(), [0, 10]);
        let found = bench.model.storage("data", 0).unwrap().clone();
        let wanted = StorageInstance {
            name: "data".to_owned(),
            index: 0,
            kind: StorageKind::Filesystem,
            location: "/srv/data".to_owned(),
        };
        assert_eq!(found, wanted);
    }
    bench.model.storage("data", 10).unwrap();
    bench.model.request_storage("data", 2).unwrap();
    assert_eq!(
        bench.calls(),
        [
            "storage-list --format=json data",
            DATA_0,
            "storage-get --format=json -s data/10",
            "storage-add data=2",
        ]
    );
}

#[test]
fn kinds_of_storage_are_told_apart() {
    let answers: [(Answers, StorageKind); 2] = [
        (
            &[(
                "storage-get",
                Ok("{\"kind\":\"block\",\"location\":\"/dev/x\"}"),
            )],
            StorageKind::Block,
        ),
        (
            &[(
                "storage-get",
                Ok("{\"kind\":\"tape\",\"location\":\"/dev/x\"}"),
            )],
            StorageKind::Other("tape".to_owned()),
        ),
    ];
    for (answers, wanted) in answers {
        let mut bench = Bench::new(answers);
        assert_eq!(bench.model.storage("data", 0).unwrap().kind, wanted);
    }
}

#[test]
fn storage_that_failed_is_asked_for_again() {
    let mut bench = Bench::new(&[
        ("storage-list", Err("it is late")),
        ("storage-get", Ok("{\"kind\":\"block\"}")),
        ("storage-add", Err("no pool")),
    ]);
    for _ in 0..2 {
        let error = bench.model.storage_indices("data").unwrap_err();
        assert!(matches!(error, ToolError::Other { .. }), "{error:?}");
        let error = bench.model.storage("data", 0).unwrap_err();
        assert!(error.to_string().contains("kind and location"), "{error}");
    }
    let error = bench.model.request_storage("data", 1).unwrap_err();
    assert_eq!(error.to_string(), "cannot run storage-add: no pool");
    assert_eq!(bench.calls().len(), 5);
}

#[test]
fn an_instance_that_the_unit_does_not_have_is_not_found() {
    let mut bench = Bench::new(&[(
        "storage-get",
        Err("invalid value \"data/9\" for option -s: storage not found"),
    )]);
    let error = bench.model.storage("data", 9).unwrap_err();
    assert!(matches!(error, ToolError::NotFound { .. }), "{error:?}");
}

#[test]
fn what_the_metadata_does_not_declare_is_not_asked_for() {
    let mut bench = Bench::new(&[]);
    let model = &mut bench.model;
    let errors = [
        model.storage_indices("cache").unwrap_err(),
        model.storage("cache", 0).unwrap_err(),
        model.request_storage("cache", 1).unwrap_err(),
        model.resource("tar").unwrap_err(),
    ];
    let texts = errors.map(|error| {
        assert!(matches!(error, ToolError::NotFound { .. }), "{error:?}");
        error.to_string()
    });
    assert_eq!(
        texts,
        [
            "cannot run storage-list: there is no storage \"cache\": the charm has data",
            "cannot run storage-get: there is no storage \"cache\": the charm has data",
            "cannot run storage-add: there is no storage \"cache\": the charm has data",
            "cannot run resource-get: there is no resource \"tar\": the charm has image",
        ]
    );
    assert!(bench.calls().is_empty());
}

#[test]
fn a_resource_is_fetched_once() {
    let mut bench = Bench::new(&[("resource-get", Ok("/var/lib/image.tgz\n"))]);
    for _ in 0..2 {
        let path = bench.model.resource("image").unwrap();
        assert_eq!(path, "/var/lib/image.tgz");
    }
    assert_eq!(bench.calls(), ["resource-get image"]);
}

#[test]
fn a_resource_that_cannot_be_fetched_is_asked_for_again() {
    let answers: [Answers; 2] = [
        &[(
            "resource-get",
            Err("could not download resource: it is late"),
        )],
        &[("resource-get", Ok("x"))],
    ];
    for answers in answers {
        let mut bench = Bench::new(answers);
        bench.model.resource("image").unwrap_err();
        bench.model.resource("image").unwrap_err();
        assert_eq!(bench.calls().len(), 2);
    }
}

#[test]
fn a_reboot_is_logged_before_it_is_requested() {
    for (time, call) in [
        (RebootTime::AfterHook, "juju-reboot "),
        (RebootTime::Now, "juju-reboot --now"),
    ] {
        let mut bench = Bench::new(&[]);
        bench.model.reboot(time).unwrap();
        let calls = bench.calls();
        let [log, reboot] = calls.as_slice() else {
            panic!("{calls:?}");
        };
        assert!(log.starts_with("juju-log --log-level TRACE"), "{log}");
        assert!(log.contains("Rebooting unit 'web/0' in model 'm'"), "{log}");
        assert_eq!(reboot, call);
    }
}

#[test]
fn a_refused_reboot_has_no_second_security_event() {
    let mut bench = Bench::new(&[("juju-reboot", Err("permission denied"))]);
    bench.model.reboot(RebootTime::Now).unwrap_err();
    assert_eq!(bench.calls().len(), 2);
}

fn port(text: &str) -> Port {
    Port::parse(text).unwrap()
}

#[test]
fn ports_are_opened_and_closed_for_endpoints() {
    let mut bench = Bench::new(&[(
        "opened-ports --endpoints",
        Ok("[\"80/tcp (*)\",\"8000-8010/udp (db, ring)\"]\n"),
    )]);
    let endpoints = ["db".to_owned(), "ring".to_owned()];
    let model = &mut bench.model;
    model.open_port(&port("8000-8010/udp"), &endpoints).unwrap();
    model.close_port(&port("icmp"), &endpoints[..1]).unwrap();
    model
        .open_port(&port("80"), &["juju-info".to_owned()])
        .unwrap();
    let opened = |text: &str, endpoints: &[String]| OpenedPort {
        port: port(text),
        endpoints: endpoints.to_vec(),
    };
    assert_eq!(
        model.opened_ports_with_endpoints().unwrap(),
        [opened("80/tcp", &[]), opened("8000-8010/udp", &endpoints)]
    );
    assert_eq!(
        bench.calls(),
        [
            "open-port --endpoints db,ring 8000-8010/udp",
            "close-port --endpoints db icmp",
            "open-port --endpoints juju-info 80/tcp",
            "opened-ports --endpoints --format=json",
        ]
    );
}

#[test]
fn ports_that_do_not_exist_run_no_tool() {
    let mut bench = Bench::new(&[]);
    let model = &mut bench.model;
    for text in ["0/tcp", "0-5/udp", "90-80/tcp"] {
        let error = model.open_port(&port(text), &[]).unwrap_err();
        assert!(matches!(error, ToolError::InvalidInput { .. }), "{error:?}");
        model.close_port(&port(text), &[]).unwrap_err();
    }
    let unknown = ["db".to_owned(), "web".to_owned()];
    let error = model.open_port(&port("80"), &unknown).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot run open-port: there is no endpoint \"web\": the charm has db, ring, juju-info"
    );
    assert!(bench.calls().is_empty());
}

#[test]
fn ports_of_a_newer_protocol_are_left_out() {
    let mut bench = Bench::new(&[("opened-ports", Ok("[\"5/sctp\",\"80/tcp\",\"9/sctp (*)\"]"))]);
    assert_eq!(bench.model.opened_ports().unwrap(), [port("80/tcp")]);
    let calls = bench.calls();
    assert_eq!(
        calls[1],
        "juju-log --log-level WARNING -- Unexpected opened-ports protocol: sctp"
    );
    bench.model.opened_ports_with_endpoints().unwrap_err();
}
