//! Hook tools are data: code that handles tools in general names none.

use super::source;

/// Folders and files of such code: policy, sandbox, session, documentation.
const GENERAL: [&str; 5] = [
    "host/dispatch/src/",
    "host/hook-tools/src/policy",
    "host/hook-tools/tests/list.rs",
    "host/runtime/src/session/",
    "host/sandbox/src/",
];

/// The names of all tools, from the list that is generated of the table.
fn tool_names() -> Vec<String> {
    let list = source::read("host/hook-tools/TOOLS.md").unwrap();
    let rows = list.lines().filter_map(|line| line.strip_prefix("| `"));
    let names: Vec<String> = rows
        .filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
        .collect();
    assert!(names.len() > 40, "only {} tools are listed", names.len());
    names
}

/// Whether text has a name that is no part of a longer one.
fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.match_indices(name).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part)
    })
}

#[test]
fn policy_session_and_documentation_name_no_hook_tool() {
    let tools = tool_names();
    let mut found = Vec::new();
    let mut files = 0;
    for name in source::tracked_files() {
        let is_test = name.ends_with("tests.rs");
        if is_test || !GENERAL.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        files += 1;
        let text = source::read(&name).unwrap();
        // By convention, tests are the last item of a file.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (number, line) in text.lines().enumerate() {
            for tool in tools.iter().filter(|tool| names(line, tool)) {
                found.push(format!("{name}:{}: {tool}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    assert!(files > 20, "only {files} files are searched");
    assert!(names("let x = \"is-leader\";", "is-leader"));
    assert!(!names("not-is-leader is-leaders", "is-leader"));
}
