//! Restricts itself like `dispatch` before its guest runs, and then tries natively
//! what a guest could try that has bypassed the host's own checks: files outside
//! the roots, and ports.
//!
//! Each attempt is first made without the restriction, where it must succeed.

mod attempts;
mod scene;

use std::process::ExitCode;

use anyhow::Context;
use charmhost_sandbox::kernel::{Restriction, Rules, restrict};

use attempts::ATTEMPTS;
use scene::Scene;

fn main() -> ExitCode {
    match probe() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn probe() -> anyhow::Result<bool> {
    let mut works = 0;
    for (name, attempt) in ATTEMPTS {
        // A new scene for each attempt, because attempts change it.
        let scene = Scene::new()?;
        match attempt(&scene) {
            Ok(()) => works += 1,
            Err(error) => println!("FAILS  {name}: {error}"),
        }
        scene.leave()?;
    }
    println!("{works} of {} ways work unrestricted", ATTEMPTS.len());
    let scene = Scene::new()?;
    // Only the thread is restricted: this one cleans up.
    let tried = std::thread::scope(|scope| scope.spawn(|| restricted(&scene)).join());
    scene.leave()?;
    let held = tried.ok().context("a thread has panicked")??;
    Ok(held && works == ATTEMPTS.len())
}

/// Makes all attempts under the restriction; returns whether all failed.
fn restricted(scene: &Scene) -> anyhow::Result<bool> {
    if let Restriction::Absent(why) = restrict(&rules(scene)) {
        println!("0 attempts, 0 escaped: this kernel does not restrict: {why}");
        return Ok(true);
    }
    scene.check()?;
    let mut escaped = 0;
    for (name, attempt) in ATTEMPTS {
        if attempt(scene).is_ok() {
            println!("escaped: {name}");
            escaped += 1;
        }
    }
    println!("{} attempts, {escaped} escaped", ATTEMPTS.len());
    Ok(escaped == 0)
}

/// Two directories and a file are granted, and one port.
fn rules(scene: &Scene) -> Rules<'_> {
    Rules {
        writable: vec![scene.writable()],
        readable: vec![scene.readable()],
        files: vec![scene.file()],
        connect: Some(vec![scene.granted_port()]),
        ..Rules::default()
    }
}
