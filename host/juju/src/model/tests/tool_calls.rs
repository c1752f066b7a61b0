//! What is called, and what is asked only once.

use charmhost_hook_tools::{Level, MAX_ARGUMENT, ToolError};

use super::*;
use crate::{ConfigValue, Port, Protocol, Scope, StatusName, StatusValue};

fn status(name: StatusName, message: &str) -> StatusValue {
    StatusValue {
        name,
        message: message.to_owned(),
    }
}

const TCP_80: Port = Port {
    protocol: Protocol::Tcp,
    from: 80,
    to: 80,
};

#[test]
fn calls_are_those_of_ops_word_for_word() {
    let mut bench = Bench::new(&[
        ("is-leader", Ok("true\n")),
        ("opened-ports", Ok("[\"81/tcp\",\"53/udp\"]\n")),
        ("action-get", Ok("{\"a\":1}\n")),
    ]);
    bench
        .model
        .set_status(Scope::Unit, &status(StatusName::Active, ""))
        .unwrap();
    bench
        .model
        .set_status(Scope::App, &status(StatusName::Blocked, "no db"))
        .unwrap();
    bench.model.set_workload_version("1.2").unwrap();
    bench
        .model
        .open_port(&TCP_80, &["db".to_owned(), "ring".to_owned()])
        .unwrap();
    bench.model.close_port(&Port::ICMP, &[]).unwrap();
    bench
        .model
        .set_ports(&[
            TCP_80,
            Port {
                protocol: Protocol::Udp,
                from: 53,
                to: 53,
            },
        ])
        .unwrap();
    bench
        .model
        .action_set(&[("a.b".to_owned(), "c d".to_owned())])
        .unwrap();
    bench.model.action_log("half").unwrap();
    bench.model.action_fail("").unwrap();
    assert_eq!(bench.model.action_params().unwrap()["a"], 1);
    assert_eq!(
        bench.calls(),
        [
            "status-set --application=False active -- ",
            "is-leader --format=json",
            "status-set --application=True blocked -- no db",
            "application-version-set -- 1.2",
            "open-port --endpoints db,ring 80/tcp",
            "close-port icmp",
            "opened-ports --format=json",
            "close-port 81/tcp",
            "open-port 80/tcp",
            "action-set a.b=c d",
            "action-log -- half",
            "action-fail -- ",
            "action-get --format=json",
        ]
    );
}

#[test]
fn what_cannot_change_is_asked_once() {
    let mut bench = Bench::new(&[
        ("is-leader", Ok("false\n")),
        (
            "config-get",
            Ok("{\"b\":true,\"f\":1.5,\"i\":-3,\"l\":[1, {}],\"s\":\"x\",\"u\":null}\n"),
        ),
        (
            "status-get",
            Ok("{\"message\":\"m\",\"status\":\"waiting\",\"status-data\":{}}"),
        ),
    ]);
    for _ in 0..2 {
        assert!(!bench.model.is_leader().unwrap());
        let config = bench.model.config().unwrap();
        assert_eq!(config.len(), 5);
        assert_eq!(config["i"], ConfigValue::Int(-3));
        assert_eq!(config["f"], ConfigValue::Float(1.5));
        assert_eq!(config["l"], ConfigValue::Other("[1,{}]".to_owned()));
        assert_eq!(
            bench.model.status(Scope::Unit).unwrap(),
            status(StatusName::Waiting, "m")
        );
    }
    bench
        .model
        .set_status(Scope::Unit, &status(StatusName::Active, ""))
        .unwrap();
    assert_eq!(
        bench.model.status(Scope::Unit).unwrap().name,
        StatusName::Active
    );
    assert_eq!(
        bench.calls(),
        [
            "is-leader --format=json",
            "config-get --format=json",
            "status-get --include-data --format=json --application=false",
            "status-set --application=False active -- ",
        ]
    );
}

#[test]
fn a_failed_read_is_asked_again() {
    let mut bench = Bench::new(&[("config-get", Err("timeout"))]);
    for _ in 0..2 {
        let error = bench.model.config().unwrap_err().to_string();
        assert_eq!(error, "cannot run config-get: timeout");
    }
    assert_eq!(bench.calls().len(), 2);
}

#[test]
fn the_status_of_the_application_is_inside_another_map() {
    let mut bench = Bench::new(&[
        ("is-leader", Ok("true\n")),
        (
            "status-get",
            Ok(
                "{\"application-status\":{\"message\":\"\",\"status\":\"new-one\",\"status-data\":{},\"units\":{}}}",
            ),
        ),
    ]);
    let wanted = status(StatusName::Other("new-one".to_owned()), "");
    for _ in 0..2 {
        assert_eq!(bench.model.status(Scope::App).unwrap(), wanted);
    }
    assert_eq!(
        bench.calls(),
        [
            "is-leader --format=json",
            "status-get --include-data --format=json --application=true",
        ]
    );
}

#[test]
fn refused_values_run_no_tool() {
    let mut bench = Bench::new(&[("is-leader", Ok("false\n"))]);
    let error = bench
        .model
        .set_status(Scope::Unit, &status(StatusName::Error, ""))
        .unwrap_err();
    assert!(matches!(error, ToolError::InvalidInput { .. }));
    let error = bench
        .model
        .set_status(Scope::App, &status(StatusName::Active, ""))
        .unwrap_err();
    assert!(matches!(error, ToolError::NotLeader { .. }));
    let error = bench.model.status(Scope::App).unwrap_err();
    assert!(matches!(error, ToolError::NotLeader { .. }));
    assert_eq!(
        error.to_string(),
        "cannot run status-get: only the leader may read the application's status"
    );
    let error = bench.model.set_workload_version("a\0b").unwrap_err();
    assert!(error.to_string().contains("NUL"));
    let mut calls = bench.calls();
    calls.retain(|call| !call.starts_with("juju-log --log-level TRACE"));
    assert_eq!(calls, ["is-leader --format=json"]);
}

#[test]
fn long_lines_are_split_and_empty_ones_dropped() {
    let mut bench = Bench::new(&[]);
    bench.model.log(Level::Info, "");
    bench.model.log(Level::Critical, "-x");
    assert_eq!(bench.calls(), ["juju-log --log-level CRITICAL -- -x"]);
    // By bytes, and between characters: 131,071 is odd.
    let long = "é".repeat(MAX_ARGUMENT / 2) + "étail";
    bench.model.log(Level::Info, &long);
    let logged = bench.calls();
    let start = "juju-log --log-level INFO -- ";
    let texts: Vec<&str> = logged.iter().map(|call| &call[start.len()..]).collect();
    assert_eq!(
        texts[0],
        "Log string greater than 131071. Splitting into multiple chunks: "
    );
    assert_eq!(texts[1].len(), MAX_ARGUMENT - 1);
    assert_eq!(texts[2..], ["étail"]);
    bench.model.log(Level::Info, &"x".repeat(MAX_ARGUMENT));
    assert_eq!(bench.calls().len(), 1);
}

/// No transport may take what another does not.
#[test]
fn an_argument_that_no_program_gets_runs_no_tool() {
    let mut bench = Bench::new(&[]);
    let longest = "x".repeat(MAX_ARGUMENT);
    bench.model.set_workload_version(&longest).unwrap();
    assert_eq!(bench.calls().len(), 1);
    let error = bench
        .model
        .set_workload_version(&(longest + "é"))
        .unwrap_err();
    assert!(matches!(error, ToolError::InvalidInput { .. }), "{error}");
    let error = error.to_string();
    let wanted = "cannot run application-version-set: one of its arguments has 131073 bytes";
    assert!(error.starts_with(wanted), "{error}");
    assert!(bench.calls().is_empty());
}

#[test]
fn a_log_that_cannot_be_written_fails_nothing() {
    let mut bench = Bench::new(&[("juju-log", Err("no"))]);
    bench.model.log(Level::Info, "a");
    bench.model.log(Level::Info, "b");
    assert_eq!(bench.calls().len(), 2);
}

#[test]
fn output_that_makes_no_sense_is_an_error() {
    let mut bench = Bench::new(&[
        ("is-leader", Ok("maybe\n")),
        ("opened-ports", Ok("[\"eighty\"]")),
        ("config-get", Ok("[]")),
        ("status-get", Ok("{}")),
    ]);
    for error in [
        bench.model.is_leader().unwrap_err(),
        bench.model.opened_ports().unwrap_err(),
        bench.model.config().unwrap_err(),
        bench.model.status(Scope::Unit).unwrap_err(),
    ] {
        assert!(error.to_string().contains("its output is not"), "{error}");
    }
}

#[test]
fn leadership_is_known_for_thirty_seconds() {
    let mut bench = Bench::new(&[("is-leader", Ok("true"))]);
    for (seconds, calls) in [(0, 1), (29, 0), (1, 1), (29, 0)] {
        *bench.clock.0.lock().unwrap() += Duration::from_secs(seconds);
        assert!(bench.model.is_leader().unwrap());
        assert_eq!(bench.calls().len(), calls, "{seconds} s later");
    }
}
