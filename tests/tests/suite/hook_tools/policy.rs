//! Arguments that a guest may pass to hook tools.

use std::path::Path;
use std::sync::{Arc, Mutex};

use charmhost_jujuc::Request;
use tempfile::TempDir;

use super::{GUEST, calls, outcome, path_with, words};
use crate::support::{Agent, Dispatch, copy, dist, prints, usual};

/// Returns the files that the agent would open for a call. This parses flags
/// independently of the host: single-letter flags may be joined behind one dash,
/// and one that takes a value takes the rest, or the next argument.
fn opened(request: &Request) -> Vec<String> {
    let switches = [
        "a",
        "all",
        "app",
        "application",
        "debug",
        "now",
        "strict",
        "peek",
        "refresh",
        "include-data",
    ];
    let files = ["o", "output", "file", "k8s-resources"];
    let content = |arg: &String| {
        let is_secret = ["secret-add", "secret-set"].contains(&request.tool.as_str());
        let (_, path) = arg.split_once("#file=").filter(|_| is_secret)?;
        Some(path.to_owned())
    };
    let mut opened = Vec::new();
    let mut args = request.args.iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            opened.extend(args.filter_map(content));
            break;
        }
        let (names, mut value) = match (arg.strip_prefix("--"), arg.strip_prefix('-')) {
            (Some(long), _) => match long.split_once('=') {
                Some((name, value)) => (vec![name.to_owned()], Some(value.to_owned())),
                None => (vec![long.to_owned()], None),
            },
            (None, Some(short)) if !short.is_empty() => {
                let takes = |c: char| !switches.contains(&c.to_string().as_str());
                let end = short.find(takes).unwrap_or(short.len());
                let name = short[end..].chars().next().map(String::from);
                let rest = short[end..].chars().skip(1).collect::<String>();
                (
                    name.into_iter().collect(),
                    Some(rest).filter(|rest| !rest.is_empty()),
                )
            }
            _ => {
                opened.extend(content(arg));
                continue;
            }
        };
        for name in names
            .iter()
            .filter(|name| !switches.contains(&name.as_str()))
        {
            let value = value
                .take()
                .or_else(|| args.next().cloned())
                .unwrap_or_default();
            let is_stdin = value == "-" && !request.tool.starts_with("secret-") && name == "file";
            if files.contains(&name.as_str()) && !is_stdin {
                opened.push(value);
            }
        }
    }
    opened
}

/// Returns an agent that opens files like Juju's, and the list of files opened.
fn opening(params: String) -> (Agent, Arc<Mutex<Vec<String>>>) {
    let files = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&files);
    let agent = Agent::answering(move |request| {
        if request.tool == "action-get" {
            return prints(&params);
        }
        for file in opened(request) {
            let _ = std::fs::write(Path::new(&request.dir).join(&file), "written");
            seen.lock().unwrap().push(file);
        }
        match request.tool.as_str() {
            "new-tool" => prints("new"),
            _ => usual(request),
        }
    });
    (agent, files)
}

/// Creates a directory with tools as programs that call the agent.
fn programs(names: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        let _ = std::os::unix::fs::symlink(dist("hook-tool"), dir.path().join(name));
    }
    for name in ["juju-log", "action-get", "is-leader"] {
        let _ = std::os::unix::fs::symlink(dist("hook-tool"), dir.path().join(name));
    }
    dir
}

/// Content of a file that the agent could read, and the guest cannot.
const TREASURE: &str = "treasure: map";

#[test]
fn no_argument_of_a_guest_has_the_agent_open_a_file() {
    // Not in `/tmp`, which is private in a guest.
    let out = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = out.path().join("x").display().to_string();
    std::fs::write(&file, TREASURE).unwrap();
    let forms = [
        "config-get -o FILE",
        "config-get -oFILE",
        "config-get -o=FILE",
        "config-get --output FILE",
        "config-get --output=FILE",
        "config-get -aoFILE",
        "config-get -ao FILE",
        "config-get -aaoFILE",
        "config-get -aaaao FILE",
        "config-get key -aoFILE",
        "config-get -a -oFILE",
        "config-get --all -aoFILE",
        "config-get --all=true -ao FILE",
        "config-get --format json -aoFILE",
        "config-get --format=json key --output FILE",
        "relation-get -r 1 - -o FILE",
        "relation-get -r -- -oFILE",
        "relation-get -rdb:7 -oFILE",
        "relation-get --relation=1 --app --output=FILE",
        "relation-ids db -oFILE",
        "relation-list --app -r1 -oFILE",
        "network-get db --ingress-address -oFILE",
        "status-get --include-data -oFILE",
        "state-get --strict -oFILE",
        "goal-state -oFILE",
        "secret-get secret:1 --peek -oFILE",
        "is-leader -oFILE",
        "storage-get -s data/0 -oFILE",
        "relation-set -r 1 --file FILE",
        "relation-set --file=FILE -r 1",
        "relation-set --file - --file FILE",
        "state-set --file FILE",
        "state-set --file=FILE",
        "secret-add --file FILE",
        "secret-add --file -",
        "secret-set secret:1 --file=FILE",
        "secret-add data#file=FILE",
        "secret-add --label l data#file=FILE",
        "secret-set secret:1 -- data#file=FILE",
        "pod-spec-set --file FILE",
        "pod-spec-set --file - --k8s-resources FILE",
        "k8s-spec-set --k8s-resources=FILE",
        "k8s-raw-set --file FILE",
    ];
    let forms: Vec<String> = forms
        .iter()
        .map(|form| form.replace("FILE", &file))
        .collect();
    let allowed = [
        "config-get -a",
        "config-get -aa",
        "config-get --all=true",
        "relation-set -r 1 --file -",
        "state-set --file=-",
        "juju-log --log-level INFO -- x",
        "secret-add data#base64=eA==",
        "action-log -- -o",
        "config-get --help",
    ];
    let all: Vec<&str> = forms.iter().map(String::as_str).chain(allowed).collect();
    let params = calls(
        &all.iter().map(|line| words(line)).collect::<Vec<_>>(),
        Some("{}"),
    );
    let names: Vec<&str> = all.iter().map(|line| words(line)[0]).collect();
    let tools = programs(&names);
    for transport in ["rpc", "exec"] {
        let charm = copy(GUEST);
        let (agent, files) = opening(params.clone());
        let ended = Dispatch::new(charm.path(), "actions/run", &agent)
            .var("CHARMHOST_HOOK_TOOLS", transport)
            .var("PATH", &path_with(tools.path()))
            .run();
        let private = charm.path().join(".charmhost/hook-tools");
        let mut files = files.lock().unwrap();
        // Files of the host itself, with content that the guest gave inline.
        let is_own = |file: &String| {
            Path::new(file).starts_with(&private) || file.starts_with("/tmp/charmhost-secret-")
        };
        files.retain(|file| !is_own(file));
        assert!(files.is_empty(), "{transport}: the agent opened {files:?}");
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            TREASURE,
            "{transport}"
        );
        let calls = agent.calls();
        assert!(
            !calls.iter().any(|call| call.contains(TREASURE)),
            "{transport}: {calls:#?}"
        );
        assert!(!charm.path().join("-").exists(), "{transport}");
        assert_eq!(ended.code, Some(0), "{transport}: {}", ended.stderr);
        for call in &forms {
            let outcome = outcome(&agent, call);
            let wanted = match call.contains("file") || call.contains("k8s-resources") {
                true => "InvalidInput: ",
                false => "Denied: ",
            };
            assert!(
                outcome.starts_with(wanted),
                "{transport}: {call}: {outcome}"
            );
        }
        for call in allowed {
            let outcome = outcome(&agent, call);
            assert!(
                outcome.starts_with("exited with 0"),
                "{transport}: {call}: {outcome}"
            );
        }
    }
}

#[test]
fn unknown_tools_and_flags_are_denied_with_the_grant_that_would_allow_them() {
    let table = [
        (
            "config-get --new=1",
            "Denied: cannot run config-get: option provided but not defined: --new",
        ),
        (
            "config-get -aX",
            "Denied: cannot run config-get: option provided but not defined: -X",
        ),
        (
            "new-tool -o x",
            "Denied: cannot run new-tool: this version of charmhost does not know the hook tool",
        ),
        (
            "juju-exec app/0 true",
            "Denied: cannot run juju-exec: it is not a hook tool",
        ),
        (
            "jujud machine",
            "Denied: cannot run jujud: it is not a hook tool",
        ),
    ];
    let params = calls(&table.map(|(call, _)| words(call)), None);
    let tools = programs(&["config-get", "new-tool", "juju-exec", "jujud"]);
    for transport in ["rpc", "exec"] {
        for granted in [false, true] {
            let charm = copy(GUEST);
            if granted {
                let grant =
                    "[grants]\nhook-tools = [\"new-tool\", \"juju-exec\", \"config-get\"]\n";
                std::fs::write(charm.path().join("charmhost.toml"), grant).unwrap();
            }
            let (agent, _) = opening(params.clone());
            let ended = Dispatch::new(charm.path(), "actions/run", &agent)
                .var("CHARMHOST_HOOK_TOOLS", transport)
                .var("PATH", &path_with(tools.path()))
                .run();
            assert_eq!(ended.code, Some(0), "{transport}: {}", ended.stderr);
            for (call, wanted) in table {
                let outcome = outcome(&agent, call);
                let wanted = match granted && call.starts_with("new-tool") {
                    true => "exited with 0: new",
                    false => wanted,
                };
                assert!(
                    outcome.starts_with(wanted),
                    "{transport} {granted}: {call}: {outcome}"
                );
            }
            let remedy = "WARNING Denied running new-tool: this version of charmhost does not know the hook tool; to allow it, write hook-tools = [\"new-tool\"] under [grants] in charmhost.toml.";
            let logs = agent.logs();
            assert_eq!(
                logs.iter().any(|line| line == remedy),
                !granted,
                "{logs:#?}"
            );
            let _ = std::fs::remove_file(charm.path().join("x"));
        }
    }
}
