//! Which calls of a guest are allowed.

#![allow(clippy::unwrap_used, reason = "a test stops at the first problem")]

use charmhost_hook_tools::{Denied, Policy, names_file};

fn denied(reason: &str) -> Denied {
    Denied {
        reason: reason.to_owned(),
        grant: None,
    }
}

fn words(line: &str) -> (String, Vec<String>) {
    let mut words = line.split(' ').map(str::to_owned);
    (words.next().unwrap(), words.collect())
}

#[test]
fn no_file_is_written_in_any_spelling_and_each_that_is_named_is_found() {
    for (line, wanted) in [
        ("config-get --format=json", None),
        ("config-get -a", None),
        ("config-get -aa key", None),
        ("config-get --all=false", None),
        ("config-get --help", None),
        ("config-get -o /etc/x", Some("-o")),
        ("config-get -o/etc/x", Some("-o")),
        ("config-get -o=/etc/x", Some("-o")),
        ("config-get -o -", Some("-o")),
        ("config-get -ao/etc/x", Some("-o")),
        ("config-get -ao /etc/x", Some("-o")),
        ("config-get -aao/etc/x", Some("-o")),
        ("config-get key -aaao=/etc/x", Some("-o")),
        ("config-get --output /etc/x", Some("--output")),
        ("config-get --output=/etc/x", Some("--output")),
        ("config-get --output=", Some("--output")),
        ("config-get key -o /etc/x", Some("-o")),
        ("relation-get -r -- -o /etc/x", Some("-o")),
        ("relation-get -rdb:7 -o/etc/x", Some("-o")),
        ("relation-get -r 1 - --output=/etc/x", Some("--output")),
        ("relation-get -r 1 -- -o", None),
        ("relation-set -r 1 --file -", None),
        ("relation-set -r 1 --file=-", None),
        ("relation-set -r 1 --file /etc/x", Some("--file")),
        ("relation-set --file - --file /etc/x", Some("--file")),
        ("relation-set --file /etc/x --file -", Some("--file")),
        ("state-set --file=/etc/x", Some("--file")),
        ("state-set --file=", Some("--file")),
        ("status-set --application=False active -- -o", None),
        ("juju-log --log-level INFO -- --output is empty", None),
        ("juju-log -lINFO x", None),
        ("action-log -- -o", None),
        ("secret-add data#file=/etc/x", Some("data#file")),
        ("secret-add --label l data#file=/etc/x", Some("data#file")),
        (
            "secret-add data#base64#file=/etc/x",
            Some("data#base64#file"),
        ),
        ("secret-add #file=/etc/x", Some("#file")),
        ("secret-add data#files=/etc/x", Some("data#files")),
        ("secret-set secret:1 -- data#file=/etc/x", Some("data#file")),
        ("secret-add --file -", Some("--file")),
        ("secret-set secret:1 --file=x", Some("--file")),
        ("secret-add data#base64=eA==", None),
        ("secret-add data=a#file=b", None),
        ("secret-get secret:1 data#base64", None),
        ("action-set data#file=x", None),
        ("pod-spec-set --file -", None),
        ("pod-spec-set --file /etc/x", Some("--file")),
        (
            "pod-spec-set --file - --k8s-resources /etc/x",
            Some("--k8s-resources"),
        ),
        ("k8s-spec-set --k8s-resources=-", Some("--k8s-resources")),
        ("k8s-raw-set --file=/etc/x", Some("--file")),
    ] {
        let (tool, args) = words(line);
        let checked = Policy::default().check(&tool, &args);
        let unknown = |arg| {
            let text = "may be a way to name a file; use KEY#file=PATH or KEY#base64=VALUE";
            denied(&format!("{arg} {text}"))
        };
        let reason = match wanted {
            Some(arg @ ("-o" | "--output")) => Some(denied(&format!(
                "with {arg} the agent writes a file of the machine with its own rights"
            ))),
            Some(arg) if arg.contains("#base64#file") => Some(unknown(arg)),
            Some(arg) if arg.ends_with("#files") => Some(unknown(arg)),
            _ => None,
        };
        assert_eq!(checked, reason.map_or(Ok(()), Err), "{line}");
        assert_eq!(names_file(&tool, &args).as_deref(), wanted, "{line}");
    }
}

#[test]
fn a_file_is_found_before_flags_that_the_agent_drops() {
    let (tool, args) = words("config-get -o/etc/x -aX");
    assert_eq!(names_file(&tool, &args).as_deref(), Some("-o"));
    assert!(Policy::default().check(&tool, &args).is_err());
}

#[test]
fn what_is_not_known_is_denied() {
    for (line, wanted) in [
        ("config-get --new", "option provided but not defined: --new"),
        (
            "config-get -aX/etc/x",
            "option provided but not defined: -X",
        ),
        ("config-get -a=o", "option provided but not defined: -="),
        ("config-get --=o", "empty option in argument \"--=o\""),
        ("config-get -aX", "option provided but not defined: -X"),
        ("config-get --output", "option needs an argument: --output"),
        (
            "config-get -x --help",
            "option provided but not defined: -x",
        ),
        ("config-get --help -o x", "--help must be the only argument"),
        ("jujud machine", "it is not a hook tool"),
        ("juju-exec app/0 true", "it is not a hook tool"),
        ("containeragent unit", "it is not a hook tool"),
        ("../config-get ", "it is not a hook tool"),
    ] {
        let (tool, args) = words(line);
        let granted = Policy::new([tool.clone()]);
        assert_eq!(granted.check(&tool, &args), Err(denied(wanted)), "{line}");
    }
}

#[test]
fn a_newer_tool_needs_a_grant_that_names_it() {
    let args = ["-o".to_owned(), "/etc/x".to_owned()];
    let denied = Policy::new(["other-tool".to_owned()]).check("new-tool", &args);
    let grant = denied.unwrap_err().grant;
    assert_eq!(grant.as_deref(), Some("hook-tools = [\"new-tool\"]"));
    let policy = Policy::new(["new-tool".to_owned(), "config-get".to_owned()]);
    assert_eq!(policy.check("new-tool", &args), Ok(()));
    // It is for tools that are not known.
    assert!(policy.check("config-get", &args).is_err());
}
