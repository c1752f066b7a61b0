//! The arguments of a hook tool: GNU flags, anywhere between the others.

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or `=true` and the like.
    Switch,
    /// Any text.
    Text,
    /// The name of an output format.
    Format,
    /// The same without `smart`.
    YamlFormat,
}

/// A flag of a tool.
#[derive(Debug)]
pub struct Flag {
    /// Its names, without dashes; the first is the one to look it up by.
    pub names: &'static [&'static str],
    /// What it takes.
    pub kind: Kind,
}

impl Flag {
    /// A flag that takes nothing.
    pub const fn switch(names: &'static [&'static str]) -> Self {
        Flag {
            names,
            kind: Kind::Switch,
        }
    }

    /// A flag that takes text.
    pub const fn text(names: &'static [&'static str]) -> Self {
        Flag {
            names,
            kind: Kind::Text,
        }
    }

    /// The flag `--format`.
    pub const fn format() -> Self {
        Flag {
            names: &["format"],
            kind: Kind::Format,
        }
    }

    /// `--format` of a tool that has no `smart`.
    pub const fn yaml_format() -> Self {
        Flag {
            names: &["format"],
            kind: Kind::YamlFormat,
        }
    }
}

/// Arguments, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    flags: Vec<(&'static str, String)>,
    /// What is no flag.
    pub args: Vec<String>,
}

/// Why arguments could not be taken apart.
#[derive(Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Help was asked for.
    Help,
    /// They are wrong; in the words of Juju.
    Wrong(String),
}

impl Parsed {
    /// Whether a switch is on.
    pub fn is(&self, name: &str) -> bool {
        self.value(name) == Some("true")
    }

    /// What a flag was given; the last time counts.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut given = self.flags.iter().rev();
        let found = given.find(|(flag, _)| *flag == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The one argument there may be.
    pub fn at_most_one(&self) -> Result<Option<&str>, String> {
        match self.args.as_slice() {
            [] => Ok(None),
            [arg] => Ok(Some(arg)),
            [_, rest @ ..] => Err(unrecognized(rest)),
        }
    }

    /// Refuses any argument.
    pub fn none(&self) -> Result<(), String> {
        match self.args.as_slice() {
            [] => Ok(()),
            args => Err(unrecognized(args)),
        }
    }
}

/// The complaint about arguments that a tool does not take.
pub fn unrecognized(args: &[String]) -> String {
    let quoted: Vec<String> = args.iter().map(|arg| format!("{arg:?}")).collect();
    format!("unrecognized args: [{}]", quoted.join(" "))
}

/// Takes arguments apart. `-x5`, `-x 5`, `--long 5` and `--long=5` are the
/// same; short switches may be joined; `--` ends the flags; `-` is no flag.
pub fn parse(flags: &[&'static [Flag]], args: &[String]) -> Result<Parsed, ParseError> {
    let mut parsed = Parsed::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            parsed.args.extend(rest.cloned());
            break;
        } else if let Some(long) = arg.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let flag = find(flags, name)?;
            let value = match (value, flag.kind) {
                (Some(value), _) => value,
                (None, Kind::Switch) => "true",
                (None, _) => next(&mut rest, name)?,
            };
            parsed.flags.push(checked(flag, name, value)?);
        } else if arg.len() > 1 && arg.starts_with('-') {
            short(flags, &arg[1..], &mut rest, &mut parsed)?;
        } else {
            parsed.args.push(arg.clone());
        }
    }
    Ok(parsed)
}

/// Short flags that stand together in one argument.
fn short<'a>(
    flags: &[&'static [Flag]],
    mut letters: &'a str,
    rest: &mut std::slice::Iter<'a, String>,
    parsed: &mut Parsed,
) -> Result<(), ParseError> {
    while let Some(letter) = letters.chars().next() {
        let (name, after) = letters.split_at(letter.len_utf8());
        let flag = find(flags, name)?;
        letters = after;
        let value = match flag.kind {
            Kind::Switch => "true",
            _ if after.is_empty() => next(rest, name)?,
            _ => std::mem::take(&mut letters),
        };
        parsed.flags.push(checked(flag, name, value)?);
    }
    Ok(())
}

fn find(flags: &[&'static [Flag]], name: &str) -> Result<&'static Flag, ParseError> {
    let mut all = flags.iter().flat_map(|flags| flags.iter());
    match all.find(|flag| flag.names.contains(&name)) {
        Some(flag) => Ok(flag),
        None if name == "help" || name == "h" => Err(ParseError::Help),
        None => Err(ParseError::Wrong(format!(
            "option provided but not defined: {}",
            dashed(name)
        ))),
    }
}

fn next<'a>(rest: &mut std::slice::Iter<'a, String>, name: &str) -> Result<&'a str, ParseError> {
    let missing = || ParseError::Wrong(format!("option needs an argument: {}", dashed(name)));
    rest.next().map(String::as_str).ok_or_else(missing)
}

fn checked(
    flag: &'static Flag,
    name: &str,
    value: &str,
) -> Result<(&'static str, String), ParseError> {
    let refuse = |reason: String| {
        let name = dashed(name);
        ParseError::Wrong(format!(
            "invalid value {value:?} for option {name}: {reason}"
        ))
    };
    let key = flag.names.first().copied().unwrap_or_default();
    let value = match flag.kind {
        Kind::Switch => match super::parse_bool(value) {
            Some(on) => on.to_string(),
            None => {
                return Err(refuse(format!(
                    "strconv.ParseBool: parsing {value:?}: invalid syntax"
                )));
            }
        },
        Kind::Format if !["smart", "yaml", "json"].contains(&value) => {
            return Err(refuse(format!("unknown format {value:?}")));
        }
        Kind::YamlFormat if !["yaml", "json"].contains(&value) => {
            return Err(refuse(format!("unknown format {value:?}")));
        }
        _ => value.to_owned(),
    };
    Ok((key, value))
}

fn dashed(name: &str) -> String {
    match name.chars().nth(1) {
        Some(_) => format!("--{name}"),
        None => format!("-{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        Flag::switch(&["a", "all"]),
        Flag::switch(&["b"]),
        Flag::text(&["r", "relation"]),
        Flag::format(),
    ];

    fn shown(args: &str) -> String {
        let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
        match parse(&[FLAGS], &args) {
            Ok(parsed) => {
                let flags = parsed
                    .flags
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"));
                let args = parsed.args.iter().cloned();
                flags.chain(args).collect::<Vec<_>>().join(" ")
            }
            Err(ParseError::Help) => "help".to_owned(),
            Err(ParseError::Wrong(text)) => text,
        }
    }

    #[test]
    fn flags_stand_anywhere_in_any_spelling() {
        for (args, wanted) in [
            ("x -a y", "a=true x y"),
            ("--all=false x", "a=false x"),
            ("--all=T", "a=true"),
            ("-ab x", "a=true b=true x"),
            ("-abrdb:7", "a=true b=true r=db:7"),
            ("-r db:7 -r 9", "r=db:7 r=9"),
            ("--relation=", "r="),
            ("--relation=a=b", "r=a=b"),
            ("-r --all", "r=--all"),
            ("-a -- -b --x", "a=true -b --x"),
            ("- x", "- x"),
            ("--help", "help"),
            ("x -h", "help"),
        ] {
            assert_eq!(shown(args), wanted, "{args}");
        }
    }

    #[test]
    fn wrong_flags_are_refused_in_the_words_of_juju() {
        for (args, wanted) in [
            ("--nope", "option provided but not defined: --nope"),
            ("-azb", "option provided but not defined: -z"),
            ("-é", "option provided but not defined: -é"),
            ("-r", "option needs an argument: -r"),
            ("--relation", "option needs an argument: --relation"),
            (
                "--all=maybe",
                "invalid value \"maybe\" for option --all: strconv.ParseBool: parsing \"maybe\": invalid syntax",
            ),
            (
                "--format=",
                "invalid value \"\" for option --format: unknown format \"\"",
            ),
        ] {
            assert_eq!(shown(args), wanted, "{args}");
        }
    }
}
