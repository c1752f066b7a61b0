//! Random steps, drawn with regard to existing files.

use fastrand::Rng;
use steps::{At, HANDLES, How, Step};

use crate::kernel::{Expected, Kernel};
use crate::scene::{CHARM, HIDDEN, PROTECTED, Scene};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e f", "ü日"];
/// Number of steps that are drawn from one snapshot of the tree.
const LOOK_EVERY: usize = 15;
/// How many entries of the tree are known at most.
const KNOWN_MAX: usize = 400;

pub struct Generator<'a> {
    rng: Rng,
    /// The guest's paths of all roots, without the slash before them.
    roots: Vec<String>,
    /// Those that the guest may write.
    writable: Vec<String>,
    charm: String,
    known: Vec<Known>,
    kernel: &'a mut Kernel,
}

struct Known {
    path: String,
    is_directory: bool,
    is_file: bool,
    /// The root that it is in.
    root: String,
}

/// Purpose of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    File,
    Directory,
    Anything,
    /// Something that does not exist yet.
    New,
}

impl<'a> Generator<'a> {
    pub fn new(scene: &Scene, seed: u64, kernel: &'a mut Kernel) -> Self {
        let guest = |path: &str| {
            let path = scene.guest(path).to_string_lossy().into_owned();
            path.trim_start_matches('/').to_owned()
        };
        let mut roots: Vec<String> = scene.roots.iter().map(|root| guest(&root.path)).collect();
        roots.push("tmp".to_owned());
        let mut writable: Vec<String> = scene
            .roots
            .iter()
            .filter(|root| root.writable)
            .map(|root| guest(&root.path))
            .collect();
        writable.push("tmp".to_owned());
        Generator {
            rng: Rng::with_seed(seed),
            roots,
            writable,
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
            if self.kernel.has_no_answer(&step) {
                continue;
            }
            expected.push(self.kernel.run(&step));
            steps.push(step);
        }
        (steps, expected)
    }

    fn look(&mut self) {
        self.known.clear();
        let mut open: Vec<(String, String)> = self
            .roots
            .iter()
            .map(|root| (root.clone(), root.clone()))
            .collect();
        while let Some((path, root)) = open.pop() {
            let Ok(entries) = std::fs::read_dir(format!("/{path}")) else {
                continue;
            };
            let mut found: Vec<Known> = Vec::new();
            for entry in entries.flatten() {
                let path = format!("{path}/{}", entry.file_name().display());
                let kind = entry.file_type().ok();
                found.push(Known {
                    path,
                    is_directory: kind.is_some_and(|kind| kind.is_dir()),
                    is_file: kind.is_some_and(|kind| kind.is_file()),
                    root: root.clone(),
                });
            }
            // The order in which a file system lists is not the same twice.
            found.sort_by(|one, other| one.path.cmp(&other.path));
            for entry in found {
                if entry.is_directory && !self.roots.contains(&entry.path) {
                    open.push((entry.path.clone(), root.clone()));
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

    /// The path of something that exists, or existed a few steps ago.
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

    /// A root that the guest may write, more often than not the charm's.
    fn writable(&mut self) -> String {
        match self.rng.bool() {
            true => self.charm.clone(),
            false => self.writable[self.rng.usize(..self.writable.len())].clone(),
        }
    }

    /// A path in a root with which a step is likely to succeed.
    fn likely(&mut self, root: &str, what: For) -> At {
        let fits = |known: &&Known| {
            let kind = match what {
                For::File => known.is_file,
                For::Directory | For::New => known.is_directory,
                For::Anything => true,
            };
            kind && known.root == root
        };
        let found: Vec<&Known> = self.known.iter().filter(fits).collect();
        let path = match found.is_empty() || what == For::New && self.rng.u8(..100) < 40 {
            true => root.to_owned(),
            false => found[self.rng.usize(..found.len())].path.clone(),
        };
        At::root(match what {
            For::New => format!("{path}/{}", self.one_of(&NAMES)),
            _ => path,
        })
    }

    /// A path for a step, which it is likely to fit or not.
    fn at_for(&mut self, what: For) -> At {
        match self.chance(65) {
            true => {
                let root = self.writable();
                self.likely(&root, what)
            }
            false => self.at(),
        }
    }

    /// Two paths, more often than not in one root.
    fn pair_for(&mut self, from: For, to: For) -> (At, At) {
        match self.chance(65) {
            true => {
                let root = self.writable();
                (self.likely(&root, from), self.likely(&root, to))
            }
            false => (self.at(), self.at()),
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

    /// A handle that is open, more often than not of a file or of a directory
    /// as wanted; else any.
    fn open(&mut self, directory: bool) -> usize {
        let drawn = self.rng.usize(1..HANDLES);
        let any = self.chance(20);
        let fits = |handle: &usize| match self.kernel.is_directory(*handle) {
            Some(is_directory) => any || is_directory == directory,
            None => false,
        };
        let found = (drawn..HANDLES).chain(1..drawn).find(fits);
        found.unwrap_or(drawn)
    }

    fn step(&mut self) -> Step {
        match self.rng.u8(..100) {
            0..14 => self.opening(),
            14..36 => self.handle_step(),
            36..40 => Step::StatAt {
                at: self.at_for(For::Anything),
                follow: self.rng.bool(),
            },
            40..42 => Step::SetTimeAt {
                at: self.at_for(For::Anything),
                follow: self.rng.bool(),
                time: self.rng.u64(1..steps::PAST),
            },
            42..50 => Step::MakeDirectory {
                at: self.at_for(For::New),
            },
            50..55 => Step::RemoveDirectory {
                at: self.at_for(For::Directory),
            },
            55..61 => Step::Unlink {
                at: self.at_for(For::Anything),
            },
            61..72 => {
                let to = match self.chance(60) {
                    true => For::New,
                    false => For::Anything,
                };
                let (from, to) = self.pair_for(For::Anything, to);
                Step::Rename { from, to }
            }
            72..78 => {
                let (from, to) = self.pair_for(For::File, For::New);
                Step::Link { from, to }
            }
            78..84 => Step::Symlink {
                target: self.target(),
                at: self.at_for(For::New),
            },
            84..86 => Step::ReadLink {
                at: self.at_for(For::Anything),
            },
            86..88 => {
                let (at, other) = self.pair_for(For::File, For::File);
                Step::HasSameHash { at, other }
            }
            88..91 => Step::ReadFile {
                at: self.at_for(For::File),
            },
            91..97 => Step::WriteFile {
                at: self.at_for(For::New),
                text: self.text(),
            },
            _ => Step::ListAt {
                at: self.at_for(For::Directory),
            },
        }
    }

    fn opening(&mut self) -> Step {
        let handle = self.rng.usize(1..HANDLES);
        let (what, how) = match self.rng.u8(..10) {
            // Directories are what handles are most of use for.
            0..3 => (
                For::Directory,
                How {
                    follow: true,
                    directory: true,
                    read: true,
                    ..How::default()
                },
            ),
            3..6 => (
                For::File,
                How {
                    follow: true,
                    read: true,
                    write: true,
                    ..How::default()
                },
            ),
            _ => (For::Anything, self.how()),
        };
        let at = self.at_for(what);
        Step::Open { handle, at, how }
    }

    fn handle_step(&mut self) -> Step {
        match self.rng.u8(..22) {
            0..3 => Step::Read {
                handle: self.open(false),
                offset: self.rng.u64(..300),
                length: self.rng.u64(..300),
            },
            3..7 => Step::Write {
                handle: self.open(false),
                offset: self.rng.u64(..300),
                text: self.text(),
            },
            7..9 => Step::Append {
                handle: self.open(false),
                text: self.text(),
            },
            9..11 => Step::SetSize {
                handle: self.open(false),
                size: self.rng.u64(..5000),
            },
            11..13 => {
                let is_directory = self.rng.bool();
                Step::SetTime {
                    handle: self.open(is_directory),
                    time: self.rng.u64(1..steps::PAST),
                }
            }
            13..16 => {
                let is_directory = self.rng.bool();
                Step::Stat {
                    handle: self.open(is_directory),
                }
            }
            16..19 => Step::List {
                handle: self.open(true),
            },
            19..21 => Step::IsSame {
                handle: self.open(false),
                other: self.open(false),
            },
            _ => {
                let is_directory = self.rng.bool();
                Step::Close {
                    handle: self.open(is_directory),
                }
            }
        }
    }
}

/// Steps that read the whole tree of the guest.
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
