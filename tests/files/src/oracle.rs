//! The child process in which the kernel performs steps on the reference.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use steps::Step;

use crate::generate::{Generator, inspection};
use crate::kernel::{Expected, Kernel};
use crate::mounts;
use crate::scene::Scene;

/// The argument with which this program runs itself as that process.
pub const ARGUMENT: &str = "oracle";

/// Request to the child process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Wanted {
    /// A number of steps, drawn from a seed.
    Drawn { seed: u64, count: usize },
    /// These steps.
    Listed(Vec<Step>),
}

#[derive(Serialize, Deserialize)]
struct Request {
    scene: Scene,
    wanted: Wanted,
}

/// Steps that were performed, and what came of each; after them the steps that
/// look at the whole tree.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Performed {
    pub steps: Vec<Step>,
    pub expected: Vec<Expected>,
    /// How many of the steps are none of those that look at the tree.
    pub drawn: usize,
}

/// Performs steps on the reference by the kernel.
pub fn perform(scene: &Scene, wanted: Wanted) -> anyhow::Result<Performed> {
    let scratch = scene.base.join("scratch");
    std::fs::remove_dir_all(&scratch)?;
    std::fs::create_dir(&scratch)?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg(ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let scene = scene.clone();
    let request = serde_json::to_vec(&Request { scene, wanted })?;
    let input = child.stdin.take().context("no standard input")?;
    (&input).write_all(&request)?;
    drop(input);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "the process that works on the plain directory failed: {}",
            output.status
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The child's part.
pub fn serve() -> anyhow::Result<()> {
    let mut request = Vec::new();
    std::io::stdin().read_to_end(&mut request)?;
    let Request { scene, wanted } = serde_json::from_slice(&request)?;
    mounts::enter(&scene)?;
    let mut kernel = Kernel::new(&scene)?;
    let (mut steps, mut expected) = match wanted {
        Wanted::Drawn { seed, count } => Generator::new(&scene, seed, &mut kernel).run(count),
        Wanted::Listed(steps) => {
            let mut done = (Vec::new(), Vec::new());
            for step in steps {
                if kernel.has_no_answer(&step) {
                    continue;
                }
                done.1.push(kernel.run(&step));
                done.0.push(step);
            }
            done
        }
    };
    let drawn = steps.len();
    for step in inspection(&scene) {
        expected.push(kernel.run(&step));
        steps.push(step);
    }
    let performed = Performed {
        steps,
        expected,
        drawn,
    };
    serde_json::to_writer(std::io::stdout().lock(), &performed)?;
    Ok(())
}
