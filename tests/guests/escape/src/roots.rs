//! Grants below one another: something else is put where a grant begins, for
//! this dispatch or for the next.

use std::fs;

use crate::attempt::*;

const GUARD: &str = "roots";

/// Grants of directories below one that may be written.
const NESTED: &[&str] = &["read-in-write", "write-in-write", "storage-in-write"];
/// Everything that begins in a directory which may be written.
const BELOW: &[&str] = &[
    "read-in-write",
    "write-in-write",
    "storage-in-write",
    "file-in-write",
    "absent-in-write",
];

/// Changes something, unless an earlier dispatch has, and reads through the
/// grant.
fn change_and_read(
    p: &crate::Params,
    change: impl FnOnce() -> std::result::Result<(), Box<dyn std::error::Error>>,
) -> Tried {
    if !p.again {
        change()?;
    }
    read_root(p)
}

/// The secret, if a grant leads outside now.
fn read_root(p: &crate::Params) -> Tried {
    let found = read(p.root("secret")).or_else(|_| read(&p.root))?;
    match found.as_str() {
        "public" => held("the grant is what it was"),
        _ => Ok(found),
    }
}

/// The part of the grant's path that is below the writable directory.
fn rest(p: &crate::Params) -> &str {
    p.root.strip_prefix(&p.above).unwrap_or_default()
}

pub const ATTEMPTS: &[Attempt] = &[
    way("rename-link-over-root", BELOW, GUARD, |p| {
        change_and_read(p, || {
            symlink(&p.outside, p.above("link"))?;
            Ok(fs::rename(p.above("link"), &p.root)?)
        })
    })
    .then("actions/attempt"),
    way("rename-link-to-secret-over-root", BELOW, GUARD, |p| {
        change_and_read(p, || {
            symlink(p.secret(), p.above("link"))?;
            Ok(fs::rename(p.above("link"), &p.root)?)
        })
    })
    .then("actions/attempt"),
    way(
        "make-link-at-absent-root",
        &["absent-in-write"],
        GUARD,
        |p| change_and_read(p, || symlink(&p.outside, &p.root)),
    )
    .then("actions/attempt"),
    way("rename-root-away", NESTED, GUARD, |p| {
        change_and_read(p, || {
            fs::rename(&p.root, p.above("away"))?;
            symlink(&p.outside, &p.root)
        })
    })
    .then("actions/attempt"),
    way(
        "remove-root",
        &["write-in-write", "storage-in-write"],
        GUARD,
        |p| {
            change_and_read(p, || {
                for name in list(&p.root)? {
                    let path = p.root(&name);
                    fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path))?;
                }
                fs::remove_dir(&p.root)?;
                symlink(&p.outside, &p.root)
            })
        },
    )
    .then("actions/attempt"),
    way("remove-file-root", &["file-in-write"], GUARD, |p| {
        change_and_read(p, || {
            fs::remove_file(&p.root)?;
            symlink(p.secret(), &p.root)
        })
    })
    .then("actions/attempt"),
    way("rename-above-root", NESTED, GUARD, |p| {
        change_and_read(p, || {
            fs::rename(p.above("mid"), p.above("away"))?;
            fs::create_dir(p.above("mid"))?;
            symlink(&p.outside, &p.root)
        })
    })
    .then("actions/attempt"),
    way("replace-above-root-by-link", NESTED, GUARD, |p| {
        // `outside` has an `inner` of its own.
        change_and_read(p, || {
            fs::rename(p.above("mid"), p.above("away"))?;
            symlink(&p.outside, p.above("mid"))
        })
    })
    .then("actions/attempt"),
    way("rename-root-by-self-link", NESTED, GUARD, |p| {
        change_and_read(p, || {
            symlink(".", p.above("self"))?;
            let through = p.above(&format!("self{}", rest(p)));
            fs::rename(&through, p.above("away"))?;
            symlink(&p.outside, &through)
        })
    })
    .then("actions/attempt"),
    way("rename-over-root-by-self-link", BELOW, GUARD, |p| {
        change_and_read(p, || {
            symlink(".", p.above("self"))?;
            symlink(p.secret(), p.above("link"))?;
            Ok(fs::rename(
                p.above("link"),
                p.above(&format!("self{}", rest(p))),
            )?)
        })
    })
    .then("actions/attempt"),
    way("rename-root-by-link-to-parent", NESTED, GUARD, |p| {
        change_and_read(p, || {
            symlink("mid", p.above("other"))?;
            let through = p.above("other/inner");
            fs::rename(&through, p.above("away"))?;
            symlink(&p.outside, &through)
        })
    })
    .then("actions/attempt"),
    way("rename-root-by-directory", NESTED, GUARD, |p| {
        change_and_read(p, || {
            let mid = directory(&p.above("mid"))?;
            mid.rename_at("inner", &mid, "away")?;
            Ok(mid.symlink_at(&p.outside, "inner")?)
        })
    })
    .then("actions/attempt"),
    way("rename-root-by-moved-directory", NESTED, GUARD, |p| {
        // The handle is older than the directory's name.
        change_and_read(p, || {
            let mid = directory(&p.above("mid"))?;
            fs::rename(p.above("mid"), p.above("moved"))?;
            mid.rename_at("inner", &mid, "away")?;
            mid.symlink_at(&p.outside, "inner")?;
            Ok(fs::rename(p.above("moved"), p.above("mid"))?)
        })
    })
    .then("actions/attempt"),
    way("rename-root-by-dots", NESTED, GUARD, |p| {
        change_and_read(p, || {
            fs::create_dir(p.above("x"))?;
            let through = p.above(&format!("x/..{}", rest(p)));
            fs::rename(&through, p.above("x/../away"))?;
            symlink(&p.outside, &through)
        })
    })
    .then("actions/attempt"),
];
