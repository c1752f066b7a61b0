//! Quoted scalars by libyaml's rules: U+0085, U+2028 and U+2029 end a line, and
//! blanks beside the end of a line are dropped.

/// Why a scalar cannot be read.
#[derive(Debug, PartialEq)]
pub struct Problem {
    /// How many line breaks stand before it.
    pub lines: usize,
    /// What is wrong, in the words of go-yaml.
    pub text: &'static str,
}

/// Whether a character ends a line.
pub fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Reads what stands between single or double quotes.
pub fn read(source: &[char], double: bool) -> Result<String, Problem> {
    let mut scalar = Scalar {
        rest: source,
        out: String::new(),
        lines: 0,
    };
    while !scalar.rest.is_empty() {
        let escaped_break = scalar.text(double)?;
        scalar.blanks(escaped_break);
    }
    Ok(scalar.out)
}

struct Scalar<'a> {
    rest: &'a [char],
    out: String,
    lines: usize,
}

impl Scalar<'_> {
    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn problem(&self, text: &'static str) -> Problem {
        Problem {
            lines: self.lines,
            text,
        }
    }

    /// Reads the end of a line: all but the separators of Unicode are one.
    fn line_break(&mut self) -> char {
        self.lines += 1;
        let (read, length) = match self.rest {
            ['\r', '\n', ..] => ('\n', 2),
            [c @ ('\u{2028}' | '\u{2029}'), ..] => (*c, 1),
            _ => ('\n', 1),
        };
        self.skip(length);
        read
    }

    /// Reads up to the next white space, and whether it is a line break behind
    /// a backslash.
    fn text(&mut self, double: bool) -> Result<bool, Problem> {
        while let Some(c) = self.rest.first().copied() {
            match self.rest {
                [' ' | '\t', ..] => return Ok(false),
                _ if is_break(c) => return Ok(false),
                ['\'', '\'', ..] if !double => {
                    self.out.push(c);
                    self.skip(2);
                }
                ['\\', next, ..] if double && is_break(*next) => {
                    self.skip(1);
                    self.line_break();
                    return Ok(true);
                }
                ['\\', next, ..] if double => self.escape(*next)?,
                _ => {
                    self.out.push(c);
                    self.skip(1);
                }
            }
        }
        Ok(false)
    }

    fn escape(&mut self, code: char) -> Result<(), Problem> {
        let digits = match code {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let read = match code {
            '0' => '\0',
            'a' => '\u{7}',
            'b' => '\u{8}',
            't' | '\t' => '\t',
            'n' => '\n',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'r' => '\r',
            'e' => '\u{1b}',
            ' ' | '"' | '\'' | '\\' => code,
            'N' => '\u{85}',
            '_' => '\u{a0}',
            'L' => '\u{2028}',
            'P' => '\u{2029}',
            _ if digits == 0 => return Err(self.problem("found unknown escape character")),
            _ => {
                let hex = self.rest.get(2..2 + digits).unwrap_or_default();
                let value = hex
                    .iter()
                    .try_fold(0_u32, |value, c| Some((value << 4) + c.to_digit(16)?))
                    .filter(|_| hex.len() == digits);
                let value =
                    value.ok_or_else(|| self.problem("did not find expected hexdecimal number"))?;
                char::from_u32(value)
                    .ok_or_else(|| self.problem("found invalid Unicode character escape code"))?
            }
        };
        self.out.push(read);
        self.skip(2 + digits);
        Ok(())
    }

    /// Folds white space: a line break is a blank, several are one less.
    fn blanks(&mut self, escaped_break: bool) {
        let mut whitespace = String::new();
        let mut first = None;
        let mut others = String::new();
        while let Some(c) = self.rest.first().copied() {
            if is_break(c) {
                let read = self.line_break();
                match first {
                    None if !escaped_break => first = Some(read),
                    _ => others.push(read),
                }
            } else if matches!(c, ' ' | '\t') {
                if first.is_none() && !escaped_break {
                    whitespace.push(c);
                }
                self.skip(1);
            } else {
                break;
            }
        }
        match first {
            Some('\n') if others.is_empty() => self.out.push(' '),
            Some('\n') => {}
            Some(separator) => self.out.push(separator),
            None if !escaped_break => self.out.push_str(&whitespace),
            None => {}
        }
        self.out.push_str(&others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(source: &str, double: bool) -> Result<String, Problem> {
        let source: Vec<char> = source.chars().collect();
        read(&source, double)
    }

    #[test]
    fn ends_of_lines_are_folded() {
        for (source, wanted) in [
            ("a \u{85} b", "a b"),
            ("a \u{2028} b", "a\u{2028}b"),
            ("\u{85}", " "),
            ("a  b ", "a  b "),
            ("a\n\n  b", "a\nb"),
            ("a\r\n\u{2029}b", "a\u{2029}b"),
        ] {
            for double in [false, true] {
                let read = read_text(source, double);
                assert_eq!(read.as_deref(), Ok(wanted), "{source:?}");
            }
        }
        let escaped = read_text("x \\\n   y\\ \n z", true);
        assert_eq!(escaped.as_deref(), Ok("x y  z"));
    }

    #[test]
    fn escapes_are_those_of_yaml_and_not_of_json() {
        let read = read_text("\\x41\\u00e9\\U0001f98a\\N\\L\\\"\\ ", true);
        assert_eq!(read.as_deref(), Ok("Aé🦊\u{85}\u{2028}\" "));
        assert_eq!(read_text("it''s \\n", false).as_deref(), Ok("it's \\n"));
        for (source, text) in [
            ("a\\/", "found unknown escape character"),
            (
                "\\ud83d\\ude00",
                "found invalid Unicode character escape code",
            ),
            ("\\xZZ", "did not find expected hexdecimal number"),
        ] {
            let problem = Problem { lines: 0, text };
            assert_eq!(read_text(source, true), Err(problem), "{source}");
        }
    }
}
