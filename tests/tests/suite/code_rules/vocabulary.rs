//! Words of the project's former private dialect, which have no other use here.

use super::source;

/// Identifiers and phrases. Case counts. Letters, digits and `_` beside a match
/// make it another word.
const BANNED: &[&str] = &[
    // Types and constants.
    "Bell",
    "CutOff",
    "GivenUp",
    "Happening",
    "Kept",
    "Life",
    "MostGrants",
    "MostLimits",
    "OPERATOR_FILE",
    "PIECE",
    "Play",
    "Prey",
    "Said",
    "Strike",
    "Told",
    "Underway",
    "Unmet",
    "Veil",
    "Wish",
    // Functions, files and folders.
    "is_guess",
    "is_jujus_own",
    "jujus_own",
    "keep_unsettled",
    "ledger",
    "patience",
    "prey",
    "tell_denials",
    "twin",
    "twins",
    "vacant",
    "veil",
    "wrongworld",
    // Prose.
    "Forgetting",
    "How the result",
    "Whom a charm",
    "buries",
    "complain",
    "complaints",
    "complains",
    "leave taken",
    "let go of",
    "lets go of",
    "lets happen",
    "lie over",
    "lies over",
    "made light of",
    "of its own accord",
    "take leave",
    "takes leave",
    "the most that",
    "the own application",
    "the own one",
    "the own unit",
    "told",
    "world of its own",
    "worlds of their own",
];

/// What is not searched: third-party and golden data, generated code, and the
/// interfaces, whose documentation has its own rules.
const EXCLUDED: &[&str] = &[
    "LICENSE",
    "Cargo.lock",
    "guest-sdk/rust/src/bindings/",
    "wit/",
    "tests/tests/suite/code_rules/vocabulary.rs",
];
const EXCLUDED_ENDINGS: &[&str] = &[".hex", ".jsonl", ".lock", ".sum", "pyyaml.json"];

/// Banned words of a line.
fn banned(line: &str) -> impl Iterator<Item = &'static str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    BANNED.iter().copied().filter(move |word| {
        line.match_indices(word).any(|(at, _)| {
            !line[..at].ends_with(is_word) && !line[at + word.len()..].starts_with(is_word)
        })
    })
}

#[test]
fn words_of_the_former_dialect_are_gone() {
    let mut found = Vec::new();
    for name in source::tracked_files() {
        let is_excluded = EXCLUDED.iter().any(|prefix| name.starts_with(prefix))
            || EXCLUDED_ENDINGS.iter().any(|ending| name.ends_with(ending));
        let Some(text) = source::read(&name).filter(|_| !is_excluded) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for word in banned(line) {
                found.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    assert!(
        found.is_empty(),
        "{} words:\n{}",
        found.len(),
        found.join("\n")
    );
    let line = "the Veil lies over what was told, but TheVeil and untold do not count";
    assert_eq!(
        banned(line).collect::<Vec<_>>(),
        ["Veil", "lies over", "told"]
    );
}
