//! Steps at random, each drawn with a view of what is there.

use fastrand::Rng;
use steps::{At, HANDLES, How, Step};

use crate::kernel::{Expected, Kernel, paths};
use crate::scene::{CHARM, HIDDEN, PROTECTED, Scene};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e f", "ü日"];
/// How many steps are drawn from one look at the tree.
const LOOK_EVERY: usize = 15;
/// How many entries of the tree are known at most.
const KNOWN_MAX: usize = 400;

pub struct Generator<'a> {
    rng: Rng,
    /// The guest's paths of all roots, without the slash before them.
    roots: Vec<String>,
    charm: String,
    known: Vec<Known>,
    kernel: &'a mut Kernel,
}

struct Known {
    path: String,
    is_directory: bool,
}

impl<'a> Generator<'a> {
    pub fn new(scene: &Scene, seed: u64, kernel: &'a mut Kernel) -> Self {
        let guest = |path: &str| {
            let path = scene.guest(path).to_string_lossy().into_owned();
            path.trim_start_matches('/').to_owned()
        };
        let mut roots: Vec<String> = scene.roots.iter().map(|root| guest(&root.path)).collect();
        roots.push("tmp".to_owned());
        Generator {
            rng: Rng::with_seed(seed),
            roots,
            charm: guest(CHARM),
            known: Vec::new(),
            kernel,
        }
    }

    /// Draws steps and has the kernel perform them.
    pub fn run(mut self, count: usize) -> (Vec<Step>, Vec<Expected>) {
        let (mut steps, mut expected) = (Vec::new(), Vec::new());
        while steps.len() < count {
            if steps.len() % LOOK_EVERY == 0 {
                self.look();
            }
            let step = self.step();
            if paths(&step)
                .iter()
                .any(|(at, _)| self.kernel.is_fallback_link(at))
            {
                continue;
            }
            expected.push(self.kernel.run(&step));
            steps.push(step);
        }
        (steps, expected)
    }

    fn look(&mut self) {
        self.known.clear();
        let mut open: Vec<String> = self.roots.clone();
        while let Some(path) = open.pop() {
            let Ok(entries) = std::fs::read_dir(format!("/{path}")) else {
                continue;
            };
            let mut found: Vec<Known> = Vec::new();
            for entry in entries.flatten() {
                let path = format!("{path}/{}", entry.file_name().display());
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                found.push(Known { path, is_directory });
            }
            // The order in which a file system lists is not the same twice.
            found.sort_by(|one, other| one.path.cmp(&other.path));
            for entry in found {
                if entry.is_directory && !self.roots.contains(&entry.path) {
                    open.push(entry.path.clone());
                }
                if self.known.len() < KNOWN_MAX {
                    self.known.push(entry);
                }
            }
        }
    }

    fn one_of<'b, T: ?Sized>(&mut self, items: &[&'b T]) -> &'b T {
        items[self.rng.usize(..items.len())]
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    /// The path of something that is there, or was a few steps ago.
    fn existing(&mut self) -> String {
        match self.known.is_empty() {
            true => self.charm.clone(),
            false => self.known[self.rng.usize(..self.known.len())].path.clone(),
        }
    }

    /// A directory in which the guest may change something, more often than
    /// not.
    fn directory(&mut self) -> String {
        let root = self.rng.usize(..self.roots.len());
        let known: Vec<&Known> = self
            .known
            .iter()
            .filter(|known| known.is_directory)
            .collect();
        match known.is_empty() || self.rng.bool() {
            true => self.roots[root].clone(),
            false => known[self.rng.usize(..known.len())].path.clone(),
        }
    }

    fn plain(&mut self) -> String {
        match self.rng.u8(..100) {
            0..45 => self.existing(),
            45..82 => {
                let directory = self.directory();
                format!("{directory}/{}", self.one_of(&NAMES))
            }
            82..88 => self.roots[self.rng.usize(..self.roots.len())].clone(),
            88..92 => {
                let name = match self.rng.bool() {
                    true => self.one_of(&PROTECTED),
                    false => self.one_of(&HIDDEN),
                };
                let below = self.one_of(&["", "", "/a", "/x"]);
                format!("{}/{name}{below}", self.charm)
            }
            92..95 => {
                // Above the roots, where only the way to them is.
                let root = self.roots[self.rng.usize(..self.roots.len())].clone();
                let parts: Vec<&str> = root.split('/').collect();
                let above = parts[..self.rng.usize(1..=parts.len())].join("/");
                match self.rng.bool() {
                    true => above,
                    false => format!("{above}/{}", self.one_of(&NAMES)),
                }
            }
            95..97 => {
                let directory = self.directory();
                let length = self.rng.usize(250..260);
                format!("{directory}/{}", "n".repeat(length))
            }
            97 => format!("etc/{}", self.one_of(&["passwd", "x"])),
            _ => {
                let below = self.one_of(&["", "/a", "/b"]);
                format!("{}{below}", self.one_of(&NAMES))
            }
        }
    }

    fn decorated(&mut self, path: String) -> String {
        match self.rng.u8(..100) {
            0..3 => format!("{path}/"),
            3..5 => format!("{path}/."),
            5..7 => format!("{path}/.."),
            7..9 => path.replacen('/', "//", 2),
            9..11 => path.replacen('/', "/./", 2),
            11..14 => {
                let name = self.one_of(&NAMES);
                match path.rsplit_once('/') {
                    Some((parent, last)) => format!("{parent}/{name}/../{last}"),
                    None => path,
                }
            }
            14 => format!("{path}{}", "/.".repeat(2500)),
            15 => String::new(),
            16 => format!("../../{path}"),
            _ => path,
        }
    }

    /// A path, from `/` or from an open directory.
    fn at(&mut self) -> At {
        let handle = self.rng.usize(..HANDLES);
        if handle > 0 && self.kernel.is_directory(handle) == Some(true) && self.chance(60) {
            let (one, other) = (self.one_of(&NAMES), self.one_of(&NAMES));
            let path = match self.rng.u8(..10) {
                0..6 => one.to_owned(),
                6..8 => format!("{one}/{other}"),
                8 => format!("../{one}"),
                _ => ".".to_owned(),
            };
            return At { handle, path };
        }
        let path = self.plain();
        let at = At::root(path);
        if self.kernel.is_fallback(&at) {
            return at;
        }
        At::root(self.decorated(at.path))
    }

    fn target(&mut self) -> String {
        match self.rng.u8(..100) {
            0..35 => self.one_of(&NAMES).to_owned(),
            35..50 => format!("../{}", self.one_of(&NAMES)),
            50..60 => {
                let (one, other) = (self.one_of(&NAMES), self.one_of(&NAMES));
                format!("{one}/{other}")
            }
            60..75 => format!("/{}", self.existing()),
            75..85 => format!("/{}", self.directory()),
            85..88 => self.one_of(&[".", "..", "../.."]).to_owned(),
            88..92 => self.one_of(&PROTECTED).to_owned(),
            92..95 => self.one_of(&HIDDEN).to_owned(),
            95 => "/etc/passwd".to_owned(),
            96 => String::new(),
            97 => "t".repeat(5000),
            _ => format!("{}/", self.one_of(&NAMES)),
        }
    }

    fn text(&mut self) -> String {
        let letter = self.rng.alphanumeric();
        letter.to_string().repeat(self.rng.usize(1..200))
    }

    fn how(&mut self) -> How {
        let create = self.chance(35);
        let read = self.chance(70);
        How {
            follow: self.chance(70),
            create,
            exclusive: create && self.chance(30),
            truncate: self.chance(15),
            directory: self.chance(25),
            read,
            write: !read || self.chance(40),
        }
    }

    /// A handle that is open, if there is one.
    fn open(&mut self) -> usize {
        let drawn = self.rng.usize(1..HANDLES);
        let is_open = |handle: &usize| self.kernel.is_directory(*handle).is_some();
        (drawn..HANDLES)
            .chain(1..drawn)
            .find(is_open)
            .unwrap_or(drawn)
    }

    fn step(&mut self) -> Step {
        let at = self.at();
        match self.rng.u8(..100) {
            0..14 => {
                let handle = self.rng.usize(1..HANDLES);
                // Directories are what handles are most of use for.
                let how = match self.chance(30) {
                    true => How {
                        follow: true,
                        directory: true,
                        read: true,
                        ..How::default()
                    },
                    false => self.how(),
                };
                Step::Open { handle, at, how }
            }
            14..36 => self.handle_step(),
            36..40 => Step::StatAt {
                at,
                follow: self.rng.bool(),
            },
            40..42 => Step::SetTimeAt {
                at,
                follow: self.rng.bool(),
                time: self.rng.u64(1..steps::PAST),
            },
            42..51 => Step::MakeDirectory { at },
            51..56 => Step::RemoveDirectory { at },
            56..62 => Step::Unlink { at },
            62..72 => Step::Rename {
                from: at,
                to: self.at(),
            },
            72..78 => Step::Link {
                from: at,
                to: self.at(),
            },
            78..85 => Step::Symlink {
                target: self.target(),
                at,
            },
            85..87 => Step::ReadLink { at },
            87..89 => Step::HasSameHash {
                at,
                other: self.at(),
            },
            89..92 => Step::ReadFile { at },
            92..97 => Step::WriteFile {
                at,
                text: self.text(),
            },
            _ => Step::ListAt { at },
        }
    }

    fn handle_step(&mut self) -> Step {
        let handle = self.open();
        match self.rng.u8(..22) {
            0..3 => Step::Read {
                handle,
                offset: self.rng.u64(..300),
                length: self.rng.u64(..300),
            },
            3..7 => Step::Write {
                handle,
                offset: self.rng.u64(..300),
                text: self.text(),
            },
            7..9 => Step::Append {
                handle,
                text: self.text(),
            },
            9..11 => Step::SetSize {
                handle,
                size: self.rng.u64(..5000),
            },
            11..13 => Step::SetTime {
                handle,
                time: self.rng.u64(1..steps::PAST),
            },
            13..16 => Step::Stat { handle },
            16..18 => Step::List { handle },
            18..20 => Step::IsSame {
                handle,
                other: self.open(),
            },
            _ => Step::Close { handle },
        }
    }
}

/// Looks at everything that the guest sees.
pub fn inspection(scene: &Scene) -> Vec<Step> {
    let mut steps = Vec::new();
    for root in scene.roots.iter().map(|root| scene.guest(&root.path)) {
        let path = root.to_string_lossy();
        walk(path.trim_start_matches('/'), &mut steps);
    }
    walk("tmp", &mut steps);
    steps
}

fn walk(path: &str, steps: &mut Vec<Step>) {
    steps.push(Step::StatAt {
        at: At::root(path),
        follow: false,
    });
    let Ok(found) = std::fs::symlink_metadata(format!("/{path}")) else {
        return;
    };
    if found.is_symlink() {
        steps.push(Step::ReadLink { at: At::root(path) });
    } else if found.is_file() {
        steps.push(Step::ReadFile { at: At::root(path) });
    } else if found.is_dir() {
        steps.push(Step::ListAt { at: At::root(path) });
        let entries = std::fs::read_dir(format!("/{path}"))
            .into_iter()
            .flatten()
            .flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            walk(&format!("{path}/{}", name.display()), steps);
        }
    }
}
