//! The steps, by the functions of `wasi:filesystem`: the standard library would
//! normalise paths and use no handles.

use steps::{At, HANDLES, How, Kind, Outcome, READ_MAX, Step, contents, listed, status};
use wasip2::clocks::wall_clock::Datetime;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, NewTimestamp,
    OpenFlags, PathFlags,
};

/// Performs steps in order.
pub fn run(steps: &[Step]) -> Vec<Outcome> {
    let mut handles: Vec<Option<Descriptor>> = Vec::new();
    handles.resize_with(HANDLES, || None);
    handles[0] = get_directories().into_iter().map(|(root, _)| root).next();
    let mut work = Work { handles };
    let outcome = |step| work.run(step).map_err(|error| error.name().to_owned());
    steps.iter().map(outcome).collect()
}

struct Work {
    handles: Vec<Option<Descriptor>>,
}

type Done<T> = Result<T, ErrorCode>;

impl Work {
    fn handle(&self, number: usize) -> Done<&Descriptor> {
        self.handles
            .get(number)
            .and_then(Option::as_ref)
            .ok_or(ErrorCode::BadDescriptor)
    }

    fn open(&self, at: &At, how: How) -> Done<Descriptor> {
        let mut flags = OpenFlags::empty();
        flags.set(OpenFlags::CREATE, how.create);
        flags.set(OpenFlags::EXCLUSIVE, how.exclusive);
        flags.set(OpenFlags::TRUNCATE, how.truncate);
        flags.set(OpenFlags::DIRECTORY, how.directory);
        let mut rights = DescriptorFlags::empty();
        rights.set(DescriptorFlags::READ, how.read);
        rights.set(DescriptorFlags::WRITE, how.write);
        self.handle(at.handle)?
            .open_at(follow(how.follow), &at.path, flags, rights)
    }

    fn run(&mut self, step: &Step) -> Done<String> {
        let done = |()| String::new();
        match step {
            Step::Open { handle, at, how } => {
                let opened = self.open(at, *how)?;
                let kind = opened.get_type()?;
                self.handles[*handle] = Some(opened);
                Ok(listed("", kind_of(kind)))
            }
            Step::Close { handle } => {
                self.handle(*handle)?;
                self.handles[*handle] = None;
                Ok(String::new())
            }
            Step::Read {
                handle,
                offset,
                length,
            } => {
                let (bytes, _) = self.handle(*handle)?.read(*length, *offset)?;
                Ok(contents(&bytes))
            }
            Step::Write {
                handle,
                offset,
                text,
            } => write_all(self.handle(*handle)?, *offset, text).map(done),
            Step::Append { handle, text } => {
                let stream = self.handle(*handle)?.append_via_stream()?;
                stream
                    .blocking_write_and_flush(text.as_bytes())
                    .map(done)
                    .map_err(|_| ErrorCode::Io)
            }
            Step::SetSize { handle, size } => self.handle(*handle)?.set_size(*size).map(done),
            Step::SetTime { handle, time } => {
                let (access, time) = times(*time);
                self.handle(*handle)?.set_times(access, time).map(done)
            }
            Step::Stat { handle } => Ok(shown(&self.handle(*handle)?.stat()?)),
            Step::List { handle } => list(self.handle(*handle)?),
            Step::IsSame { handle, other } => {
                let (one, other) = (self.handle(*handle)?, self.handle(*other)?);
                Ok(one.is_same_object(other).to_string())
            }
            Step::StatRepeated { part, times } => {
                let path = part.repeat(*times);
                let found = self.handle(0)?.stat_at(PathFlags::empty(), &path)?;
                Ok(shown(&found))
            }
            step => self.run_at(step),
        }
    }

    /// The steps that name paths and leave no handle.
    fn run_at(&self, step: &Step) -> Done<String> {
        let done = |()| String::new();
        let directory = |at: &At| self.handle(at.handle);
        match step {
            Step::StatAt { at, follow: last } => {
                let found = directory(at)?.stat_at(follow(*last), &at.path)?;
                Ok(shown(&found))
            }
            Step::SetTimeAt {
                at,
                follow: last,
                time,
            } => {
                let (access, time) = times(*time);
                let set = directory(at)?.set_times_at(follow(*last), &at.path, access, time);
                set.map(done)
            }
            Step::MakeDirectory { at } => directory(at)?.create_directory_at(&at.path).map(done),
            Step::RemoveDirectory { at } => directory(at)?.remove_directory_at(&at.path).map(done),
            Step::Unlink { at } => directory(at)?.unlink_file_at(&at.path).map(done),
            Step::Rename { from, to } => {
                let renamed = directory(from)?.rename_at(&from.path, directory(to)?, &to.path);
                renamed.map(done)
            }
            Step::Link { from, to } => {
                let (source, target) = (directory(from)?, directory(to)?);
                let linked = source.link_at(PathFlags::empty(), &from.path, target, &to.path);
                linked.map(done)
            }
            Step::Symlink { target, at } => directory(at)?.symlink_at(target, &at.path).map(done),
            Step::ReadLink { at } => directory(at)?.readlink_at(&at.path),
            Step::HasSameHash { at, other } => {
                let nothing = PathFlags::empty();
                let one = directory(at)?.metadata_hash_at(nothing, &at.path)?;
                let other = directory(other)?.metadata_hash_at(nothing, &other.path)?;
                Ok((one.lower == other.lower && one.upper == other.upper).to_string())
            }
            Step::ReadFile { at } => {
                let how = How {
                    follow: true,
                    read: true,
                    ..How::default()
                };
                let (bytes, _) = self.open(at, how)?.read(READ_MAX as u64, 0)?;
                Ok(contents(&bytes))
            }
            Step::WriteFile { at, text } => {
                let file = self.open(
                    at,
                    How {
                        follow: true,
                        create: true,
                        truncate: true,
                        write: true,
                        ..How::default()
                    },
                )?;
                write_all(&file, 0, text).map(done)
            }
            Step::ListAt { at } => {
                let how = How {
                    follow: true,
                    directory: true,
                    read: true,
                    ..How::default()
                };
                list(&self.open(at, how)?)
            }
            _ => Err(ErrorCode::Unsupported),
        }
    }
}

fn follow(last: bool) -> PathFlags {
    match last {
        true => PathFlags::SYMLINK_FOLLOW,
        false => PathFlags::empty(),
    }
}

/// Leaves the time of access, and sets that of modification.
fn times(seconds: u64) -> (NewTimestamp, NewTimestamp) {
    let time = Datetime {
        seconds,
        nanoseconds: 0,
    };
    (NewTimestamp::NoChange, NewTimestamp::Timestamp(time))
}

fn kind_of(kind: DescriptorType) -> Kind {
    match kind {
        DescriptorType::Directory => Kind::Directory,
        DescriptorType::SymbolicLink => Kind::Link,
        DescriptorType::RegularFile => Kind::File,
        _ => Kind::Other,
    }
}

fn shown(found: &DescriptorStat) -> String {
    let modified = found.data_modification_timestamp.map(|time| time.seconds);
    let modified = modified.unwrap_or(u64::MAX);
    status(kind_of(found.type_), found.size, found.link_count, modified)
}

fn list(directory: &Descriptor) -> Done<String> {
    let entries = directory.read_directory()?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry()? {
        names.push(listed(&entry.name, kind_of(entry.type_)));
    }
    names.sort();
    Ok(names.join(" "))
}

fn write_all(file: &Descriptor, offset: u64, text: &str) -> Done<()> {
    let mut done = 0;
    while done < text.len() {
        let written = file.write(&text.as_bytes()[done..], offset + done as u64)?;
        done += written as usize;
    }
    Ok(())
}
