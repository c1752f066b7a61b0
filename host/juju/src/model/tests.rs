//! What is asked of the agent, word for word, and what is made of the answer.

use std::sync::{Arc, Mutex};

use super::*;
use charmhost_hook_tools::MemoryTransport;

use crate::Protocol;

type Calls = Arc<Mutex<Vec<String>>>;

/// A model whose tools print and fail as told, and the calls it makes.
fn model(answers: &'static [(&str, i32, &str, &str)]) -> (Model, Calls) {
    let calls = Calls::default();
    let seen = calls.clone();
    let transport = MemoryTransport(move |tool: &str, args: &[String], _: Option<&[u8]>| {
        let call = format!("{tool} {}", args.join(" "));
        let answer = answers.iter().find(|(prefix, ..)| call.starts_with(prefix));
        seen.lock().unwrap().push(call);
        let (_, code, stdout, stderr) = answer.copied().unwrap_or(("", 0, "", ""));
        Ok(ToolOutput {
            code,
            stdout: stdout.into(),
            stderr: stderr.into(),
        })
    });
    (
        Model::new(Box::new(transport), Path::new("/nowhere")),
        calls,
    )
}

fn seen(calls: &Calls) -> Vec<String> {
    std::mem::take(&mut calls.lock().unwrap())
}

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
    let (mut model, calls) = model(&[
        ("is-leader", 0, "true\n", ""),
        ("opened-ports", 0, "[\"81/tcp\",\"53/udp\"]\n", ""),
        ("action-get", 0, "{\"a\":1}\n", ""),
    ]);
    model
        .status_set(Scope::Unit, &status(StatusName::Active, ""))
        .unwrap();
    model
        .status_set(Scope::App, &status(StatusName::Blocked, "no db"))
        .unwrap();
    model.set_workload_version("1.2").unwrap();
    model.open_port(&TCP_80).unwrap();
    model
        .close_port(&Port {
            protocol: Protocol::Icmp,
            from: 0,
            to: 0,
        })
        .unwrap();
    model
        .set_ports(&[
            TCP_80,
            Port {
                protocol: Protocol::Udp,
                from: 53,
                to: 53,
            },
        ])
        .unwrap();
    model
        .action_set(&[("a.b".to_owned(), "c d".to_owned())])
        .unwrap();
    model.action_log("half").unwrap();
    model.action_fail("").unwrap();
    assert_eq!(model.action_params().unwrap()["a"], 1);
    assert_eq!(
        seen(&calls),
        [
            "status-set --application=False active -- ",
            "is-leader --format=json",
            "status-set --application=True blocked -- no db",
            "application-version-set -- 1.2",
            "open-port 80/tcp",
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
    let (mut model, calls) = model(&[
        ("is-leader", 0, "false\n", ""),
        (
            "config-get",
            0,
            "{\"b\":true,\"f\":1.5,\"i\":-3,\"s\":\"x\",\"u\":null}\n",
            "",
        ),
        (
            "status-get",
            0,
            "{\"message\":\"m\",\"status\":\"waiting\",\"status-data\":{}}",
            "",
        ),
    ]);
    for _ in 0..2 {
        assert!(!model.is_leader().unwrap());
        let config = model.config().unwrap();
        assert_eq!(config.len(), 4);
        assert_eq!(config["i"], ConfigValue::Int(-3));
        assert_eq!(config["f"], ConfigValue::Float(1.5));
        assert_eq!(
            model.status_get(Scope::Unit).unwrap(),
            status(StatusName::Waiting, "m")
        );
    }
    model
        .status_set(Scope::Unit, &status(StatusName::Active, ""))
        .unwrap();
    assert_eq!(
        model.status_get(Scope::Unit).unwrap().name,
        StatusName::Active
    );
    assert_eq!(
        seen(&calls),
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
    let (mut model, calls) = model(&[("config-get", 1, "", "ERROR timeout\n")]);
    for _ in 0..2 {
        let error = model.config().unwrap_err().to_string();
        assert_eq!(error, "cannot run config-get: timeout");
    }
    assert_eq!(seen(&calls).len(), 2);
}

#[test]
fn the_status_of_the_application_is_inside_another_map() {
    let (mut model, calls) = model(&[
        ("is-leader", 0, "true\n", ""),
        (
            "status-get",
            0,
            "{\"application-status\":{\"message\":\"\",\"status\":\"new-one\",\"status-data\":{},\"units\":{}}}",
            "",
        ),
    ]);
    let wanted = status(StatusName::Other("new-one".to_owned()), "");
    for _ in 0..2 {
        assert_eq!(model.status_get(Scope::App).unwrap(), wanted);
    }
    assert_eq!(
        seen(&calls),
        [
            "is-leader --format=json",
            "status-get --include-data --format=json --application=true",
        ]
    );
}

#[test]
fn refused_values_run_no_tool() {
    let (mut model, calls) = model(&[("is-leader", 0, "false\n", "")]);
    let error = model
        .status_set(Scope::Unit, &status(StatusName::Error, ""))
        .unwrap_err();
    assert!(matches!(error, ToolError::InvalidInput { .. }));
    let error = model
        .status_set(Scope::App, &status(StatusName::Active, ""))
        .unwrap_err();
    assert!(matches!(error, ToolError::NotLeader { .. }));
    let error = model.status_get(Scope::App).unwrap_err();
    assert!(matches!(error, ToolError::NotLeader { .. }));
    assert_eq!(
        error.to_string(),
        "cannot run status-get: only the leader may read the application's status"
    );
    let error = model.set_workload_version("a\0b").unwrap_err();
    assert!(error.to_string().contains("NUL"));
    let mut calls = seen(&calls);
    calls.retain(|call| !call.starts_with("juju-log --log-level TRACE"));
    assert_eq!(calls, ["is-leader --format=json"]);
}

#[test]
fn long_lines_are_split_and_empty_ones_dropped() {
    let (mut model, calls) = model(&[]);
    model.log(Level::Info, "");
    model.log(Level::Critical, "-x");
    assert_eq!(seen(&calls), ["juju-log --log-level CRITICAL -- -x"]);
    // By bytes, and between characters: 131,071 is odd.
    let long = "é".repeat(MAX_ARGUMENT / 2) + "étail";
    model.log(Level::Info, &long);
    let logged = seen(&calls);
    let start = "juju-log --log-level INFO -- ";
    let texts: Vec<&str> = logged.iter().map(|call| &call[start.len()..]).collect();
    assert_eq!(
        texts[0],
        "Log string greater than 131071. Splitting into multiple chunks: "
    );
    assert_eq!(texts[1].len(), MAX_ARGUMENT - 1);
    assert_eq!(texts[2..], ["étail"]);
    model.log(Level::Info, &"x".repeat(MAX_ARGUMENT));
    assert_eq!(seen(&calls).len(), 1);
}

/// No transport may take what another does not.
#[test]
fn an_argument_that_no_program_gets_runs_no_tool() {
    let (mut model, calls) = model(&[]);
    let longest = "x".repeat(MAX_ARGUMENT);
    model.set_workload_version(&longest).unwrap();
    assert_eq!(seen(&calls).len(), 1);
    let error = model.set_workload_version(&(longest + "é")).unwrap_err();
    assert!(matches!(error, ToolError::InvalidInput { .. }), "{error}");
    let error = error.to_string();
    let wanted = "cannot run application-version-set: one of its arguments has 131073 bytes";
    assert!(error.starts_with(wanted), "{error}");
    assert!(seen(&calls).is_empty());
}

#[test]
fn a_log_that_cannot_be_written_fails_nothing() {
    let (mut model, calls) = model(&[("juju-log", 1, "", "ERROR no\n")]);
    model.log(Level::Info, "a");
    model.log(Level::Info, "b");
    assert_eq!(seen(&calls).len(), 2);
}

#[test]
fn output_that_makes_no_sense_is_an_error() {
    let (mut model, _) = model(&[
        ("is-leader", 0, "maybe\n", ""),
        ("opened-ports", 0, "[\"80/sctp\"]", ""),
        ("config-get", 0, "[]", ""),
        ("status-get", 0, "{}", ""),
    ]);
    for error in [
        model.is_leader().unwrap_err(),
        model.opened_ports().unwrap_err(),
        model.config().unwrap_err(),
        model.status_get(Scope::Unit).unwrap_err(),
    ] {
        assert!(error.to_string().contains("its output is not"), "{error}");
    }
}
