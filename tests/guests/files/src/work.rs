//! The work: every step is done in `data/in` of the charm, and in `/tmp/data/in`;
//! links may lead one directory up.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, ErrorCode};

use super::Params;

/// How often each step succeeded, by its name.
pub type Told = BTreeMap<String, u32>;

/// Small numbers at random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % count
    }

    fn one_of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    /// A path below `data/in`, more often than not of what is there.
    fn path(&mut self, there: &[String]) -> String {
        let name = self.one_of(&["a", "b", "c", "d"]);
        let (kind, known) = (self.below(3), self.below(there.len().max(1)));
        match there.get(known) {
            Some(path) if kind == 0 => path.clone(),
            Some(path) if kind == 1 && path.len() < 8 => format!("{path}/{name}"),
            _ => name.to_owned(),
        }
    }

    /// Another path.
    fn path_but(&mut self, not: &str, there: &[String]) -> String {
        loop {
            let path = self.path(there);
            if path != not {
                return path;
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Write(String),
    Append(String),
    Shorten(String),
    Overwrite(String),
    Create(String),
    Read(String),
    List(String),
    Look(String),
    LookAtLink(String),
    MakeDirectory(String),
    RemoveDirectory(String),
    RemoveFile(String),
    Rename(String, String),
    Link(String, String),
    Symlink(String, String),
}

impl Step {
    /// A step at random; hard links only if they are wanted.
    fn any(dice: &mut Dice, there: &[String], links: bool) -> Step {
        let path = dice.path(there);
        match dice.below(18) {
            0 => Step::Write(path),
            1 => Step::Append(path),
            2 => Step::Shorten(path),
            3 => Step::Overwrite(path),
            4 => Step::Create(path),
            5 => Step::Read(path),
            6 => Step::List(path),
            7 => Step::Look(path),
            8 => Step::LookAtLink(path),
            9 | 10 => Step::MakeDirectory(path),
            11 => Step::RemoveDirectory(path),
            12 | 13 => Step::RemoveFile(path),
            14 | 15 => Step::Rename(dice.path_but(&path, there), path),
            16 if links => Step::Link(dice.path_but(&path, there), path),
            _ => {
                let up = dice.one_of(&["", "", "./", "../"]);
                let up = if path.contains('/') { up } else { "" };
                Step::Symlink(format!("{up}{}", dice.path(there)), path)
            }
        }
    }

    fn name(&self) -> String {
        let shown = format!("{self:?}");
        let end = shown.find('(').unwrap_or(shown.len());
        shown[..end].to_lowercase()
    }

    /// Does it in a directory; what came of it.
    fn run(&self, data: &str, number: u32) -> Result<String, String> {
        let at = |path: &str| format!("{data}/in/{path}");
        let text = format!("{number};");
        let done = |()| String::new();
        let result: io::Result<String> = match self {
            Step::Write(path) => fs::write(at(path), text).map(done),
            Step::Append(path) => {
                let file = OpenOptions::new().append(true).open(at(path));
                file.and_then(|mut file| file.write_all(text.as_bytes()))
                    .map(done)
            }
            Step::Shorten(path) => {
                let file = OpenOptions::new().write(true).truncate(true).open(at(path));
                file.map(|_| String::new())
            }
            Step::Overwrite(path) => {
                let file = OpenOptions::new().read(true).write(true).open(at(path));
                file.and_then(|mut file| {
                    let mut before = String::new();
                    file.write_all(b"!")?;
                    file.read_to_string(&mut before)?;
                    Ok(before)
                })
            }
            Step::Create(path) => File::create_new(at(path)).map(|_| String::new()),
            Step::Read(path) => fs::read_to_string(at(path)),
            Step::List(path) => names(&at(path)).map(|names| names.join(" ")),
            Step::Look(path) => fs::metadata(at(path)).map(|found| kind(&found)),
            Step::LookAtLink(path) => match fs::symlink_metadata(at(path)) {
                Ok(found) if found.is_symlink() => {
                    fs::read_link(at(path)).map(|target| target.display().to_string())
                }
                found => found.map(|found| kind(&found)),
            },
            Step::MakeDirectory(path) => fs::create_dir(at(path)).map(done),
            Step::RemoveDirectory(path) => fs::remove_dir(at(path)).map(done),
            Step::RemoveFile(path) => fs::remove_file(at(path)).map(done),
            Step::Rename(from, to) => fs::rename(at(from), at(to)).map(done),
            Step::Link(from, to) => fs::hard_link(at(from), at(to)).map(done),
            Step::Symlink(target, path) => return symlink(target, &at(path)),
        };
        result.map_err(|error| format!("{:?}", error.kind()))
    }
}

fn symlink(target: &str, path: &str) -> Result<String, String> {
    let root: Option<Descriptor> = get_directories().into_iter().map(|(root, _)| root).next();
    let root = root.ok_or("no directory")?;
    let linked = root.symlink_at(target, path.trim_start_matches('/'));
    let told = |error: ErrorCode| error.name().to_owned();
    linked.map(|()| String::new()).map_err(told)
}

fn kind(found: &fs::Metadata) -> String {
    match found.is_file() {
        true => format!("a file of {} bytes", found.len()),
        false => format!("{:?}", found.file_type().is_dir()),
    }
}

fn names(directory: &str) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(directory)?.map(|entry| {
        let entry = entry?;
        let kind = entry.file_type()?;
        let sign = if kind.is_dir() {
            "/"
        } else if kind.is_symlink() {
            "@"
        } else {
            ""
        };
        Ok(format!("{}{sign}", entry.file_name().display()))
    });
    let mut names: Vec<String> = entries.collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

/// All that is in a directory, a line each.
fn tree(directory: &str) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut open = vec![String::new()];
    while let Some(below) = open.pop() {
        for name in names(&format!("{directory}{below}"))? {
            let shown = format!("{below}/{name}");
            let plain = shown.trim_end_matches(['/', '@']).to_owned();
            let path = format!("{directory}{plain}");
            if name.ends_with('/') {
                lines.push(shown);
                open.push(plain);
            } else if name.ends_with('@') {
                lines.push(format!("{shown} {}", fs::read_link(&path)?.display()));
            } else {
                lines.push(format!("{shown} {}", fs::read_to_string(&path)?));
            }
        }
    }
    lines.sort();
    Ok(lines)
}

/// Makes a plain copy.
fn copy(from: &str, to: &str) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for line in tree(from)? {
        let (shown, content) = line.split_once(' ').unwrap_or((&line, ""));
        let target = format!("{to}{}", shown.trim_end_matches(['/', '@']));
        match shown.chars().last() {
            Some('/') => fs::create_dir(target)?,
            Some('@') => {
                symlink(content, &target).map_err(io::Error::other)?;
            }
            _ => fs::write(target, content)?,
        }
    }
    Ok(())
}

/// Does steps at random in both directories; how many of them were possible, or
/// the first difference.
pub fn compare(charm_dir: &str, params: &Params) -> Result<Told, String> {
    let Params { seed, steps, links } = *params;
    let (data, plain) = (format!("{charm_dir}/data"), "/tmp/data");
    copy(&data, plain).map_err(|error| format!("cannot copy {data}: {error}"))?;
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut told = Told::new();
    for number in 0..steps {
        let before = tree(plain).map_err(|error| error.to_string())?;
        let inside = before.iter().filter_map(|line| line.strip_prefix("/in/"));
        let names = inside.filter_map(|line| line.split(['@', ' ']).next());
        let there: Vec<String> = names
            .map(|name| name.trim_end_matches('/').to_owned())
            .collect();
        let there: Vec<String> = there.into_iter().filter(|name| !name.is_empty()).collect();
        let step = Step::any(&mut dice, &there, links);
        let here = step.run(&data, number);
        // A directory of the charm is copied by who moves it.
        if here == Err("CrossesDevices".to_owned()) {
            *told.entry("crosses-devices".to_owned()).or_default() += 1;
            continue;
        }
        let there = step.run(plain, number);
        // Of two paths it is not said which is looked at first.
        let has_two = matches!(step, Step::Rename(..) | Step::Link(..));
        let same_end = here == there || has_two && here.is_err() && there.is_err();
        let trees = (tree(&data), tree(plain));
        let same = match &trees {
            (Ok(here), Ok(there)) => here == there,
            _ => false,
        };
        if !same_end || !same {
            return Err(format!(
                "step {number} of seed {seed}, {step:?}: {here:?} and {there:?}\nbefore: \
                 {before:?}\nof the charm: {:?}\nplain: {:?}",
                trees.0, trees.1
            ));
        }
        if here.is_ok() {
            *told.entry(step.name()).or_default() += 1;
        }
    }
    Ok(told)
}
