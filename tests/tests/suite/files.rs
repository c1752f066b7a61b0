//! What lies over a charm's directory is, to the charm, a directory like any
//! other.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{Agent, Dispatch, copy, prints, usual};

const STEPS: u32 = 250;

/// Works on files at random, and compares with a plain directory; what was done
/// how often.
fn work(charm: &Path, seed: u32, links: bool) -> String {
    let params = serde_json::json!({ "seed": seed, "steps": STEPS, "links": links }).to_string();
    let agent = Agent::answering(move |request| match request.tool.as_str() {
        "action-get" => prints(&params),
        _ => usual(request),
    });
    let ended = Dispatch::new(charm, "actions/work", &agent).run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    agent.calls().join(" ")
}

#[test]
fn what_a_charm_does_to_its_files_it_finds_done() {
    let mut told = String::new();
    for seed in 1..=3 {
        let charm = copy("tests/guests/files");
        let data = charm.path().join("data");
        fs::create_dir_all(data.join("in/c/d")).unwrap();
        for name in ["in/a", "in/c/a", "in/c/b", "in/c/d/a"] {
            fs::write(data.join(name), format!("packed {name};")).unwrap();
        }
        symlink("c/a", data.join("in/d")).unwrap();
        symlink("../a", data.join("in/c/c")).unwrap();
        // The second time what the first one did is kept.
        told += &work(charm.path(), seed, false);
        told += &work(charm.path(), seed + 100, true);
        let packed = fs::read_to_string(data.join("in/c/d/a")).unwrap();
        assert_eq!(packed, "packed in/c/d/a;");
    }
    for step in ["append", "link", "removedirectory", "rename", "symlink"] {
        assert!(told.contains(&format!(" {step}=")), "no {step}: {told}");
    }
}
