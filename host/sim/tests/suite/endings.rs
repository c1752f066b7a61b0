//! How dispatches end, and what counts of them then.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use charmhost_sim::{Options, Outcome, run};

use crate::support::{Caller, Charm, logs};

fn set_up_port(caller: &mut Caller) {
    assert_eq!(caller.call("status-set", &["active", "ready"]).code, 0);
    assert_eq!(caller.call("open-port", &["80"]).code, 0);
    assert_eq!(caller.call("opened-ports", &[]).stdout, b"80/tcp\n");
}

#[test]
fn a_hook_that_succeeds_is_applied() {
    let mut caller = Caller::new(|_, caller| set_up_port(caller));
    let report = run(&Charm::new("exit 0").options(&["install"]), &mut caller).unwrap();
    assert_eq!(report.model.ports, ["80/tcp"]);
    assert_eq!(report.model.unit_status.message, "ready");
}

#[test]
fn of_a_hook_that_fails_only_the_immediate_is_kept() {
    let charm = Charm::new("test \"$JUJU_HOOK_NAME\" != install || exit 7");
    let events = ["install", "start", "action:backup"];
    let mut caller = Caller::new(|event, caller| {
        if event == "install" {
            set_up_port(caller);
        }
    });
    let report = run(&charm.options(&events), &mut caller).unwrap();
    assert!(report.model.ports.is_empty());
    assert_eq!(report.model.unit_status.status, "error");
    assert_eq!(report.model.unit_status.message, "hook failed: \"install\"");
    // While a hook is in error only actions run.
    assert_eq!(caller.left_out, ["start"]);
    let ends: Vec<_> = report
        .dispatches
        .iter()
        .map(|record| (record.event.as_str(), record.exit_code))
        .collect();
    assert_eq!(ends, [("install", Some(7)), ("backup-action", Some(0))]);
    assert!(!report.succeeded());

    let mut caller = Caller::new(|event, caller| {
        if event == "install" {
            set_up_port(caller);
        }
    });
    let going_on = Options {
        keep_going: true,
        ..charm.options(&events)
    };
    let report = run(&going_on, &mut caller).unwrap();
    assert_eq!(report.dispatches.len(), 3);
    assert_eq!(report.model.unit_status.message, "ready");
}

#[test]
fn an_action_can_fail_by_saying_so() {
    let mut caller = Caller::new(|_, caller| {
        caller.call("action-fail", &["no space"]);
        caller.call("open-port", &["80"]);
    });
    let report = run(
        &Charm::new("exit 0").options(&["action:backup"]),
        &mut caller,
    )
    .unwrap();
    assert_eq!(report.model.actions[0].status, "failed");
    assert_eq!(report.model.actions[0].message, "no space");
    // The process succeeded, and so its changes count.
    assert_eq!(report.model.ports, ["80/tcp"]);
    assert!(!report.succeeded());
}

#[test]
fn output_is_logged() {
    let report = Charm::new("echo one; sleep 0.05; echo two >&2").run(&["install"]);
    assert_eq!(logs(&report), ["DEBUG one", "WARNING two"]);
}

#[test]
fn a_dispatch_without_end_is_killed() {
    let charm = Charm::new("sleep 60");
    let options = Options {
        limit: Some(Duration::from_millis(200)),
        ..charm.options(&["install"])
    };
    let report = run(&options, &mut ()).unwrap();
    let record = &report.dispatches[0];
    assert_eq!(record.exit_code, None);
    let reason = "it ran longer than 0.2 s and was killed";
    assert_eq!(record.outcome, Outcome::Failed(reason.to_owned()));
    assert_eq!(
        logs(&report),
        [format!("ERROR hook \"install\" failed: {reason}")]
    );
}

#[test]
fn deaths_by_signal_are_reported() {
    for (signal, outcome, status) in [
        ("KILL", Outcome::Interrupted, "maintenance"),
        ("TERM", Outcome::Interrupted, "maintenance"),
        (
            "SEGV",
            Outcome::Failed("killed by signal 11".to_owned()),
            "error",
        ),
    ] {
        let report = Charm::new(&format!("kill -{signal} $$")).run(&["install"]);
        let record = &report.dispatches[0];
        assert_eq!(
            (&record.outcome, record.exit_code),
            (&outcome, None),
            "{signal}"
        );
        assert_eq!(report.model.unit_status.status, status, "{signal}");
        assert_eq!(record.logs.len(), 1, "{signal}");
    }
}

#[test]
fn without_dispatch_the_program_of_the_event_runs() {
    let charm = Charm::without_dispatch();
    charm.program("hooks/install", "echo legacy");
    let mut caller = Caller::new(|_, _| {});
    let report = run(
        &charm.options(&["install", "start", "action:backup"]),
        &mut caller,
    )
    .unwrap();
    assert_eq!(logs(&report), ["DEBUG legacy"]);
    // A hook may be missing, an action may not.
    assert_eq!(caller.left_out, ["start", "backup-action"]);
    assert_eq!(report.model.unit_status.status, "unknown");
    assert_eq!(
        report.model.actions[0].message,
        "action not implemented on unit \"demo/0\""
    );
}

#[test]
fn a_program_that_cannot_be_executed_fails_the_hook() {
    let charm = Charm::without_dispatch();
    charm.file("dispatch", "#!/bin/sh\n");
    charm.program("hooks/install", "exit 0");
    let report = charm.run(&["install"]);
    let reason =
        "cannot run dispatch: permission denied; make it executable with chmod +x dispatch";
    assert_eq!(
        report.dispatches[0].outcome,
        Outcome::Failed(reason.to_owned())
    );

    let charm = Charm::without_dispatch();
    let path = charm.file("dispatch", "#!/no/such/shell\n");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let report = charm.run(&["install"]);
    assert!(
        logs(&report)[0].contains("cannot run dispatch: No such file"),
        "{:?}",
        logs(&report)
    );
}

#[test]
fn kubernetes_refuses_icmp_only_when_the_hook_is_over() {
    // Only root can put containers where an unconfined charm looks for them.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let charm = Charm::new("exit 0");
    charm.file("metadata.yaml", "name: demo\ncontainers: {app: }\n");
    let mut caller = Caller::new(|_, caller| {
        assert_eq!(caller.call("open-port", &["icmp"]).code, 0);
        assert_eq!(caller.call("open-port", &["80-90"]).code, 1);
    });
    let report = run(&charm.options(&["start"]), &mut caller).unwrap();
    assert_eq!(report.dispatches[0].exit_code, Some(0));
    assert_eq!(report.model.unit_status.message, "hook failed: \"start\"");
    assert!(report.model.ports.is_empty());
}
