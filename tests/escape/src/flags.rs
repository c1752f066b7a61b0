//! Flags of hook tools as the agent parses them: anywhere between the arguments,
//! with joined short flags.

/// Flags of one tool, without dashes.
struct Flags {
    tool: &'static str,
    /// Those that take nothing.
    switches: &'static [&'static str],
    /// Those that take a value.
    values: &'static [&'static str],
}

const fn flags(
    tool: &'static str,
    switches: &'static [&'static str],
    values: &'static [&'static str],
) -> Flags {
    Flags {
        tool,
        switches,
        values,
    }
}

const SECRET: &[&str] = &["owner", "label", "description", "rotate", "expire", "file"];

/// Tools with flags other than [`OUTPUT`]. `future-tool` and `future-output` do not
/// exist in any Juju.
const TABLE: &[Flags] = &[
    flags(
        "config-get",
        &["a", "all"],
        &["format", "o", "output", "future-output"],
    ),
    flags(
        "relation-get",
        &["app"],
        &["r", "relation", "format", "o", "output"],
    ),
    flags(
        "relation-list",
        &["app"],
        &["r", "relation", "format", "o", "output"],
    ),
    flags(
        "relation-set",
        &["app"],
        &["r", "relation", "file", "format"],
    ),
    flags("state-get", &["strict"], &["format", "o", "output"]),
    flags("state-set", &[], &["file"]),
    flags("storage-get", &[], &["s", "format", "o", "output"]),
    flags("secret-add", &[], SECRET),
    flags("secret-set", &[], SECRET),
    flags("pod-spec-set", &[], &["file", "k8s-resources"]),
    flags("future-tool", &[], &["into"]),
];
const OUTPUT: Flags = flags("", &[], &["format", "o", "output"]);

/// Flags whose value is a file to be written.
const WRITTEN: [&str; 4] = ["o", "output", "into", "future-output"];
/// Flags whose value is a file to be read; `-` is the input.
const READ: [&str; 2] = ["file", "k8s-resources"];

/// The files that the agent would open.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Opened {
    pub read: Vec<String>,
    pub written: Vec<String>,
}

/// Takes arguments apart; the error is the agent's.
pub fn opened(tool: &str, args: &[String]) -> Result<Opened, String> {
    let flags = TABLE.iter().find(|flags| flags.tool == tool);
    let mut parser = Parser {
        flags: flags.unwrap_or(&OUTPUT),
        opened: Opened::default(),
        rest: args.iter(),
    };
    parser.parse(tool.starts_with("secret-"))?;
    Ok(parser.opened)
}

struct Parser<'a> {
    flags: &'a Flags,
    opened: Opened,
    rest: std::slice::Iter<'a, String>,
}

impl Parser<'_> {
    fn parse(&mut self, has_keys: bool) -> Result<(), String> {
        let mut is_flags = true;
        while let Some(arg) = self.rest.next() {
            if is_flags && arg == "--" {
                is_flags = false;
            } else if let Some(long) = arg.strip_prefix("--").filter(|_| is_flags) {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (long, None),
                };
                self.flag(name, value)?;
            } else if is_flags && arg.len() > 1 && arg.starts_with('-') {
                self.short(&arg[1..])?;
            } else if let Some((_, path)) = arg.split_once("#file=").filter(|_| has_keys) {
                self.opened.read.push(path.to_owned());
            }
        }
        Ok(())
    }

    /// Short flags that stand together.
    fn short(&mut self, letters: &str) -> Result<(), String> {
        for (place, letter) in letters.char_indices() {
            let name = letter.to_string();
            let after = &letters[place + letter.len_utf8()..];
            if self.flags.switches.contains(&name.as_str()) {
                continue;
            }
            return self.flag(&name, (!after.is_empty()).then_some(after));
        }
        Ok(())
    }

    fn flag(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        if self.flags.switches.contains(&name) {
            return Ok(());
        }
        if !self.flags.values.contains(&name) {
            return Err(format!("option provided but not defined: {name}"));
        }
        let value = match value {
            Some(value) => value.to_owned(),
            None => match self.rest.next() {
                Some(next) => next.clone(),
                None => return Err(format!("option needs an argument: {name}")),
            },
        };
        if value == "-" {
            return Ok(());
        }
        if WRITTEN.contains(&name) {
            self.opened.written.push(value);
        } else if READ.contains(&name) {
            self.opened.read.push(value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_wherever_flags_may_name_them() {
        for (line, read, written) in [
            ("config-get key", "", ""),
            ("config-get -o /x", "", "/x"),
            ("config-get -o/x", "", "/x"),
            ("config-get -ao/x", "", "/x"),
            ("config-get -aao /x", "", "/x"),
            ("config-get --output=/x", "", "/x"),
            ("config-get key --output /x", "", "/x"),
            ("config-get -- -o /x", "", ""),
            ("relation-get -r -- -o /x", "", "/x"),
            ("relation-get -r 1 - -o /x", "", "/x"),
            ("relation-ids db -o /x", "", "/x"),
            ("state-set --file - --file=/x", "/x", ""),
            ("secret-add -- a#file=/x", "/x", ""),
            ("action-set a#file=/x", "", ""),
            ("pod-spec-set --k8s-resources /x", "/x", ""),
        ] {
            let mut words = line.split(' ').map(str::to_owned);
            let tool = words.next().unwrap_or_default();
            let args: Vec<String> = words.collect();
            let wanted = Opened {
                read: Vec::from_iter((!read.is_empty()).then(|| read.to_owned())),
                written: Vec::from_iter((!written.is_empty()).then(|| written.to_owned())),
            };
            assert_eq!(opened(&tool, &args), Ok(wanted), "{line}");
        }
        let args = ["-z".to_owned()];
        assert!(opened("config-get", &args).is_err());
    }
}
