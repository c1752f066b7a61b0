//! Output for charm authors: early errors, messages with a remedy, complete lines,
//! and complete archives.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Agent, Dispatch, built, charmhost, dist, read_by_juju, root, shown};

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns `charmhost` in a directory, with no build tools on PATH.
fn without_tools(dir: &Path, args: &[&str]) -> Output {
    Command::new(dist("charmhost"))
        .args(args)
        .current_dir(dir)
        .env("PATH", "/nowhere")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Runs an action of the guest under `sim` and returns the report.
fn act(action: &str, more: &[&str]) -> Value {
    let charm = built("tests/guests/author").display().to_string();
    let event = format!("{action}-action");
    let args = ["sim", &charm, "--format", "json", "--event", &event];
    let output = charmhost([&args, more].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)))
}

/// Returns the log of the only dispatch, as `LEVEL text`.
fn logs(report: &Value) -> Vec<String> {
    let logs = report["dispatches"][0]["logs"].as_array().unwrap();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    logs.iter()
        .map(|line| format!("{} {}", text(line, "level"), text(line, "message")))
        .collect()
}

#[track_caller]
fn assert_logged(action: &str, more: &[&str], wanted: &str) {
    let logs = logs(&act(action, more));
    assert!(
        logs.iter().any(|line| line.contains(wanted)),
        "{action}: {wanted:?} is not in {logs:#?}"
    );
}

/// Runs `sim` of a hook that logs long lines and fails, and of one after it.
fn long_lines() -> Vec<String> {
    let charm = built("tests/guests/author").display().to_string();
    let args = [
        "sim", &charm, "--event", "stop", "--event", "remove", "--event", "start",
    ];
    args.map(str::to_owned).to_vec()
}

#[test]
fn lines_are_not_cut_without_a_terminal() {
    let output = Command::new(dist("charmhost"))
        .args(long_lines())
        .env("COLUMNS", "40")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = stdout(&output);
    assert!(
        printed.contains("information ".repeat(20).trim_end()),
        "{printed}"
    );
    let error = format!("cannot stop: {}", "because ".repeat(20));
    let error = printed.lines().find(|line| line.contains(&error));
    assert!(
        error.is_some_and(|line| line.contains("ERROR") && line.contains("src/lib.rs:")),
        "{printed}"
    );
    assert!(!printed.contains('…'), "{printed}");
}

/// Returns what `sim` prints on a terminal of this width.
fn on_terminal(width: u32, columns: Option<&str>) -> String {
    let script = "import fcntl, os, pty, struct, subprocess, sys, termios\n\
        outer, inner = pty.openpty()\n\
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack('HHHH', 50, int(sys.argv[1]), 0, 0))\n\
        run = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=inner)\n\
        os.close(inner)\n\
        while True:\n\
        \x20   try: part = os.read(outer, 65536)\n\
        \x20   except OSError: break\n\
        \x20   if not part: break\n\
        \x20   sys.stdout.buffer.write(part)\n\
        run.wait()\n";
    let mut command = Command::new("python3");
    command
        .args(["-c", script, &width.to_string()])
        .arg(dist("charmhost"))
        .args(long_lines())
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS");
    if let Some(columns) = columns {
        command.env("COLUMNS", columns);
    }
    stdout(&command.output().unwrap()).replace('\r', "")
}

#[test]
fn lines_are_cut_at_the_width_of_a_terminal_and_errors_are_wrapped() {
    for (width, columns, wanted) in [(60, None, 60), (120, None, 120), (60, Some("90"), 90)] {
        let printed = on_terminal(width, columns);
        let mut cut = printed.lines().filter(|line| line.ends_with('…'));
        let information = cut
            .clone()
            .find(|line| line.contains("INFO     information"));
        assert!(information.is_some(), "{printed}");
        assert!(cut.all(|line| line.chars().count() == wanted), "{printed}");
        let words = printed.split_whitespace();
        let count = words.filter(|word| *word == "because").count();
        assert_eq!(count, 20, "{printed}");
        let errors = printed.lines().filter(|line| line.contains("because"));
        assert!(
            errors
                .map(|line| line.chars().count())
                .all(|length| length <= wanted),
            "{printed}"
        );
        assert!(printed.contains("src/lib.rs:"), "{printed}");
    }
}

#[test]
fn hooks_that_did_not_run_are_summarised_in_one_line() {
    let output = charmhost(long_lines());
    let wanted = "not run, the unit is in error since stop failed: remove, start\n";
    assert!(stdout(&output).contains(wanted), "{}", shown(&output));
}

#[test]
fn every_command_reports_a_missing_project_with_the_same_message() {
    let empty = tempfile::tempdir().unwrap();
    let rust = tempfile::tempdir().unwrap();
    std::fs::write(rust.path().join("Cargo.toml"), "[package]\nname = \"x\"\n").unwrap();
    for (dir, commands) in [
        (empty.path(), &["sim", "build", "pack", "inspect"][..]),
        (rust.path(), &["sim", "pack", "inspect"]),
    ] {
        for command in commands {
            let output = without_tools(dir, &[command]);
            assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
            assert_eq!(
                stderr(&output),
                "ERROR cannot find charmcraft.yaml in .: run this in a charm project, or make one with `charmhost new`\n",
                "{command}"
            );
        }
    }
}

#[test]
fn invalid_options_are_reported_before_the_build() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("scenario.yaml");
    std::fs::write(&scenario, "events: [{event: start, exepct: {}}]\n").unwrap();
    let scenario = scenario.display().to_string();
    let web = root().join("charms/web");
    for (args, wanted) in [
        (
            &["--event", "strat"][..],
            "there is no such event; did you mean start?",
        ),
        (
            &["--event", "foo-action"],
            "cannot run event \"foo-action\": charmcraft.yaml has no action foo; it has fetch",
        ),
        (
            &["--event", "db-pebble-ready"],
            "charmcraft.yaml has no container db; it has web",
        ),
        (
            &["--event", "db-relation-joined"],
            "charmcraft.yaml has no relation db; it has ring",
        ),
        (
            &["--event", "db-storage-attached"],
            "charmcraft.yaml has no storage db; it has none",
        ),
        (
            &["--event", "fetch-action,path"],
            "parameters are given as NAME=VALUE",
        ),
        (
            &["--config", "prot=1"],
            "cannot set config \"prot\": the charm has no such option; it has greeting, port",
        ),
        (&["--config", "port=abc"], "\"abc\""),
        (&["--scenario", &scenario], "unknown key `exepct`"),
        (&["--pebble", "/nowhere/pebble"], "there is no such file"),
        // The options are valid, only the build fails.
        (&["--event", "start"], "cargo is not on PATH"),
    ] {
        let output = without_tools(&web, &[&["sim"], args].concat());
        assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
        assert!(
            stderr(&output).contains(wanted),
            "wanted {wanted:?}: {}",
            shown(&output)
        );
    }
}

#[test]
fn a_missing_pebble_is_reported_with_where_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    for program in ["charmhost", "confine", "dispatch", "hook-tool"] {
        std::fs::copy(dist(program), dir.path().join(program)).unwrap();
    }
    let output = loop {
        let output = Command::new(dir.path().join("charmhost"))
            .arg("sim")
            .arg(root().join("charms/web"))
            .env("PATH", "/nowhere")
            .output();
        match output {
            // Another test forked while this program was being written.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {}
            output => break output.unwrap(),
        }
    };
    let wanted = "go install github.com/canonical/pebble/cmd/pebble@latest";
    assert!(
        stderr(&output).contains("`make dist/pebble`"),
        "{}",
        shown(&output)
    );
    assert!(stderr(&output).contains(wanted), "{}", shown(&output));
}

#[test]
fn config_values_of_the_wrong_type_are_reported() {
    for (action, more, wanted) in [
        (
            "misspelt",
            &[][..],
            "cannot read the configuration: missing field `prot`: cannot find the option \"prot\": the charm has log-level, port, token; did you mean port? at author/src/lib.rs:",
        ),
        (
            "unset",
            &[],
            "missing field `token`: the option token has no value; give it a default, or make the field an Option",
        ),
        (
            "port",
            &["--config", "port=70000"],
            "cannot read the configuration: option port: invalid value: integer `70000`, expected u16",
        ),
        (
            "container",
            &[],
            "there is no container \"wbe\": the charm has web at author/src/lib.rs:",
        ),
        (
            "early",
            &[],
            "the container has not started, or it is restarting; do this when pebble-ready is handled, or ask can-connect first",
        ),
    ] {
        assert_logged(action, more, wanted);
    }
    let report = act("port", &[]);
    assert_eq!(
        report["model"]["actions"][0]["results"]["log-level"],
        "info"
    );
}

#[test]
fn an_unknown_event_of_a_built_charm_is_reported_without_a_file_of_the_project() {
    let charm = built("tests/guests/faults").display().to_string();
    let args = [
        "sim",
        &charm,
        "--format",
        "json",
        "--event",
        "observe-action",
    ];
    let printed = stdout(&charmhost(args));
    let wanted =
        "the charm has no such event; check the name against the charm's metadata and actions";
    assert!(printed.contains(wanted), "{printed}");
    assert!(!printed.contains("metadata.yaml"), "{printed}");
}

#[test]
fn trace_records_of_other_crates_are_not_logged_to_juju() {
    let by_charm = |action: &str| {
        let logs = logs(&act(action, &[]));
        let of_interest = logs.into_iter().filter(|line| line.contains(" of "));
        of_interest.collect::<Vec<_>>()
    };
    let usual = [
        "DEBUG of the charm",
        "DEBUG of a crate",
        "INFO of the charm",
        "INFO of a crate",
    ];
    assert_eq!(by_charm("log"), usual);
    let all = [&["TRACE of the charm"], &usual[..]].concat();
    assert_eq!(by_charm("trace"), all);
}

#[test]
fn a_missing_program_of_an_image_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scenario.yaml");
    let scenario = |container: &str| {
        let text =
            format!("state: {{containers: [{{name: web{container}}}]}}\nevents: [serve-action]\n");
        std::fs::write(&path, text).unwrap();
        let charm = built("tests/guests/author");
        charmhost([
            "sim".as_ref(),
            charm.as_os_str(),
            "--scenario".as_ref(),
            path.as_os_str(),
        ])
    };
    let output = scenario("");
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let printed = stdout(&output);
    for wanted in [
        "the container \"web\" stands for its image with this machine's files, which have no /bin/no-such-server",
        "/bin/no-such-server: {mode: 0755, content: \"#!/bin/sh\\nexec sleep infinity\\n\"}",
    ] {
        assert_eq!(printed.matches(wanted).count(), 1, "{wanted:?}: {printed}");
    }
    let output = scenario(
        ", files: {/bin/no-such-server: {mode: 0755, content: \"#!/bin/sh\\nexec sleep infinity\\n\"}}",
    );
    assert!(output.status.success(), "{}", shown(&output));
    assert!(
        !stdout(&output).contains("stands for its image"),
        "{}",
        shown(&output)
    );
}

#[test]
fn a_new_kubernetes_charm_runs_with_its_scenario() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(dist("charmhost"));
        command.args(args).current_dir(dir.path()).output().unwrap()
    };
    let output = run(&["new", "--k8s", "my-app"]);
    assert!(
        stdout(&output).contains("charmhost sim my-app --scenario my-app/scenario.yaml"),
        "{}",
        shown(&output)
    );
    // The SDK of this repository is already compiled.
    let manifest = dir.path().join("my-app/Cargo.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let sdk = root().join("guest-sdk/rust").display().to_string();
    std::fs::write(&manifest, text.replace(".charmhost/sdk", &sdk)).unwrap();
    let lock = root().join("tests/guests/Cargo.lock");
    std::fs::copy(lock, dir.path().join("my-app/Cargo.lock")).unwrap();
    let output = run(&["sim", "my-app", "--scenario", "my-app/scenario.yaml"]);
    assert!(output.status.success(), "{}", shown(&output));
    // Without the scenario, the missing program is reported.
    let output = run(&["sim", "my-app"]);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(
        stdout(&output).contains("which have no /usr/bin/app"),
        "{}",
        shown(&output)
    );
}

#[test]
fn a_name_that_would_not_build_is_rejected_or_adapted() {
    let dir = tempfile::tempdir().unwrap();
    let output = without_tools(dir.path(), &["new", "charmhost"]);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(
        stderr(&output).contains("for example charmhost-charm"),
        "{}",
        shown(&output)
    );
    assert!(!dir.path().join("charmhost").exists());
    // The template has a struct Config, and the prelude a Result and a Charm.
    for (name, wanted) in [
        ("config", "struct ConfigCharm;"),
        ("result", "struct ResultCharm;"),
        ("charm", "struct CharmCharm;"),
        ("my-charm", "struct MyCharm;"),
    ] {
        let output = without_tools(dir.path(), &["new", name]);
        assert!(output.status.success(), "{}", shown(&output));
        let source = std::fs::read_to_string(dir.path().join(name).join("src/lib.rs")).unwrap();
        assert!(source.contains(wanted), "{name}: {source}");
    }
}

#[test]
fn a_missing_main_macro_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    file(
        "Cargo.toml",
        "[package]\nname = \"forgetful\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n",
    );
    file("src/lib.rs", "pub struct MyCharm;\n");
    let output = charmhost([
        "build".as_ref(),
        dir.path().as_os_str(),
        "--output".as_ref(),
        dir.path().join("out").as_os_str(),
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(
        stderr(&output).contains("is `charmhost::main!(MyCharm);` missing in src/lib.rs"),
        "{}",
        shown(&output)
    );
}

#[test]
fn inspect_prints_what_an_operator_policy_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    file("metadata.yaml", "name: x\n");
    file(
        "charmhost.toml",
        "[grants]\nnetwork = [\"localhost:4080\", \"example.com:443\"]\nlegacy-hooks = true\n[limits]\ncpu-seconds = 60\n",
    );
    file(
        "operator.toml",
        "[grants]\nnetwork = [\"example.com:443\"]\nlegacy-hooks = false\n[limits]\ncpu-seconds = 5\n",
    );
    let inspect = |more: &[&str]| {
        let args = [&["inspect", "--operator", "operator.toml"], more].concat();
        let output = without_tools(dir.path(), &args);
        assert!(output.status.success(), "{}", shown(&output));
        stdout(&output)
    };
    let text = inspect(&[]);
    for wanted in [
        "cpu-seconds = 5.0  # the charm requests 60.0\n",
        "grants:\n  network = [\"example.com:443\"]\n",
        "refused by operator.toml, in whole or in part:\n  network = [\"localhost:4080\"]\n  legacy-hooks = true\n",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in {text}");
    }
    let report: Value = serde_json::from_str(&inspect(&["--format", "json"])).unwrap();
    assert_eq!(report["refused"]["network"], json!(["localhost:4080"]));
    assert_eq!(report["grants"]["network"], json!(["example.com:443"]));
}

#[test]
fn the_first_line_of_the_help_names_every_command() {
    let help = stdout(&charmhost(["--help"]));
    let heading = help.lines().next().unwrap();
    for command in ["make", "build", "pack", "inspect", "simulate"] {
        assert!(heading.contains(command), "{command}: {heading}");
    }
}

#[test]
fn an_archive_has_the_files_that_charmcraft_would_pack() {
    let charm = built("tests/guests/author");
    let archive = charm.join("../packed.charm");
    let list = "import sys, zipfile\n\
        for i in zipfile.ZipFile(sys.argv[1]).infolist(): print(oct(i.external_attr >> 16 & 0o777)[2:], i.filename)\n";
    let listed = Command::new("python3")
        .args(["-c", list])
        .arg(&archive)
        .output();
    let listed = stdout(&listed.unwrap());
    let wanted = "644 actions.yaml\n644 charm.cwasm\n644 charmhost.toml\n644 config.yaml\n\
        644 data/linked.json\n644 data/public.json\n755 dispatch\n755 hooks/install\n\
        644 lib/shared.txt\n644 manifest.yaml\n644 metadata.yaml\n644 templates/page.txt\n";
    assert_eq!(listed, wanted);
    assert_eq!(
        std::fs::read_to_string(charm.join("data/linked.json")).unwrap(),
        "shared\n"
    );
    assert!(read_by_juju(&archive)["name"].is_string());
}

#[test]
fn a_project_and_its_archive_have_the_same_files_under_sim() {
    let project = root().join("tests/guests/author");
    let archive = built("tests/guests/author").join("../packed.charm");
    for target in [project, archive] {
        let output = charmhost([
            "sim".as_ref(),
            target.as_os_str(),
            "--format".as_ref(),
            "json".as_ref(),
            "--event".as_ref(),
            "install".as_ref(),
            "--event".as_ref(),
            "files-action".as_ref(),
        ]);
        assert!(output.status.success(), "{}", shown(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let logs = logs(&report);
        assert!(
            logs.iter()
                .any(|line| line.starts_with("INFO the legacy hook")
                    && line.ends_with("hooks/install ran")),
            "{logs:#?}"
        );
        let results = &report["model"]["actions"][0]["results"];
        assert_eq!(results["template"], "A page.\n");
        assert_eq!(results["library"], "shared\n");
        assert_eq!(results["data"], "{\"public\": true}\n");
    }
}

#[test]
fn a_legacy_hook_of_a_packed_charm_runs_under_an_agent() {
    let agent = Agent::new();
    let ended = Dispatch::new(&built("tests/guests/author"), "hooks/install", &agent).run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let printed = &ended.stdout;
    assert!(
        printed.contains("hooks/install ran"),
        "{printed} {:#?}",
        agent.logs()
    );
}
