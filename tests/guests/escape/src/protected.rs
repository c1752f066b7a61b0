//! Changes of what the charm's directory must keep: the programs that run
//! natively, the settings, the metadata and the state.

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use wasip2::filesystem::types::{DescriptorFlags, NewTimestamp, OpenFlags, PathFlags};

use crate::attempt::*;

const GUARD: &str = "protected";

/// The charm's directory is there under every grant.
const ANY: &[&str] = &["none", "write-directory"];

const SCRIPT: &str = "#!/bin/sh\ntouch ../../../outside/new\n";

fn by_directory()
-> std::result::Result<wasip2::filesystem::types::Descriptor, Box<dyn std::error::Error>> {
    directory(&own(""))
}

pub const ATTEMPTS: &[Attempt] = &[
    // A program that runs cannot be written, but it can be replaced.
    way("replace-dispatch", ANY, GUARD, |_| {
        fs::write(own("other"), SCRIPT)?;
        let moved = fs::rename(own("other"), own("dispatch"));
        succeeded(moved, "moved")
    }),
    way("remove-dispatch", ANY, GUARD, |_| {
        succeeded(fs::remove_file(own("dispatch")), "removed")
    }),
    way("overwrite-code", ANY, GUARD, |_| write(own("charm.cwasm"))),
    way("overwrite-settings", ANY, GUARD, |_| {
        write(own("charmhost.toml"))
    }),
    way("overwrite-metadata", ANY, GUARD, |_| {
        write(own("metadata.yaml"))
    }),
    way("overwrite-actions", ANY, GUARD, |_| {
        write(own("actions.yaml"))
    }),
    way("make-metadata", ANY, GUARD, |_| write(own("config.yaml"))),
    way("make-profile", ANY, GUARD, |_| {
        write(own("lxd-profile.yaml"))
    }),
    way("overwrite-hook", ANY, GUARD, |_| {
        write(own("hooks/update-status"))
    }),
    way("overwrite-action", ANY, GUARD, |_| {
        write(own("actions/attempt"))
    }),
    way("make-hook", ANY, GUARD, |_| {
        fs::write(own("hooks/config-changed"), SCRIPT)?;
        Ok("made a hook".to_owned())
    }),
    way("make-action", ANY, GUARD, |_| {
        fs::write(own("actions/other"), SCRIPT)?;
        Ok("made an action".to_owned())
    }),
    way("make-directory-in-hooks", ANY, GUARD, |_| {
        succeeded(fs::create_dir(own("hooks/new")), "made")
    }),
    way("overwrite-state", ANY, GUARD, |_| {
        write(own(".unit-state.db"))
    }),
    way("rename-over-state", ANY, GUARD, |_| {
        fs::write(own("other"), "x")?;
        let moved = fs::rename(own("other"), own(".unit-state.db"));
        succeeded(moved, "moved")
    }),
    way("hard-link-as-state", ANY, GUARD, |_| {
        File::create(own("other"))?;
        let linked = fs::hard_link(own("other"), own(".unit-state.db"));
        succeeded(linked, "linked")
    }),
    way("make-state-through-link", ANY, GUARD, |_| {
        symlink(".unit-state.db", own("alias"))?;
        write(own("alias"))
    }),
    way("make-state-through-link-in-tmp", ANY, GUARD, |_| {
        symlink(own(".unit-state.db"), "/tmp/alias")?;
        write("/tmp/alias")
    }),
    way("make-state-through-dots", ANY, GUARD, |_| {
        write(own("hooks/../.unit-state.db"))
    }),
    way("make-journal", ANY, GUARD, |_| {
        write(own(".unit-state.db-journal"))
    }),
    way("make-log-of-state", ANY, GUARD, |_| {
        write(own(".unit-state.db-wal"))
    }),
    way("read-what-the-host-keeps", ANY, GUARD, |_| {
        read(own(".charmhost/secret"))
    }),
    way("overwrite-what-the-host-keeps", ANY, GUARD, |_| {
        write(own(".charmhost/secret"))
    }),
    way("overwrite-code-by-root", ANY, GUARD, |_| {
        // Where a guest looks that knows only the root of its files.
        let path = own("charm.cwasm");
        root()?.open_at(
            PathFlags::empty(),
            &format!("./{}", below_root(&path)),
            OpenFlags::TRUNCATE,
            DescriptorFlags::WRITE,
        )?;
        Ok("truncated".to_owned())
    }),
    way("overwrite-code-by-working-directory", ANY, GUARD, |_| {
        std::env::set_current_dir(own(""))?;
        write("charm.cwasm")
    }),
    way("overwrite-code-through-dots", ANY, GUARD, |_| {
        write(own("hooks/../charm.cwasm"))
    }),
    way("overwrite-code-with-slashes", ANY, GUARD, |_| {
        write(own(".///.//charm.cwasm"))
    }),
    way("overwrite-code-by-directory", ANY, GUARD, |_| {
        by_directory()?.open_at(
            PathFlags::empty(),
            "charm.cwasm",
            OpenFlags::TRUNCATE,
            DescriptorFlags::WRITE,
        )?;
        Ok("truncated".to_owned())
    }),
    way("overwrite-code-from-below", ANY, GUARD, |_| {
        directory(&own("hooks"))?.open_at(
            PathFlags::empty(),
            "../charm.cwasm",
            OpenFlags::TRUNCATE,
            DescriptorFlags::WRITE,
        )?;
        Ok("truncated".to_owned())
    }),
    way("append-to-code", ANY, GUARD, |_| {
        let mut file = OpenOptions::new().append(true).open(own("charm.cwasm"))?;
        succeeded(file.write_all(b"x"), "appended")
    }),
    way("truncate-code", ANY, GUARD, |_| {
        let file = OpenOptions::new().write(true).open(own("charm.cwasm"))?;
        succeeded(file.set_len(0), "truncated")
    }),
    way("touch-code", ANY, GUARD, |_| {
        let path = own("charm.cwasm");
        root()?.set_times_at(
            PathFlags::empty(),
            below_root(&path),
            NewTimestamp::NoChange,
            NewTimestamp::Now,
        )?;
        Ok("set times".to_owned())
    }),
    way("remove-code", ANY, GUARD, |_| {
        succeeded(fs::remove_file(own("charm.cwasm")), "removed")
    }),
    way("remove-hook", ANY, GUARD, |_| {
        succeeded(fs::remove_file(own("hooks/start")), "removed")
    }),
    way("rename-code", ANY, GUARD, |_| {
        let moved = fs::rename(own("charm.cwasm"), own("other"));
        succeeded(moved, "moved")
    }),
    way("rename-over-code", ANY, GUARD, |_| {
        fs::write(own("other"), "x")?;
        let moved = fs::rename(own("other"), own("charm.cwasm"));
        succeeded(moved, "moved")
    }),
    way("rename-over-code-from-tmp", ANY, GUARD, |_| {
        fs::write("/tmp/other", "x")?;
        let moved = fs::rename("/tmp/other", own("charm.cwasm"));
        succeeded(moved, "moved")
    }),
    way("rename-over-code-by-directory", ANY, GUARD, |_| {
        fs::write(own("other"), "x")?;
        let charm = by_directory()?;
        charm.rename_at("other", &charm, "charm.cwasm")?;
        Ok("moved".to_owned())
    }),
    way("rename-into-hooks", ANY, GUARD, |_| {
        fs::write(own("other"), SCRIPT)?;
        let moved = fs::rename(own("other"), own("hooks/config-changed"));
        succeeded(moved, "moved")
    }),
    way("rename-out-of-hooks", ANY, GUARD, |_| {
        let moved = fs::rename(own("hooks/start"), own("other"));
        succeeded(moved, "moved")
    }),
    way("rename-hooks", ANY, GUARD, |_| {
        let moved = fs::rename(own("hooks"), own("other"));
        succeeded(moved, "moved")
    }),
    way("rename-directory-to-hooks", ANY, GUARD, |_| {
        fs::rename(own("hooks"), own("away"))?;
        fs::create_dir(own("other"))?;
        fs::write(own("other/start"), SCRIPT)?;
        let moved = fs::rename(own("other"), own("hooks"));
        succeeded(moved, "moved")
    }),
    way("replace-hooks-by-link", ANY, GUARD, |_| {
        fs::create_dir(own("other"))?;
        fs::write(own("other/start"), SCRIPT)?;
        for name in list(&own("hooks"))? {
            fs::remove_file(own(&format!("hooks/{name}")))?;
        }
        fs::remove_dir(own("hooks"))?;
        symlink("other", own("hooks"))?;
        Ok("replaced".to_owned())
    }),
    way("make-profile-by-link", ANY, GUARD, |_| {
        symlink("other", own("lxd-profile.yaml"))?;
        Ok("linked".to_owned())
    }),
    way("make-hook-by-link", ANY, GUARD, |_| {
        symlink("../../../../outside/secret", own("hooks/config-changed"))?;
        Ok("linked".to_owned())
    }),
    way("make-hook-by-hard-link", ANY, GUARD, |_| {
        File::create(own("other"))?;
        let linked = fs::hard_link(own("other"), own("hooks/config-changed"));
        succeeded(linked, "linked")
    }),
    way("write-code-through-hard-link", ANY, GUARD, |_| {
        fs::hard_link(own("charm.cwasm"), own("alias"))?;
        write(own("alias"))
    }),
    way("write-code-through-hard-link-in-tmp", ANY, GUARD, |_| {
        fs::hard_link(own("charm.cwasm"), "/tmp/alias")?;
        write("/tmp/alias")
    }),
    way("write-code-through-link", ANY, GUARD, |_| {
        symlink("charm.cwasm", own("alias"))?;
        write(own("alias"))
    }),
    way("write-code-through-link-in-tmp", ANY, GUARD, |_| {
        symlink(own("charm.cwasm"), "/tmp/alias")?;
        write("/tmp/alias")
    }),
    way("write-hook-through-directory-link", ANY, GUARD, |_| {
        symlink("hooks", own("alias"))?;
        write(own("alias/start"))
    }),
    way("make-hook-through-self-link", ANY, GUARD, |_| {
        symlink(".", own("self"))?;
        write(own("self/hooks/config-changed"))
    }),
    way("write-code-by-moved-directory", ANY, GUARD, |_| {
        // The handle is of a directory that is elsewhere now.
        fs::create_dir_all(own("a/b"))?;
        let moved = directory(&own("a/b"))?;
        fs::rename(own("a/b"), own("b"))?;
        moved.open_at(
            PathFlags::empty(),
            "../charm.cwasm",
            OpenFlags::TRUNCATE,
            DescriptorFlags::WRITE,
        )?;
        Ok("truncated".to_owned())
    }),
    way("run-made-hook", &["legacy-hooks"], GUARD, |_| {
        fs::write(own("hooks/leader-elected"), SCRIPT)?;
        held("whether it runs is seen later")
    })
    .then("hooks/leader-elected"),
];
