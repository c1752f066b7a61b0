//! Links that lead out: those of the charm's archive, of whoever owns a granted
//! directory, and the guest's own.

use std::fs;

use wasip2::filesystem::types::{DescriptorFlags, NewTimestamp, OpenFlags, PathFlags};

use crate::attempt::*;

const GUARD: &str = "links";

/// Those in which somebody else has left links.
const GRANTED: &[&str] = &[
    "read-directory",
    "write-directory",
    "read-in-write",
    "write-in-write",
    "write-in-read",
    "storage",
    "operator",
];

/// Makes a link, and reads through it.
fn link_and_read(link: &str, target: &str) -> Tried {
    symlink(target, link)?;
    read(link)
}

/// A directory with links of its owner: what is read if anything is, else what
/// is written.
fn owned(p: &crate::Params) -> &str {
    match p.read.is_empty() {
        true => &p.place,
        false => &p.read,
    }
}

pub const ATTEMPTS: &[Attempt] = &[
    way("read-packed-absolute-link", FILES, GUARD, |_| {
        read(own("link-absolute"))
    }),
    way("read-packed-relative-link", FILES, GUARD, |_| {
        read(own("link-relative"))
    }),
    way("read-packed-directory-link", FILES, GUARD, |_| {
        read(own("link-directory/secret"))
    }),
    way("list-packed-directory-link", FILES, GUARD, |_| {
        shows(&own("link-directory"), &["secret"])
    }),
    way("write-packed-directory-link", FILES, GUARD, |_| {
        write(own("link-directory/new"))
    }),
    way("read-link-of-an-owner", GRANTED, GUARD, |p| {
        read(format!("{}/out/secret", owned(p)))
    }),
    way("list-link-of-an-owner", GRANTED, GUARD, |p| {
        shows(&format!("{}/out", owned(p)), &["secret"])
    }),
    way("read-above-a-link-of-an-owner", GRANTED, GUARD, |p| {
        // To the machine this is beside what the link leads to.
        read(format!("{}/inner-out/../secret", owned(p)))
    }),
    way("read-own-absolute-link", FILES, GUARD, |p| {
        link_and_read(&p.place("a"), &p.secret())
    }),
    way("read-own-relative-link", FILES, GUARD, |p| {
        link_and_read(&p.place("b"), &up(&p.secret()))
    }),
    way("read-own-link-in-the-charm", FILES, GUARD, |p| {
        link_and_read(&own("c"), &up(&p.secret()))
    }),
    way("read-own-chain-of-links", FILES, GUARD, |p| {
        symlink("..", p.place("d"))?;
        link_and_read(&p.place("e"), &format!("d/{}", up(&p.secret())))
    }),
    way("read-own-directory-link", FILES, GUARD, |p| {
        symlink(&p.outside, p.place("f"))?;
        read(p.place("f/secret"))
    }),
    way("read-own-link-to-root", FILES, GUARD, |p| {
        symlink("/", p.place("g"))?;
        read(p.place(&format!("g{}", p.secret())))
    }),
    way("read-above-an-own-link", FILES, GUARD, |p| {
        symlink(p.outside("inner"), p.place("h"))?;
        read_raw(below_root(&p.place("h/../secret")), DescriptorFlags::READ)
    }),
    way("read-link-from-its-directory", FILES, GUARD, |p| {
        symlink(p.secret(), p.place("q"))?;
        read_at(&directory(&p.place)?, "q", DescriptorFlags::READ)
    }),
    way("read-directory-through-link", FILES, GUARD, |p| {
        symlink(&p.outside, p.place("i"))?;
        let found = directory(&p.place("i"))?;
        read_at(&found, "secret", DescriptorFlags::READ)
    }),
    way("read-link-that-changed", FILES, GUARD, |p| {
        fs::create_dir(p.place("j"))?;
        fs::write(p.place("j/secret"), "mine")?;
        read(p.place("j/secret"))?;
        fs::rename(p.place("j"), p.place("k"))?;
        symlink(&p.outside, p.place("j"))?;
        read(p.place("j/secret"))
    }),
    way("read-magic-link", FILES, GUARD, |p| {
        link_and_read(&p.place("l"), "/proc/self/environ")
    }),
    way("read-magic-link-to-root", FILES, GUARD, |p| {
        symlink("/proc/self/root", p.place("m"))?;
        read(p.place(&format!("m{}", p.secret())))
    }),
    way("read-magic-link-to-descriptor", FILES, GUARD, |p| {
        link_and_read(&p.place("n"), &format!("/proc/self/fd/{}", p.descriptor))
    }),
    way("stat-through-link", FILES, GUARD, |p| {
        symlink(p.secret(), p.place("o"))?;
        let found = fs::metadata(p.place("o"))?;
        Ok(format!("{} bytes", found.len()))
    }),
    way("touch-through-link", FILES, GUARD, |p| {
        symlink(p.secret(), p.place("r"))?;
        let path = p.place("r");
        root()?.set_times_at(
            PathFlags::SYMLINK_FOLLOW,
            below_root(&path),
            NewTimestamp::Now,
            NewTimestamp::Now,
        )?;
        Ok("set times".to_owned())
    }),
    way("write-through-link", FILES, GUARD, |p| {
        symlink(&p.outside, p.place("s"))?;
        write(p.place("s/new"))
    }),
    way("write-through-link-in-the-charm", FILES, GUARD, |p| {
        symlink(up(&p.outside), own("t"))?;
        write(own("t/new"))
    }),
    way("create-through-dangling-link", FILES, GUARD, |p| {
        symlink(p.outside("new"), p.place("u"))?;
        write(p.place("u"))
    }),
    way("create-only-through-dangling-link", FILES, GUARD, |p| {
        symlink(p.outside("new"), p.place("v"))?;
        let path = p.place("v");
        root()?.open_at(
            PathFlags::SYMLINK_FOLLOW,
            below_root(&path),
            OpenFlags::CREATE,
            DescriptorFlags::WRITE,
        )?;
        Ok("created".to_owned())
    }),
    way("make-directory-through-link", FILES, GUARD, |p| {
        symlink(&p.outside, p.place("w"))?;
        succeeded(fs::create_dir(p.place("w/dir")), "made")
    }),
    way("make-link-through-link", FILES, GUARD, |p| {
        symlink(&p.outside, p.place("x"))?;
        symlink("secret", p.place("x/new"))?;
        Ok("linked".to_owned())
    }),
    way("remove-through-link", FILES, GUARD, |p| {
        symlink(&p.outside, p.place("y"))?;
        succeeded(fs::remove_file(p.place("y/secret")), "removed")
    }),
    way("remove-directory-through-link", FILES, GUARD, |p| {
        symlink(&p.outside, p.place("z"))?;
        succeeded(fs::remove_dir(p.place("z/empty")), "removed")
    }),
    way("rename-through-link", FILES, GUARD, |p| {
        symlink(&p.outside, p.place("aa"))?;
        fs::rename(p.place("aa/secret"), p.place("stolen"))?;
        read(p.place("stolen"))
    }),
    way("rename-to-through-link", FILES, GUARD, |p| {
        symlink(&p.outside, p.place("ab"))?;
        fs::write(p.place("made"), "x")?;
        succeeded(fs::rename(p.place("made"), p.place("ab/new")), "moved")
    }),
    way("link-through-link", FILES, GUARD, |p| {
        symlink(&p.outside, p.place("ac"))?;
        fs::hard_link(p.place("ac/secret"), p.place("ad"))?;
        read(p.place("ad"))
    }),
    way("link-to-through-link", FILES, GUARD, |p| {
        symlink(&p.outside, p.place("ae"))?;
        fs::write(p.place("made"), "x")?;
        succeeded(fs::hard_link(p.place("made"), p.place("ae/new")), "linked")
    }),
];
