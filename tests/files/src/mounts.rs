//! A new root directory for this process, in which the reference's directories are
//! mounted at the guest's paths.

use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::sched::{CloneFlags, unshare};
use rustix::fs::StatVfsMountFlags as Restriction;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount,
};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::scene::{CHARM, PROTECTED, Scene};

/// Mounts the reference and makes that the root directory. Without privileges it
/// needs a user namespace; afterwards none are left.
pub fn enter(scene: &Scene) -> anyhow::Result<()> {
    let failed = || "cannot make a mount namespace for the plain directory";
    let user = rustix::process::getuid();
    let group = rustix::process::getgid();
    if user.is_root() {
        unshare(CloneFlags::CLONE_NEWNS).with_context(failed)?;
    } else {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUSER).with_context(failed)?;
        let (user, group) = (user.as_raw(), group.as_raw());
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    let root = scene.base.join("root");
    plant(scene, &root)?;
    rustix::process::chroot(&root)?;
    rustix::process::chdir("/")?;
    if !user.is_root() {
        let none = CapabilitySet::empty();
        let sets = CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        };
        rustix::thread::set_capabilities(None, sets)?;
    }
    Ok(())
}

fn plant(scene: &Scene, root: &Path) -> anyhow::Result<()> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", root, "tmpfs", plain, c"mode=755")?;
    let inside = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    let tmp = root.join("tmp");
    std::fs::create_dir(&tmp)?;
    mount_bind(scene.base.join("scratch"), &tmp)?;
    let mut roots = scene.roots.clone();
    // Parents are mounted before what is in them.
    roots.sort_by_key(|root| root.path.len());
    let mut read_only: Vec<PathBuf> = Vec::new();
    for mounted in &roots {
        let (source, target) = (
            scene.reference(&mounted.path),
            inside(&scene.guest(&mounted.path)),
        );
        if source.is_dir() {
            std::fs::create_dir_all(&target)?;
        } else if !target.exists() {
            std::fs::create_dir_all(target.parent().unwrap_or(root))?;
            std::fs::write(&target, "")?;
        }
        let doing = || format!("cannot mount {} at {}", source.display(), target.display());
        mount_bind(&source, &target).with_context(doing)?;
        if !mounted.writable {
            read_only.push(target);
        }
    }
    for name in PROTECTED {
        let target = inside(&scene.guest(CHARM)).join(name);
        mount_bind(scene.reference(CHARM).join(name), &target)?;
        read_only.push(target);
    }
    read_only.push(root.to_path_buf());
    for path in &read_only {
        make_read_only(path).with_context(|| format!("cannot protect {}", path.display()))?;
    }
    Ok(())
}

/// Makes a mount read-only and leaves its other restrictions, which the kernel
/// refuses to lift.
fn make_read_only(path: &Path) -> anyhow::Result<()> {
    let now = rustix::fs::statvfs(path)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (restriction, flag) in [
        (Restriction::NOSUID, MountFlags::NOSUID),
        (Restriction::NODEV, MountFlags::NODEV),
        (Restriction::NOEXEC, MountFlags::NOEXEC),
        (Restriction::NOATIME, MountFlags::NOATIME),
        (Restriction::NODIRATIME, MountFlags::NODIRATIME),
        (Restriction::RELATIME, MountFlags::RELATIME),
    ] {
        if now.contains(restriction) {
            flags |= flag;
        }
    }
    Ok(mount_remount(path, flags, "")?)
}
