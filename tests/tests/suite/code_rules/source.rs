//! Tracked files, and Rust source as tokens and paths.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::root;

/// Returns the tracked files of the project, relative to its root; all files but
/// build output where there is no git repository.
pub fn tracked_files() -> Vec<String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output();
    let mut files: Vec<String> = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split('\0')
            .filter(|name| !name.is_empty() && root().join(name).is_file())
            .map(str::to_owned)
            .collect(),
        _ => {
            let mut found = Vec::new();
            walk(&root(), &mut found);
            found
        }
    };
    files.sort();
    assert!(files.len() > 300, "only {} files are found", files.len());
    files
}

fn walk(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_output = ["target", "dist"].contains(&name.to_string_lossy().as_ref());
        let is_hidden = name.to_string_lossy().starts_with('.');
        if path.is_dir() && !is_output && !is_hidden {
            walk(&path, found);
        } else if path.is_file() {
            let name = path.strip_prefix(root()).unwrap();
            found.push(name.display().to_string());
        }
    }
}

/// Reads a file of the project; `None` if it is not text.
pub fn read(name: &str) -> Option<String> {
    String::from_utf8(std::fs::read(root().join(name)).unwrap()).ok()
}

/// A token of Rust source: an identifier, a literal or one punctuation
/// character. String literals keep their quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// Splits Rust source into tokens, without comments.
pub fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    let mut line = 1;
    while at < chars.len() {
        let end = end_of_token(&chars, at);
        let text: String = chars[at..end].iter().collect();
        let is_comment = text.starts_with("//") || text.starts_with("/*");
        if !is_comment && !text.trim().is_empty() {
            let token = text.clone();
            tokens.push(Token { text: token, line });
        }
        line += text.matches('\n').count();
        at = end;
    }
    tokens
}

fn end_of_token(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let until = |offset: usize, is_in: fn(char) -> bool| {
        let rest = chars[at + offset..].iter();
        at + offset + rest.take_while(|c| is_in(**c)).count()
    };
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    match rest {
        ['/', '/', ..] => until(2, |c| c != '\n'),
        ['/', '*', ..] => at + block_comment(rest),
        ['"', ..] => at + 1 + string(&rest[1..]),
        ['b' | 'c', '"', ..] => at + 2 + string(&rest[2..]),
        ['r', '"' | '#', ..] if raw_string(&rest[1..]).is_some() => {
            at + 1 + raw_string(&rest[1..]).unwrap()
        }
        ['b', 'r', '"' | '#', ..] if raw_string(&rest[2..]).is_some() => {
            at + 2 + raw_string(&rest[2..]).unwrap()
        }
        ['\'', '\\', ..] => {
            let close = rest[3..].iter().position(|c| *c == '\'');
            at + 4 + close.unwrap_or(0)
        }
        ['\'', _, '\'', ..] => at + 3,
        [c, ..] if is_name(*c) => until(1, |c| c.is_alphanumeric() || c == '_'),
        [c, ..] if c.is_whitespace() => until(1, char::is_whitespace),
        _ => at + 1,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(rest: &[char]) -> usize {
    let mut at = 0;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// The length of `#…"…"#…`, if that is a raw string.
fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().take_while(|c| **c == '#').count();
    if rest.get(hashes) != Some(&'"') {
        return None;
    }
    let mut at = hashes + 1;
    while at < rest.len() {
        let closes =
            rest[at] == '"' && rest[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
        if closes {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
    Some(rest.len())
}

/// Removes items that are compiled for tests only: `#[cfg(test)]` and `#[test]`.
/// Returns the rest, and the files of modules that were removed.
pub fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut files, mut at) = (Vec::new(), Vec::new(), 0);
    while at < tokens.len() {
        let text = |offset: usize| tokens.get(at + offset).map_or("", |token| &token.text);
        let is_test_only = text(0) == "#"
            && text(1) == "["
            && (text(2) == "test" && text(3) == "]"
                || (text(2) == "cfg" && text(3) == "(" && text(4) == "test" && text(5) == ")"));
        if !is_test_only {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let end = end_of_item(tokens, at);
        files.extend(module_file(&tokens[at..end]));
        at = end;
    }
    (kept, files)
}

/// The end of an item with attributes: after its `;` or its block.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            "{" if depth == 0 => {
                let mut braces = 0;
                while at < tokens.len() {
                    match tokens[at].text.as_str() {
                        "{" => braces += 1,
                        "}" => braces -= 1,
                        _ => {}
                    }
                    at += 1;
                    if braces == 0 {
                        return at;
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    at
}

/// The file of `mod NAME;`: the one of `#[path = "…"]`, or `NAME`.
fn module_file(item: &[Token]) -> Option<String> {
    let at = |text: &str| item.iter().position(|token| token.text == text);
    let name = &item.get(at("mod")? + 1)?.text;
    if item.last()?.text != ";" {
        return None;
    }
    let path = at("path").and_then(|path| item.get(path + 2));
    Some(path.map_or(name.clone(), |path| {
        path.text
            .trim_matches('"')
            .trim_end_matches(".rs")
            .to_owned()
    }))
}

/// A path that source names, for example `crate::relations::Relation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    pub segments: Vec<String>,
    /// The name under which a `use` brings it into scope.
    pub imported_as: Option<String>,
    pub line: usize,
}

/// Every path in source, those of `use` groups one by one.
pub fn paths(tokens: &[Token]) -> Vec<NamedPath> {
    let (mut paths, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if tokens[at].text == "use" {
            at = use_tree(tokens, at + 1, &[], &mut paths);
        } else if is_name(&tokens[at].text) {
            let line = tokens[at].line;
            let mut segments = vec![tokens[at].text.clone()];
            at += 1;
            while let Some(next) = segment_after(tokens, at) {
                segments.push(tokens[next].text.clone());
                at = next + 1;
            }
            paths.push(NamedPath {
                segments,
                imported_as: None,
                line,
            });
        } else {
            at += 1;
        }
    }
    paths
}

/// The index of a name after `::`.
fn segment_after(tokens: &[Token], at: usize) -> Option<usize> {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    let follows = is(at, ":") && is(at + 1, ":");
    (follows && tokens.get(at + 2).is_some_and(|name| is_name(&name.text))).then_some(at + 2)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads one branch of a `use`, up to `;`, `,` or `}`.
fn use_tree(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    paths: &mut Vec<NamedPath>,
) -> usize {
    let mut segments = prefix.to_vec();
    let mut imported_as = None;
    let line = tokens.get(at).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            ":" => {}
            "as" => {
                at += 1;
                imported_as = tokens.get(at).map(|name| name.text.clone());
            }
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = use_tree(tokens, at, &segments, paths);
                    if tokens.get(at).is_some_and(|token| token.text == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            ";" | "," | "}" => break,
            name => segments.push(name.to_owned()),
        }
        at += 1;
    }
    if segments.last().is_some_and(|last| last == "self") {
        segments.pop();
    }
    let imported_as = imported_as.or(segments.last().cloned());
    paths.push(NamedPath {
        segments,
        imported_as,
        line,
    });
    at
}

/// A crate of `host/` or one of its programs: a root file, and those of its
/// modules.
#[derive(Debug)]
pub struct Unit {
    /// The directory of the root file, relative to the project.
    pub dir: String,
    pub files: Vec<SourceFile>,
}

/// A Rust file, without what is compiled for tests only.
#[derive(Debug)]
pub struct SourceFile {
    pub name: String,
    /// Its module path; empty for the root.
    pub module: Vec<String>,
    pub tokens: Vec<Token>,
}

/// The libraries and programs of the host, without tests and examples.
pub fn units() -> Vec<Unit> {
    let files = tracked_files();
    let sources: Vec<&String> = files
        .iter()
        .filter(|name| name.starts_with("host/") && name.ends_with(".rs") && name.contains("/src/"))
        .collect();
    let is_root = |name: &str| name.ends_with("/lib.rs") || name.ends_with("/main.rs");
    let mut dirs: Vec<String> = sources
        .iter()
        .filter(|name| is_root(name))
        .map(|name| name.rsplit_once('/').unwrap().0.to_owned())
        .collect();
    dirs.sort();
    dirs.dedup();
    let unit_of = |name: &str| {
        let containing = dirs
            .iter()
            .filter(|dir| name.starts_with(&format!("{dir}/")));
        containing.max_by_key(|dir| dir.len()).cloned()
    };
    let mut units: Vec<Unit> = dirs
        .iter()
        .map(|dir| Unit {
            dir: dir.clone(),
            files: Vec::new(),
        })
        .collect();
    for name in sources {
        let dir = unit_of(name).unwrap_or_else(|| panic!("{name} belongs to no crate"));
        let tokens = tokens(&read(name).unwrap());
        let unit = units.iter_mut().find(|unit| unit.dir == dir).unwrap();
        unit.files.push(SourceFile {
            name: name.clone(),
            module: module_of(name, &dir),
            tokens,
        });
    }
    units.iter_mut().for_each(remove_tests);
    assert!(units.len() > 10, "only {} crates are found", units.len());
    units
}

/// The module path of `DIR/a/b.rs` or `DIR/a/b/mod.rs`.
fn module_of(name: &str, dir: &str) -> Vec<String> {
    let path = PathBuf::from(&name[dir.len() + 1..]).with_extension("");
    let mut module: Vec<String> = path
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if ["mod", "lib", "main"].contains(&module.last().unwrap().as_str()) {
        module.pop();
    }
    module
}

/// Removes test code of every file, and files that only tests use.
fn remove_tests(unit: &mut Unit) {
    let mut removed: Vec<Vec<String>> = Vec::new();
    for file in &mut unit.files {
        let (tokens, modules) = without_tests(&file.tokens);
        file.tokens = tokens;
        for module in modules {
            let mut path = file.module.clone();
            path.push(module.clone());
            removed.push(path);
            // `#[path]` is relative to the directory of the file.
            let mut beside = file.module.clone();
            beside.pop();
            beside.push(module);
            removed.push(beside);
        }
    }
    unit.files
        .retain(|file| !removed.iter().any(|module| file.module.starts_with(module)));
}

#[test]
fn source_is_split_into_tokens_without_comments_and_tests() {
    let source = r##"
        // a comment with println!
        fn one() { let x = 'a'; let y: &'static str = "// \" text"; } /* two /* nested */ */
        const RAW: &str = r#"a "quoted" word"#;
        #[cfg(test)]
        mod tests { fn two() { println!("x"); } }
        #[cfg(test)]
        #[path = "one_tests.rs"]
        mod more;
        fn three() {}
    "##;
    let (kept, files) = without_tests(&tokens(source));
    let texts: Vec<&str> = kept.iter().map(|token| token.text.as_str()).collect();
    assert!(texts.contains(&r#""// \" text""#), "{texts:?}");
    assert!(
        texts.contains(&"three") && !texts.contains(&"two"),
        "{texts:?}"
    );
    assert!(
        !texts.contains(&"println") && !texts.contains(&"nested"),
        "{texts:?}"
    );
    assert_eq!(files, ["one_tests"]);
    assert_eq!(kept.last().unwrap().line, 10);
}

#[test]
fn paths_of_use_groups_are_complete() {
    let source = "use a::{self, b::{c as d, E}, f}; fn g() { std::env::var(h) }";
    let found: Vec<String> = paths(&tokens(source))
        .iter()
        .map(|path| path.segments.join("::"))
        .collect();
    for wanted in ["a", "a::b::c", "a::b::E", "a::f", "std::env::var"] {
        assert!(
            found.iter().any(|path| path == wanted),
            "{wanted}: {found:?}"
        );
    }
}
