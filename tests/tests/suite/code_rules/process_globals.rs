//! Only programs touch what belongs to the process: its environment, its
//! standard streams and its end. Libraries get and return these as values.

use super::source::{self, Token};

/// Crates and programs that may, with the reason.
const PROGRAMS: [(&str, &str); 5] = [
    ("host/cli/src", "the `charmhost` command"),
    ("host/dispatch/src", "the charm's executable"),
    ("host/hook-tool/src", "hook tools as programs"),
    ("host/isolation/src/confine", "the `confine` program"),
    ("host/sim/src", "runs units as processes of this machine"),
];

/// Single uses that are allowed elsewhere: file, path, reason.
const EXCEPTIONS: [(&str, &str, &str); 1] = [(
    "host/hook-tools/src/spawner.rs",
    "std::process::exit",
    "ends a forked child, which must not unwind the stack of its parent",
)];

/// Functions of `std::env` that read nothing from the environment.
const HARMLESS: [&str; 5] = [
    "consts",
    "current_dir",
    "current_exe",
    "join_paths",
    "split_paths",
];
/// Macros that print.
const PRINTING: [&str; 5] = ["dbg", "eprint", "eprintln", "print", "println"];

/// Uses of process globals in source, as `line: path`.
fn uses(tokens: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for pair in tokens.windows(2) {
        if pair[1].text == "!" && PRINTING.contains(&pair[0].text.as_str()) {
            found.push((pair[0].line, format!("{}!", pair[0].text)));
        }
    }
    for path in source::paths(tokens) {
        let is_use = path.segments.windows(2).any(|pair| {
            let pair = [pair[0].as_str(), pair[1].as_str()];
            match pair {
                ["env", name] => !HARMLESS.contains(&name),
                ["process", name] => ["exit", "abort", "exit_group"].contains(&name),
                ["io" | "stdio", name] => ["stdout", "stderr"].contains(&name),
                _ => false,
            }
        });
        let ends = path.segments.last().is_some_and(|last| last == "_exit");
        if is_use || ends {
            found.push((path.line, path.segments.join("::")));
        }
    }
    found
}

#[test]
fn only_programs_use_the_environment_and_standard_streams_or_exit() {
    let mut wrong = Vec::new();
    let mut used = 0;
    for unit in source::units() {
        if PROGRAMS.iter().any(|(dir, _)| *dir == unit.dir) {
            used += 1;
            continue;
        }
        for file in &unit.files {
            for (line, path) in uses(&file.tokens) {
                let is_allowed = EXCEPTIONS
                    .iter()
                    .any(|(name, allowed, _)| *name == file.name && *allowed == path);
                if !is_allowed {
                    wrong.push(format!("{}:{line}: {path}", file.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(used, PROGRAMS.len(), "a program of the list does not exist");
}

#[test]
fn uses_of_process_globals_are_found() {
    for source in [
        "fn f() { std::env::var(\"X\") }",
        "use std::env::{current_exe, temp_dir};",
        "use std::{env::vars, io};",
        "fn f() { eprintln!(\"x\") }",
        "fn f() { std::process::exit(1) }",
        "fn f() { io::stderr().write_all(b\"\") }",
    ] {
        assert_eq!(uses(&source::tokens(source)).len(), 1, "{source}");
    }
    for source in [
        "use std::env::current_exe;",
        "fn f() { command.stdout(x); child.stderr.take() }",
        "// std::env::var\nconst X: &str = \"println!(1)\";",
    ] {
        assert_eq!(uses(&source::tokens(source)).len(), 0, "{source}");
    }
}
