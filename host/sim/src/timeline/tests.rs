//! What a timeline prints.

use super::*;

fn output(detail: Detail, slow: bool) -> String {
    printed(detail, slow, None)
}

fn printed(detail: Detail, slow: bool, width: Option<usize>) -> String {
    let mut out = Vec::new();
    let mut timeline = Timeline::new(&mut out, false, detail).with_width(width);
    let call = |tool: &str, args: &[&str], code, stdout: &str, stderr: &str| {
        SimEvent::Call(ToolCall {
            tool: tool.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            stdin: None,
            exit_code: Some(code),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            rpc_error: None,
        })
    };
    timeline.dispatch_starts("install", &[]);
    timeline.sim_event(&SimEvent::UnitStatus(Status::new(
        "active",
        "ready\u{1b}[31m",
    )));
    timeline.sim_event(&call("status-set", &["active", "ready"], 0, "", ""));
    if slow {
        timeline.dispatch_is_slow();
    }
    timeline.sim_event(&call("config-get", &["a key"], 0, "x\ny\n", ""));
    timeline.sim_event(&call("open-port", &["99999"], 2, "", "ERROR too big\n"));
    timeline.sim_event(&SimEvent::Log(LogLine {
        level: Level::Info,
        message: "a".repeat(200),
    }));
    timeline.sim_event(&SimEvent::Log(LogLine {
        level: Level::Error,
        message: "cannot start the web server at src/lib.rs:24\nit is gone".to_owned(),
    }));
    timeline.dispatch_ends(&DispatchRecord {
        event: "install".to_owned(),
        exit_code: Some(3),
        duration_ms: 12.34,
        hook_tools: Vec::new(),
        logs: Vec::new(),
        deferred: Vec::new(),
        outcome: Outcome::Failed("exit status 3".to_owned()),
    });
    String::from_utf8(out).unwrap()
}

fn lines() -> String {
    format!(
        "  config-get 'a key' → x⏎y\n  open-port 99999 → exit 2: ERROR too big\n  INFO     {}\n  ERROR    cannot start the web server at src/lib.rs:24\n           it is gone\n",
        "a".repeat(200)
    )
}

#[test]
fn a_terminal_gets_lines_of_its_width_and_errors_whole() {
    let wanted = format!(
        "  open-port 99999\n    → exit 2: ERROR too big\n  INFO     {}…\n  ERROR    cannot start the web\n           server at src/lib.rs:24\n           it is gone\n",
        "a".repeat(24)
    );
    let printed = printed(Detail::All, false, Some(36));
    assert!(printed.ends_with(&wanted), "{printed}");
}

#[test]
fn events_that_were_not_run_are_one_line_for_each_reason() {
    let mut out = Vec::new();
    let mut timeline = Timeline::new(&mut out, false, Detail::All);
    for (event, reason) in [
        ("start", "since install failed"),
        ("stop", "since install failed"),
        ("noop-action", "the charm has no dispatch"),
    ] {
        timeline.event_skipped(event, reason);
    }
    timeline.dispatch_starts("remove", &[]);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "\nnot run, since install failed: start, stop\n\nnot run, the charm has no dispatch: noop-action\n"
    );
}

#[test]
fn a_dispatch_is_a_heading_and_what_it_did() {
    let wanted = format!(
        "\n{:<24} ✗ exit 3 12.3 ms\n  status  active: ready�[31m\n{}",
        "install",
        lines()
    );
    assert_eq!(output(Detail::All, false), wanted);
    let heading = format!("{:<24} ✗ exit 3 12.3 ms\n", "install");
    assert_eq!(output(Detail::Headings, false), heading);
    assert_eq!(output(Detail::Summary, false), "");
}

#[test]
fn a_slow_dispatch_is_printed_as_it_runs() {
    let wanted = format!(
        "\ninstall …\n  status  active: ready�[31m\n{}  ✗ exit 3 12.3 ms\n",
        lines()
    );
    assert_eq!(output(Detail::All, true), wanted);
}

#[test]
fn the_median_of_an_even_number_is_between_two() {
    for (times, wanted) in [
        (vec![], 0.0),
        (vec![3.0], 3.0),
        (vec![4.0, 1.0], 2.5),
        (vec![9.0, 1.0, 2.0], 2.0),
    ] {
        assert!((median(&times) - wanted).abs() < 1e-9, "{times:?}");
    }
}
