//! The arguments of a hook tool: GNU flags, anywhere between other arguments
//! (juju §3.1).

/// The value of a flag, and what the agent does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagKind {
    /// None, or a boolean after `=`.
    Switch,
    /// Any text.
    Text,
    /// The name of an output format.
    Format,
    /// The name of an output format other than `smart`.
    YamlFormat,
    /// Any text; the flag is deprecated and does nothing.
    IgnoredFormat,
    /// The name of a file that the agent reads.
    FileInput {
        /// Whether `-` stands for the standard input.
        stdin: bool,
    },
    /// The name of a file that the agent writes.
    FileOutput,
}

/// A flag of a tool.
#[derive(Debug, PartialEq, Eq)]
pub struct Flag {
    /// The names, without dashes. [`Parsed::value`] takes the first.
    pub names: &'static [&'static str],
    /// The value.
    pub kind: FlagKind,
}

impl Flag {
    pub(crate) const fn new(names: &'static [&'static str], kind: FlagKind) -> Self {
        Flag { names, kind }
    }

    pub(crate) const fn switch(names: &'static [&'static str]) -> Self {
        Flag::new(names, FlagKind::Switch)
    }

    pub(crate) const fn text(names: &'static [&'static str]) -> Self {
        Flag::new(names, FlagKind::Text)
    }

    fn key(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }
}

/// Parsed arguments.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    flags: Vec<(&'static str, String)>,
    /// The arguments that are not flags.
    pub args: Vec<String>,
}

/// Arguments that are not parsed.
#[derive(Debug, PartialEq, Eq)]
pub enum ParseError {
    /// The arguments ask for help.
    Help,
    /// The arguments are wrong; the text is Juju's message.
    Wrong(String),
}

impl Parsed {
    /// Whether a switch is on.
    pub fn is(&self, name: &str) -> bool {
        self.value(name) == Some("true")
    }

    /// Returns the value of a flag; the last of several.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut given = self.flags.iter().rev();
        let found = given.find(|(flag, _)| *flag == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the only argument, if there is one; several are an error.
    pub fn at_most_one(&self) -> Result<Option<&str>, String> {
        match self.args.as_slice() {
            [] => Ok(None),
            [arg] => Ok(Some(arg)),
            [_, rest @ ..] => Err(unrecognized(rest)),
        }
    }

    /// Rejects any argument.
    pub fn none(&self) -> Result<(), String> {
        match self.args.as_slice() {
            [] => Ok(()),
            args => Err(unrecognized(args)),
        }
    }
}

/// Returns Juju's message for arguments that a tool does not take.
pub fn unrecognized(args: &[String]) -> String {
    let quoted: Vec<String> = args.iter().map(|arg| format!("{arg:?}")).collect();
    format!("unrecognized args: [{}]", quoted.join(" "))
}

/// Parses arguments as the agent does, and checks the values of switches and
/// formats. `-x5`, `-x 5`, `--long 5` and `--long=5` are equivalent; short
/// switches can be joined; `--` ends the flags; `-` is not a flag.
///
/// Of switches that are joined in the last argument, the agent reads only the
/// first.
pub fn parse(flags: &'static [Flag], args: &[String]) -> Result<Parsed, ParseError> {
    let mut parsed = Parsed::default();
    let others = walk(flags, args, Joined::AsTheAgent, |given| {
        let value = checked(given.flag, given.name, given.value)?;
        parsed.flags.push((given.flag.key(), value));
        Ok(())
    })?;
    parsed.args = others.into_iter().map(|(_, arg)| arg.to_owned()).collect();
    Ok(parsed)
}

/// How flags that are joined in one argument are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joined {
    /// As the agent does: in the last argument, what follows a switch is
    /// ignored, and a switch takes a rest that begins with `=` as its value.
    AsTheAgent,
    /// Every flag, for a check that must not depend on what an agent ignores. A
    /// switch takes no value.
    All,
}

/// A flag that was given.
pub(crate) struct Given<'a> {
    pub flag: &'static Flag,
    /// The name that was used.
    pub name: &'a str,
    pub value: &'a str,
    /// The position of the argument that ends in the value.
    pub at: usize,
}

/// An argument that is not a flag, and its position.
pub(crate) type Other<'a> = (usize, &'a str);

/// The arguments that are left, with their positions.
type Rest<'a> = std::iter::Enumerate<std::slice::Iter<'a, String>>;

/// Walks through arguments: calls `each` with every flag. Returns the arguments
/// that are not flags.
pub(crate) fn walk<'a>(
    flags: &'static [Flag],
    args: &'a [String],
    joined: Joined,
    mut each: impl FnMut(Given<'a>) -> Result<(), ParseError>,
) -> Result<Vec<Other<'a>>, ParseError> {
    let mut others = Vec::new();
    let mut rest = args.iter().enumerate();
    while let Some((at, arg)) = rest.next() {
        if arg == "--" {
            others.extend(rest.map(|(at, arg)| (at, arg.as_str())));
            break;
        } else if let Some(long) = arg.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some(("", _)) => {
                    let text = format!("empty option in argument {arg:?}");
                    return Err(ParseError::Wrong(text));
                }
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let flag = find(flags, name)?;
            let (at, value) = match (value, flag.kind) {
                (Some(value), _) => (at, value),
                (None, FlagKind::Switch) => (at, "true"),
                (None, _) => next(&mut rest, name)?,
            };
            each(Given {
                flag,
                name,
                value,
                at,
            })?;
        } else if let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            short(flags, (at, letters), joined, &mut rest, &mut each)?;
        } else {
            others.push((at, arg.as_str()));
        }
    }
    Ok(others)
}

/// Walks through short flags that are joined in one argument.
fn short<'a>(
    flags: &'static [Flag],
    (at, mut letters): Other<'a>,
    joined: Joined,
    rest: &mut Rest<'a>,
    each: &mut impl FnMut(Given<'a>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    while let Some(letter) = letters.chars().next() {
        let (name, after) = letters.split_at(letter.len_utf8());
        let flag = find(flags, name)?;
        letters = after;
        let as_the_agent = joined == Joined::AsTheAgent;
        let (at, value) = match flag.kind {
            FlagKind::Switch if as_the_agent && after.starts_with('=') => {
                (at, std::mem::take(&mut letters))
            }
            FlagKind::Switch => (at, "true"),
            _ if after.is_empty() => next(rest, name)?,
            _ => (at, std::mem::take(&mut letters)),
        };
        each(Given {
            flag,
            name,
            value,
            at,
        })?;
        if as_the_agent && rest.len() == 0 {
            break;
        }
    }
    Ok(())
}

fn find(flags: &'static [Flag], name: &str) -> Result<&'static Flag, ParseError> {
    match flags.iter().find(|flag| flag.names.contains(&name)) {
        Some(flag) => Ok(flag),
        None if name == "help" || name == "h" => Err(ParseError::Help),
        None => Err(ParseError::Wrong(format!(
            "option provided but not defined: {}",
            dashed(name)
        ))),
    }
}

fn next<'a>(rest: &mut Rest<'a>, name: &str) -> Result<Other<'a>, ParseError> {
    let missing = || ParseError::Wrong(format!("option needs an argument: {}", dashed(name)));
    let next = rest.next().map(|(at, arg)| (at, arg.as_str()));
    next.ok_or_else(missing)
}

fn checked(flag: &Flag, name: &str, value: &str) -> Result<String, ParseError> {
    let reject = |reason: String| {
        let name = dashed(name);
        ParseError::Wrong(format!(
            "invalid value {value:?} for option {name}: {reason}"
        ))
    };
    let value = match flag.kind {
        FlagKind::Switch => match parse_bool(value) {
            Some(on) => on.to_string(),
            None => {
                return Err(reject(format!(
                    "strconv.ParseBool: parsing {value:?}: invalid syntax"
                )));
            }
        },
        FlagKind::Format if !["smart", "yaml", "json"].contains(&value) => {
            return Err(reject(format!("unknown format {value:?}")));
        }
        FlagKind::YamlFormat if !["yaml", "json"].contains(&value) => {
            return Err(reject(format!("unknown format {value:?}")));
        }
        _ => value.to_owned(),
    };
    Ok(value)
}

/// Parses a boolean in any of the spellings of Go's `strconv.ParseBool`.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

pub(crate) fn dashed(name: &str) -> String {
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
        Flag::new(&["format"], FlagKind::Format),
    ];

    fn shown(args: &str) -> String {
        let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
        match parse(FLAGS, &args) {
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
    fn flags_are_parsed_anywhere_in_any_spelling() {
        for (args, wanted) in [
            ("x -a y", "a=true x y"),
            ("--all=false x", "a=false x"),
            ("--all=T", "a=true"),
            ("-ab x", "a=true b=true x"),
            ("-ab", "a=true"),
            ("-abz", "a=true"),
            ("-abrdb:7 x", "a=true b=true r=db:7 x"),
            ("-abr db:7", "a=true b=true r=db:7"),
            ("-abrdb:7", "a=true"),
            ("-ah", "a=true"),
            ("-rdb:7", "r=db:7"),
            ("-r=7", "r==7"),
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
    fn wrong_flags_are_rejected_with_the_message_of_juju() {
        for (args, wanted) in [
            ("--nope", "option provided but not defined: --nope"),
            ("-azb x", "option provided but not defined: -z"),
            ("--=x", "empty option in argument \"--=x\""),
            (
                "-a=true x",
                "invalid value \"=true\" for option -a: strconv.ParseBool: parsing \"=true\": invalid syntax",
            ),
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
