//! Layout of the timeline's text: what is cut, what is wrapped, and nothing
//! that a terminal would obey.

use std::io::{IsTerminal, Stdout};

/// Columns of a terminal that does not know its width.
const USUAL_WIDTH: usize = 80;
/// No line is laid out for fewer columns: its indentation takes some.
const LEAST_WIDTH: usize = 30;

/// The columns of the terminal that standard output is: `COLUMNS`, or the
/// terminal's own. None if it is no terminal; then nothing is cut or wrapped.
pub fn terminal_width(out: &Stdout) -> Option<usize> {
    if !out.is_terminal() {
        return None;
    }
    let columns = std::env::var("COLUMNS").ok();
    let set = columns.and_then(|columns| columns.trim().parse().ok());
    let window = || {
        let size = rustix::termios::tcgetwinsize(out).ok()?;
        Some(usize::from(size.ws_col))
    };
    let width = set.filter(|width| *width > 0).or_else(window);
    let width = width.filter(|width| *width > 0).unwrap_or(USUAL_WIDTH);
    Some(width.max(LEAST_WIDTH))
}

/// Text on one line.
pub fn clean(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => '⏎',
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// A line in at most `width` columns.
pub fn cut(line: &str, width: Option<usize>) -> String {
    match width {
        Some(width) if length(line) > width => {
            let shown = line.chars().take(width.saturating_sub(1));
            shown.chain(['…']).collect()
        }
        _ => line.to_owned(),
    }
}

/// Two texts with an arrow between them in at most `width` columns. The second
/// is what is looked for, and gets up to half of the line.
pub fn cut_pair(left: &str, right: &str, width: Option<usize>) -> (String, String) {
    let Some(room) = width.map(|width| width.saturating_sub(" → ".chars().count())) else {
        return (left.to_owned(), right.to_owned());
    };
    let for_right = length(right).min(room / 2);
    let left = cut(left, Some(room - for_right));
    let right = cut(right, Some(room - length(&left)));
    (left, right)
}

/// A text after a prefix, whole: its lines stand below each other, and lines
/// longer than `width` are broken between words.
pub fn wrap(prefix: &str, text: &str, width: Option<usize>) -> String {
    let indent = length(prefix);
    let room = width.map(|width| width.saturating_sub(indent).max(LEAST_WIDTH / 2));
    let lines = text.trim_end().split('\n').map(clean);
    let lines: Vec<String> = lines.flat_map(|line| broken(&line, room)).collect();
    let gap = format!("\n{}", " ".repeat(indent));
    format!("{prefix}{}", lines.join(&gap))
}

/// A line broken between words. A word that is too long stays whole, so that
/// it can be copied.
fn broken(line: &str, room: Option<usize>) -> Vec<String> {
    let Some(room) = room.filter(|room| length(line) > *room) else {
        return vec![line.to_owned()];
    };
    let words = line.trim_start();
    let indent = " ".repeat(length(line) - length(words));
    let mut lines = Vec::new();
    let mut current = indent.clone();
    for word in words.split(' ') {
        let is_first = current.len() == indent.len();
        if !is_first && length(&current) + 1 + length(word) > room {
            lines.push(std::mem::replace(&mut current, indent.clone()));
        } else if !is_first {
            current.push(' ');
        }
        current.push_str(word);
    }
    lines.push(current);
    lines
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_cut_without_a_width() {
        let long = "a".repeat(500);
        assert_eq!(cut(&long, None), long);
        assert_eq!(cut_pair(&long, &long, None), (long.clone(), long.clone()));
        assert_eq!(wrap("> ", &long, None), format!("> {long}"));
    }

    #[test]
    fn lines_fill_the_width_and_no_more() {
        assert_eq!(cut("abcdef", Some(6)), "abcdef");
        assert_eq!(cut("abcdefg", Some(6)), "abcde…");
        let shown = |left: &str, right: &str| {
            let (left, right) = cut_pair(left, right, Some(13));
            format!("{left} → {right}")
        };
        assert_eq!(shown("abcd", "efghij"), "abcd → efghij");
        assert_eq!(shown("abcdefghij", "k"), "abcdefgh… → k");
        assert_eq!(shown("abcdefghij", "klmnopqrst"), "abcd… → klmn…");
        assert_eq!(shown("abc", "klmnopqrst"), "abc → klmnop…");
    }

    #[test]
    fn a_wrapped_text_is_whole() {
        let text = "one two three\n  four five six\nseveneightnine ten\n";
        assert_eq!(
            wrap("E ", text, Some(17)),
            "E one two three\n    four five six\n  seveneightnine\n  ten"
        );
        assert_eq!(wrap("E ", "a\tb\u{1b}[31m", None), "E a b\u{fffd}[31m");
    }
}
