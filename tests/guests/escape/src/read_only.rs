//! Changes of what may only be read.

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use wasip2::filesystem::types::{DescriptorFlags, NewTimestamp, OpenFlags, PathFlags};

use crate::attempt::*;

const GUARD: &str = "read-only";

/// Directories that may be read, alone and beside and around others that may be
/// written.
const READ: &[&str] = &[
    "read-directory",
    "read-in-write",
    "write-in-read",
    "operator",
];

pub const ATTEMPTS: &[Attempt] = &[
    way("overwrite-what-is-read", READ, GUARD, |p| {
        write(p.read("public"))
    }),
    way(
        "overwrite-granted-file",
        &["read-file", "file-in-write"],
        GUARD,
        |p| write(&p.root),
    ),
    way("append-to-what-is-read", READ, GUARD, |p| {
        let mut file = OpenOptions::new().append(true).open(p.read("public"))?;
        succeeded(file.write_all(b"x"), "appended")
    }),
    way("truncate-what-is-read", READ, GUARD, |p| {
        let file = OpenOptions::new().write(true).open(p.read("public"))?;
        succeeded(file.set_len(0), "truncated")
    }),
    way("truncate-by-opening", READ, GUARD, |p| {
        let path = p.read("public");
        root()?.open_at(
            PathFlags::empty(),
            below_root(&path),
            OpenFlags::TRUNCATE,
            DescriptorFlags::READ | DescriptorFlags::WRITE,
        )?;
        Ok("truncated".to_owned())
    }),
    way("create-in-what-is-read", READ, GUARD, |p| {
        write(p.read("new"))
    }),
    way("create-by-directory", READ, GUARD, |p| {
        // Opened for reading only, so that nothing is refused too early.
        let path = p.read("sub");
        let sub = root()?.open_at(
            PathFlags::empty(),
            below_root(&path),
            OpenFlags::DIRECTORY,
            DescriptorFlags::READ,
        )?;
        sub.open_at(
            PathFlags::empty(),
            "new",
            OpenFlags::CREATE,
            DescriptorFlags::WRITE,
        )?;
        Ok("created".to_owned())
    }),
    way("remove-what-is-read", READ, GUARD, |p| {
        succeeded(fs::remove_file(p.read("public")), "removed")
    }),
    way("make-directory-in-what-is-read", READ, GUARD, |p| {
        succeeded(fs::create_dir(p.read("new")), "made")
    }),
    way("remove-directory-that-is-read", READ, GUARD, |p| {
        succeeded(fs::remove_dir(p.read("sub/empty")), "removed")
    }),
    way("rename-what-is-read", READ, GUARD, |p| {
        let moved = fs::rename(p.read("public"), p.read("sub/moved"));
        succeeded(moved, "moved")
    }),
    way("rename-out-of-what-is-read", READ, GUARD, |p| {
        let moved = fs::rename(p.read("public"), p.place("moved"));
        succeeded(moved, "moved")
    }),
    way("rename-directory-that-is-read", READ, GUARD, |p| {
        let moved = fs::rename(p.read("sub"), p.read("moved"));
        succeeded(moved, "moved")
    }),
    way("rename-into-what-is-read", READ, GUARD, |p| {
        fs::write(p.place("made"), "x")?;
        let moved = fs::rename(p.place("made"), p.read("new"));
        succeeded(moved, "moved")
    }),
    way("rename-over-what-is-read", READ, GUARD, |p| {
        fs::write(p.place("made"), "x")?;
        let moved = fs::rename(p.place("made"), p.read("public"));
        succeeded(moved, "moved")
    }),
    way("link-into-what-is-read", READ, GUARD, |p| {
        File::create(p.place("made"))?;
        let linked = fs::hard_link(p.place("made"), p.read("new"));
        succeeded(linked, "linked")
    }),
    way("link-within-what-is-read", READ, GUARD, |p| {
        let linked = fs::hard_link(p.read("public"), p.read("new"));
        succeeded(linked, "linked")
    }),
    way("write-by-link-out-of-what-is-read", READ, GUARD, |p| {
        fs::hard_link(p.read("public"), p.place("alias"))?;
        write(p.place("alias"))
    }),
    way("make-link-in-what-is-read", READ, GUARD, |p| {
        symlink("public", p.read("new"))?;
        Ok("linked".to_owned())
    }),
    way("write-through-link-to-what-is-read", READ, GUARD, |p| {
        symlink(p.read("public"), p.place("alias"))?;
        write(p.place("alias"))
    }),
    way("write-through-link-of-its-owner", READ, GUARD, |p| {
        // `again` leads to `public`, where both are.
        write(p.read("again"))
    }),
    way("touch-what-is-read", READ, GUARD, |p| {
        let path = p.read("public");
        root()?.set_times_at(
            PathFlags::empty(),
            below_root(&path),
            NewTimestamp::NoChange,
            NewTimestamp::Now,
        )?;
        Ok("set times".to_owned())
    }),
    way("touch-open-file-that-is-read", READ, GUARD, |p| {
        let path = p.read("public");
        let file = root()?.open_at(
            PathFlags::empty(),
            below_root(&path),
            OpenFlags::empty(),
            DescriptorFlags::READ,
        )?;
        file.set_times(NewTimestamp::NoChange, NewTimestamp::Now)?;
        Ok("set times".to_owned())
    }),
    way("touch-directory-that-is-read", READ, GUARD, |p| {
        let path = p.read("sub");
        let sub = root()?.open_at(
            PathFlags::empty(),
            below_root(&path),
            OpenFlags::DIRECTORY,
            DescriptorFlags::READ,
        )?;
        sub.set_times(NewTimestamp::NoChange, NewTimestamp::Now)?;
        Ok("set times".to_owned())
    }),
];
