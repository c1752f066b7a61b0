//! Paths that lead out by themselves.

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use wasip2::filesystem::types::{DescriptorFlags, NewTimestamp, OpenFlags, PathFlags};

use crate::attempt::*;

const GUARD: &str = "paths";

/// Reads its own memory, as the machine shows it to whoever may look there.
fn read_memory() -> Tried {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let line = maps.lines().find(|line| line.contains(" r"));
    let start = line.and_then(|line| line.split('-').next());
    let start = u64::from_str_radix(start.unwrap_or_default(), 16)?;
    let file = root()?.open_at(
        PathFlags::empty(),
        "proc/self/mem",
        OpenFlags::empty(),
        DescriptorFlags::READ,
    )?;
    let (bytes, _) = file.read(64, start)?;
    Ok(format!("{} bytes at {start:x}", bytes.len()))
}

pub const ATTEMPTS: &[Attempt] = &[
    way("read-absolute", FILES, GUARD, |p| read(p.secret())),
    way("read-relative", FILES, GUARD, |p| read(up(&p.secret()))),
    way("read-above-the-charm", FILES, GUARD, |p| {
        read(own(&up(&p.secret())))
    }),
    way("read-above-a-grant", FILES, GUARD, |p| {
        read(p.place(&up(&p.secret())))
    }),
    way("read-through-dots", FILES, GUARD, |p| {
        read(format!("/.{}/../outside/./secret", p.outside))
    }),
    way("read-with-slashes", FILES, GUARD, |p| {
        read(format!("//{}", p.secret()))
    }),
    way("read-through-tmp", FILES, GUARD, |p| {
        read(format!("/tmp/../{}", p.secret()))
    }),
    way("read-long-path", FILES, GUARD, |p| {
        read(format!("/{}{}", "./".repeat(1500), below_root(&p.secret())))
    }),
    way("read-raw-absolute", FILES, GUARD, |p| {
        read_raw(&p.secret(), DescriptorFlags::READ)
    }),
    way("read-raw-dots", FILES, GUARD, |p| {
        read_raw(&up(&p.secret()), DescriptorFlags::READ)
    }),
    way("read-raw-for-writing", FILES, GUARD, |p| {
        let both = DescriptorFlags::READ | DescriptorFlags::WRITE;
        read_raw(below_root(&p.secret()), both)
    }),
    way("read-raw-above-a-directory", FILES, GUARD, |p| {
        let place = directory(&p.place)?;
        read_at(&place, &up(&p.secret()), DescriptorFlags::READ)
    }),
    way("read-above-a-moved-directory", FILES, GUARD, |p| {
        // The directory may have moved since it was opened.
        fs::create_dir_all(p.place("a/b/c/d"))?;
        let moved = directory(&p.place("a/b/c/d"))?;
        fs::rename(p.place("a/b/c/d"), p.place("d"))?;
        read_at(&moved, &up(&p.secret()), DescriptorFlags::READ)
    }),
    way("read-beside-by-name", &["read-file"], GUARD, |p| {
        read(p.wanted.replace("/file", "/private"))
    }),
    way("read-proc-root", FILES, GUARD, |p| {
        read(format!("/proc/self/root{}", p.secret()))
    }),
    way("read-proc-cwd", FILES, GUARD, |p| {
        read(format!("/proc/self/cwd/{}", up(&p.secret())))
    }),
    way("read-proc-environ", FILES, GUARD, |_| {
        read("/proc/self/environ")
    }),
    way("read-proc-thread", FILES, GUARD, |_| {
        read("/proc/thread-self/environ")
    }),
    way("read-proc-maps", FILES, GUARD, |_| read("/proc/self/maps")),
    way("read-proc-memory", FILES, GUARD, |_| read_memory()),
    way("read-proc-of-others", FILES, GUARD, |_| {
        read("/proc/1/status")
    }),
    way("write-proc", FILES, GUARD, |_| {
        let mut file = OpenOptions::new()
            .write(true)
            .open("/proc/self/oom_score_adj")?;
        succeeded(file.write_all(b"0"), "wrote to its process")
    }),
    way("read-descriptor", FILES, GUARD, |p| {
        read(format!("/proc/self/fd/{}", p.descriptor))
    }),
    way("read-device-descriptor", FILES, GUARD, |p| {
        read(format!("/dev/fd/{}", p.descriptor))
    }),
    way("read-device", FILES, GUARD, |_| read("/dev/zero")),
    way("write-device", FILES, GUARD, |_| {
        let mut file = OpenOptions::new().write(true).open("/dev/null")?;
        succeeded(file.write_all(b"0"), "wrote to a device")
    }),
    way("read-other-unit", FILES, GUARD, |_| {
        read(own("../../unit-other-0/charm/secret"))
    }),
    way("list-root", FILES, GUARD, |_| {
        shows("/", &["etc", "proc", "usr", "home", "root"])
    }),
    way("list-above-the-charm", FILES, GUARD, |_| {
        shows(&own(".."), &["secret"])
    }),
    way("list-agents", FILES, GUARD, |_| {
        shows(&own("../.."), &["unit-other-0"])
    }),
    way("list-outside", FILES, GUARD, |p| {
        shows(&p.outside, &["secret"])
    }),
    way("stat-outside", FILES, GUARD, |p| {
        let found = fs::metadata(p.secret())?;
        Ok(format!("{} bytes", found.len()))
    }),
    way("hash-outside", FILES, GUARD, |p| {
        let path = p.secret();
        let found = root()?.metadata_hash_at(PathFlags::empty(), below_root(&path))?;
        Ok(format!("{:x}", found.lower))
    }),
    way("read-link-outside", FILES, GUARD, |p| {
        Ok(fs::read_link(p.outside("to-nowhere"))?
            .display()
            .to_string())
    }),
    way("write-outside", FILES, GUARD, |p| write(p.secret())),
    way("write-new-outside", FILES, GUARD, |p| {
        write(p.outside("new"))
    }),
    way("append-outside", FILES, GUARD, |p| {
        let mut file = OpenOptions::new().append(true).open(p.secret())?;
        succeeded(file.write_all(b"x"), "appended")
    }),
    way("truncate-outside", FILES, GUARD, |p| {
        let file = OpenOptions::new().write(true).open(p.secret())?;
        succeeded(file.set_len(0), "truncated")
    }),
    way("touch-outside", FILES, GUARD, |p| {
        let path = p.secret();
        root()?.set_times_at(
            PathFlags::empty(),
            below_root(&path),
            NewTimestamp::Now,
            NewTimestamp::Now,
        )?;
        Ok("set times".to_owned())
    }),
    way("make-directory-outside", FILES, GUARD, |p| {
        succeeded(fs::create_dir(p.outside("dir")), "made")
    }),
    way("make-link-outside", FILES, GUARD, |p| {
        symlink("secret", p.outside("new"))?;
        Ok("linked".to_owned())
    }),
    way("remove-outside", FILES, GUARD, |p| {
        succeeded(fs::remove_file(p.secret()), "removed")
    }),
    way("remove-directory-outside", FILES, GUARD, |p| {
        succeeded(fs::remove_dir(p.outside("empty")), "removed")
    }),
    way("rename-outside", FILES, GUARD, |p| {
        let stolen = p.place("stolen");
        succeeded(fs::rename(p.secret(), &stolen), "moved")?;
        read(stolen)
    }),
    way("rename-to-outside", FILES, GUARD, |p| {
        let made = p.place("made");
        fs::write(&made, "x")?;
        succeeded(fs::rename(made, p.outside("new")), "moved")
    }),
    way("link-outside", FILES, GUARD, |p| {
        let linked = p.place("linked");
        fs::hard_link(p.secret(), &linked)?;
        read(linked)
    }),
    way("link-to-outside", FILES, GUARD, |p| {
        let made = p.place("made");
        File::create(&made)?;
        succeeded(fs::hard_link(made, p.outside("new")), "linked")
    }),
    way("rename-above-a-grant", FILES, GUARD, |p| {
        let made = p.place("made");
        fs::write(&made, "x")?;
        succeeded(fs::rename(made, p.place(&up(&p.outside("new")))), "moved")
    }),
];
