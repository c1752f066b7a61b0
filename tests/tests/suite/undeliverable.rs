//! Deferred events that a revision of a charm has no handler for.

use std::path::Path;

use crate::support::{Agent, Dispatch, copy, prints, usual};

/// Runs a dispatch whose deliveries are settled in a way. Returns what the guest
/// got, and the warnings.
fn dispatch(charm: &Path, hook: &str, settle: &'static str) -> (Vec<String>, Vec<String>) {
    let agent = Agent::answering(move |request| match request.tool.as_str() {
        "config-get" => prints(settle),
        _ => usual(request),
    });
    let ended = Dispatch::new(charm, &format!("hooks/{hook}"), &agent).run();
    let logs = agent.logs();
    assert_eq!(ended.code, Some(0), "{} {logs:#?}", ended.stderr);
    let lines = |level: &str| {
        let lines = logs.iter().filter_map(|line| line.strip_prefix(level));
        lines.map(str::to_owned).collect()
    };
    (lines("INFO "), lines("WARNING "))
}

/// Changes the code of the charm.
fn upgrade(charm: &Path) {
    let path = charm.join("charm.cwasm");
    let mut code = std::fs::read(&path).unwrap();
    let text = b"this is revision ";
    let found = code.windows(text.len()).position(|window| window == text);
    let at = found.unwrap() + text.len();
    code[at] += 1;
    std::fs::write(&path, code).unwrap();
}

#[test]
fn an_event_without_a_handler_waits_for_the_next_revision() {
    let charm = copy("tests/guests/settle");
    let got = ["on_start of start".to_owned()];
    let warning = "Cannot deliver event start to Settle.on_start: there is no such method; keeping it in the queue for the next revision of the charm.";
    let warned = [warning.to_owned()];
    let none: [String; 0] = [];
    let (delivered, _) = dispatch(charm.path(), "start", "deferred");
    assert_eq!(delivered, got);
    for _ in 0..2 {
        let first = dispatch(charm.path(), "update-status", "undeliverable");
        assert_eq!(first, (got.to_vec(), warned.to_vec()));
        // Neither delivered nor logged again, whatever the charm would do.
        for settle in ["undeliverable", "handled"] {
            let again = dispatch(charm.path(), "update-status", settle);
            assert_eq!(again, (none.to_vec(), none.to_vec()), "{settle}");
        }
        upgrade(charm.path());
    }
    let (delivered, warnings) = dispatch(charm.path(), "update-status", "handled");
    assert_eq!((delivered, warnings), (got.to_vec(), none.to_vec()));
    let (delivered, _) = dispatch(charm.path(), "update-status", "handled");
    assert_eq!(delivered, none);
}

#[test]
fn a_new_event_without_a_handler_is_kept_as_well() {
    let charm = copy("tests/guests/settle");
    let (delivered, warnings) = dispatch(charm.path(), "start", "undeliverable");
    assert_eq!((delivered.len(), warnings.len()), (1, 1));
    let (delivered, _) = dispatch(charm.path(), "update-status", "handled");
    assert!(delivered.is_empty(), "{delivered:?}");
    upgrade(charm.path());
    let (delivered, _) = dispatch(charm.path(), "update-status", "handled");
    assert_eq!(delivered, ["on_start of start"]);
}
