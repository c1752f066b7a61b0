//! Content of files that a guest names, on its way to the agent.

use std::path::Path;

use charmhost_hook_tools::{FileArguments, MAX_ARGUMENT, ToolError};

use super::*;

/// Runs a call of a guest all of whose files have some content. Returns what an
/// agent reads, and how many files are left.
fn agent_reads(line: &str, content: &str) -> (Result<String, ToolError>, usize) {
    let dir = tempfile::tempdir().unwrap();
    let read = |args: &[String], stdin: Option<&[u8]>| {
        let mut shown: Vec<String> = Vec::new();
        for arg in args {
            let (name, path) = arg.split_once('=').unwrap_or(("", arg));
            shown.push(match std::fs::read_to_string(Path::new(path)) {
                Ok(content) => format!("{name} [{content}]"),
                Err(_) => arg.clone(),
            });
        }
        let stdin = stdin.map(|stdin| format!(" < {}", String::from_utf8_lossy(stdin)));
        shown.join(" ") + &stdin.unwrap_or_default()
    };
    let transport = MemoryTransport(move |_: &str, args: &[String], stdin: Option<&[u8]>| {
        Ok(ToolOutput {
            stdout: read(args, stdin).into_bytes(),
            ..ToolOutput::default()
        })
    });
    let environment = Environment::read(|name| {
        let is_dir = name == "JUJU_CHARM_DIR";
        is_dir.then(|| dir.path().into())
    });
    let mut model = Model::new(
        Box::new(transport),
        &environment.unwrap(),
        Arc::default(),
        Arc::new(ManualClock::default()),
        Stderr::new(std::io::sink()),
    );
    let mut words = line.split(' ').map(str::to_owned);
    let tool = words.next().unwrap();
    let args: Vec<String> = words.collect();
    let call = FileArguments::read(&tool, &args, |_| Ok::<_, ()>(content.into()));
    let output = model.run_with_files(&tool, call.unwrap().unwrap());
    let printed = output.map(|output| String::from_utf8(output.stdout).unwrap());
    let private = std::fs::read_dir(dir.path().join(".charmhost/hook-tools"));
    (printed, private.map_or(0, Iterator::count))
}

#[test]
fn content_reaches_the_agent_and_its_files_go_with_the_call() {
    for (line, wanted) in [
        ("relation-set -r 1 --file /a", "-r 1 --file - < x"),
        ("secret-add data#file=/a", "data#base64=eA=="),
        ("secret-add --file=/a --label l", "--file [x] --label l"),
        ("secret-add --file /a", "--file  [x]"),
        (
            "pod-spec-set --file=/a --k8s-resources=/b",
            "--file=- --k8s-resources [x] < x",
        ),
    ] {
        let (read, left) = agent_reads(line, "x");
        assert_eq!(read.unwrap(), wanted, "{line}");
        assert_eq!(left, 0, "{line}");
    }
    let (read, _) = agent_reads("secret-add data#file=/a", "");
    assert_eq!(read.unwrap(), "data#file []");
}

#[test]
fn content_of_a_secret_may_be_longer_than_an_argument() {
    let long = "x".repeat(MAX_ARGUMENT);
    assert!(agent_reads("secret-add data#file=/a", &long).0.is_ok());
    let mut args = vec!["secret-add".to_owned(), "--file=/a".to_owned()];
    args.push(format!("data={long}"));
    let (error, _) = agent_reads(&args.join(" "), "x");
    assert!(matches!(error, Err(ToolError::InvalidInput { .. })));
}
