//! The same small charm in Python and in JavaScript, on the raw interfaces: the
//! host works with every language.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{charmhost, root, shown};

/// Runs a component toolchain in the directory of a canary; returns the component.
fn component(language: &str, program: &str, args: &[&str]) -> PathBuf {
    let tools = root().join("target/canary");
    let component = tools.join(format!("{language}.wasm"));
    let output = Command::new(tools.join(program))
        .args(args)
        .arg("-o")
        .arg(&component)
        .current_dir(root().join("tests/canary").join(language))
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program}: {error}; run scripts/setup tests"));
    assert!(output.status.success(), "{}", shown(&output));
    component
}

/// Result of a canary: calls and logs of each dispatch, and the final model.
fn simulate(component: PathBuf) -> Value {
    let canary = root().join("tests/canary");
    let output = charmhost([
        "sim".as_ref(),
        canary.as_os_str(),
        "--component".as_ref(),
        component.as_os_str(),
        "--scenario".as_ref(),
        canary.join("scenario.yaml").as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    assert!(output.status.success(), "{}", shown(&output));
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for dispatch in report["dispatches"].as_array_mut().unwrap() {
        let dispatch = dispatch.as_object_mut().unwrap();
        dispatch
            .retain(|key, _| ["event", "exit_code", "hook_tools", "logs"].contains(&key.as_str()));
        for call in dispatch["hook_tools"].as_array_mut().unwrap() {
            call.as_object_mut()
                .unwrap()
                .retain(|key, _| !key.contains("ms"));
        }
    }
    serde_json::json!([report["dispatches"], report["model"]["relations"]])
}

#[test]
fn a_charm_is_the_same_in_python_and_in_javascript() {
    let javascript = component(
        "javascript",
        "npm/node_modules/.bin/componentize-qjs",
        &[
            "--wit",
            "../../../wit/charm",
            "--world",
            "charm",
            "--js",
            "guest.js",
            "--sync",
        ],
    );
    let python = component(
        "python",
        "python/bin/componentize-py",
        &[
            "-d",
            "../../../wit/charm",
            "-w",
            "charm",
            "componentize",
            "app",
        ],
    );
    let (javascript, python) = (simulate(javascript), simulate(python));
    assert_eq!(javascript, python);
    let logs = python[0][0]["logs"].as_array().unwrap();
    assert!(logs.len() > 5, "{logs:?}");
}
