//! `TOOLS.md`, made of the table: run with `CHARMHOST_WRITE_LISTS=1` to write it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first problem")]

use std::fmt::Write;

use charmhost_hook_tools::{Arguments, FlagKind, Output, TOOLS, Tool};

const HEAD: &str = "# Hook tools

Every hook tool of Juju 2.9 to 4.1 that charmhost knows: the simulated agent runs
them by this list, and a guest may run them with these flags. This file is made
of `src/table.rs`; a test compares the two.

A flag or argument in **bold** names a file. The agent would open it with its own
rights, so the host reads a guest's file in the guest's own file tree and passes
the content: on the tool's input, as `KEY#base64=`, or in a private file. A file
to be written (`--output`) is denied. A tool that is not listed needs the grant `hook-tools = [\"name\"]` in `charmhost.toml`; its
arguments are then not looked at.

| tool | flags | prints | Juju | restricted contexts |
|---|---|---|---|---|
";

fn flags(tool: &Tool) -> String {
    let mut shown: Vec<String> = Vec::new();
    for flag in tool.flags {
        let names = flag.names.iter().map(|name| match name.len() {
            1 => format!("`-{name}`"),
            _ => format!("`--{name}`"),
        });
        let names = names.collect::<Vec<_>>().join(", ");
        shown.push(match flag.kind {
            FlagKind::Switch => names,
            FlagKind::Text => format!("{names} TEXT"),
            FlagKind::Format => format!("{names} smart, yaml or json"),
            FlagKind::YamlFormat => format!("{names} yaml or json"),
            FlagKind::IgnoredFormat => format!("{names} (ignored)"),
            FlagKind::FileInput { stdin: true } => format!("**{names} FILE** or `-`"),
            FlagKind::FileInput { stdin: false } | FlagKind::FileOutput => {
                format!("**{names} FILE**")
            }
        });
    }
    if tool.arguments == Arguments::SecretContent {
        shown.push("**`KEY#file=FILE`**".to_owned());
    }
    shown.join("; ")
}

fn list() -> String {
    let mut list = HEAD.to_owned();
    for tool in TOOLS {
        let prints = match tool.output {
            Output::Nothing => "",
            Output::Text => "text",
            Output::Smart => "a value, smart",
            Output::Yaml => "a value, yaml",
        };
        let since = tool.since.to_string();
        let juju = match (since.as_str(), tool.until) {
            ("0.0.0", None) => "all".to_owned(),
            ("0.0.0", Some(until)) => format!("before {until}"),
            (since, None) => format!("from {since}"),
            (since, Some(until)) => format!("from {since}, before {until}"),
        };
        let restricted = if tool.restricted { "yes" } else { "" };
        let (name, flags) = (tool.name, flags(tool));
        writeln!(
            list,
            "| `{name}` | {flags} | {prints} | {juju} | {restricted} |"
        )
        .unwrap();
    }
    list
}

#[test]
fn the_list_is_that_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/TOOLS.md");
    if std::env::var_os("CHARMHOST_WRITE_LISTS").is_some() {
        std::fs::write(path, list()).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == list(),
        "{path} is not what the table says: run `CHARMHOST_WRITE_LISTS=1 cargo test -p charmhost-hook-tools --test list`"
    );
}
