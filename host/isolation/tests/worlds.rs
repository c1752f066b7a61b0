//! Worlds on the kernel that runs the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use charmhost_isolation::{Network, Spec, World};

fn spec() -> Spec<'static> {
    Spec {
        confine: std::env::var_os("CONFINE")
            .map_or(PathBuf::from(env!("CARGO_BIN_EXE_confine")), PathBuf::from),
        scratch: std::env::temp_dir(),
        binds: Vec::new(),
        hostname: "world".to_owned(),
        network: Network::Private,
    }
}

fn sh(world: &World, script: &str) -> Output {
    world.command("sh").args(["-c", script]).output().unwrap()
}

#[test]
fn thin() {
    let world = World::start(&spec()).unwrap_or_else(|error| panic!("{error}"));
    let output = sh(
        &world,
        "id; hostname; ls /; cat /proc/self/mountinfo; ps ax; ls -la /dev; ls -la /etc | head; echo $$; cat /etc/hosts",
    );
    eprintln!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    eprintln!("{:?}", output.status);
    world.stop();
}
