//! What is asked about networks, and what becomes of the answer.

use charmhost_hook_tools::ToolError;

use super::*;
use crate::{InterfaceAddress, Network, NetworkInterface};

fn address(value: &str, hostname: Option<&str>, subnet: Option<&str>) -> InterfaceAddress {
    InterfaceAddress {
        value: value.to_owned(),
        hostname: hostname.map(str::to_owned),
        subnet: subnet.map(str::to_owned),
    }
}

#[test]
fn a_network_is_read_once_for_each_binding_and_relation() {
    let mut bench = Bench::new(&[(
        "network-get",
        Ok("{\"bind-addresses\":[\
             {\"mac-address\":\"00:16\",\"interface-name\":\"eth0\",\"addresses\":[\
             {\"hostname\":\"\",\"value\":\"10.0.0.7\",\"cidr\":\"10.0.0.0/24\"},\
             {\"hostname\":\"web\",\"address\":\"fe80::1\",\"cidr\":\"\"},\
             {\"hostname\":\"\",\"value\":\"web.internal\",\"cidr\":\"\"},\
             {\"hostname\":\"\",\"value\":\"\",\"cidr\":\"\"}]},\
             {\"mac-address\":\"\",\"interface-name\":\"lo\",\"addresses\":null}],\
             \"ingress-addresses\":[\"10.0.0.7\"],\"egress-subnets\":[\"10.0.0.7/32\"]}"),
    )]);
    let wanted = Network {
        interfaces: vec![NetworkInterface {
            name: "eth0".to_owned(),
            mac_address: Some("00:16".to_owned()),
            addresses: vec![
                address("10.0.0.7", None, Some("10.0.0.0/24")),
                address("fe80::1", Some("web"), Some("fe80::1/128")),
                address("web.internal", None, None),
            ],
        }],
        ingress_addresses: vec!["10.0.0.7".to_owned()],
        egress_subnets: vec!["10.0.0.7/32".to_owned()],
    };
    for _ in 0..2 {
        assert_eq!(bench.model.network("db", None).unwrap(), &wanted);
        bench.model.network("db", Some(7)).unwrap();
        bench.model.network("juju-info", None).unwrap();
    }
    assert_eq!(
        bench.calls(),
        [
            "network-get --format=json db",
            "network-get --format=json -r 7 db",
            "network-get --format=json juju-info",
        ]
    );
}

#[test]
fn the_network_of_a_relation_that_is_gone_is_that_of_its_endpoint() {
    for gone in ["permission denied", "relation 7 not found"] {
        let answers: Answers = vec![
            ("network-get --format=json -r", Err(gone)),
            ("network-get", Ok("{\"ingress-addresses\":[\"10.0.0.7\"]}")),
        ]
        .leak();
        let mut bench = Bench::new(answers);
        for _ in 0..2 {
            let network = bench.model.network("db", Some(7)).unwrap();
            assert_eq!(network.ingress_addresses, ["10.0.0.7"]);
        }
        assert_eq!(
            bench.calls(),
            [
                "network-get --format=json -r 7 db",
                "network-get --format=json db",
            ]
        );
    }
}

#[test]
fn a_binding_that_is_not_there_is_not_found() {
    let unknown = "no network config found for binding \"x\"";
    let mut bench = Bench::new(&[(
        "network-get",
        Err("no network config found for binding \"x\""),
    )]);
    let error = bench.model.network("x", None).unwrap_err();
    assert!(matches!(error, ToolError::NotFound { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("cannot run network-get: {unknown}")
    );
    bench.model.network("x", None).unwrap_err();
    assert_eq!(bench.calls().len(), 2, "a failure is not cached");
    let error = bench.model.network("--help", None).unwrap_err();
    assert!(matches!(error, ToolError::InvalidInput { .. }), "{error:?}");
    assert!(bench.calls().is_empty());
    let mut bench = Bench::new(&[("network-get", Ok("{\"bind-addresses\":{}}"))]);
    let error = bench.model.network("db", None).unwrap_err().to_string();
    assert!(error.contains("a list as bind-addresses"), "{error}");
}
