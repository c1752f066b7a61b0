//! Runs random file operations of a guest, and compares every step with the
//! kernel's result on a plain directory.
//!
//! A guest performs steps in batches, through `dist/dispatch`, on a charm's
//! directory, its `/tmp`, resources, storage and grants. A native process
//! performs the same steps on a reference copy of these directories, mounted in a
//! new root directory at the guest's paths. Between batches, files are
//! changed from outside, the charm is upgraded, and its grants change. Results
//! must be equal, and so must be the trees.

mod compare;
mod disk;
mod generate;
mod kernel;
mod mounts;
mod oracle;
mod outside;
mod scene;
mod shrink;
mod unit;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use fastrand::Rng;

use compare::Differences;
use disk::Tree;
use oracle::{Performed, Wanted};
use outside::Change;
use scene::{CHARM, Scene};
use unit::Agent;

/// Number of steps in one dispatch.
const BATCH: usize = 250;
/// Default number of steps of a run.
const STEPS: usize = 100_000;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let done = match args.next().as_deref() {
        Some(oracle::ARGUMENT) => oracle::serve().map(|()| true),
        first => run(first, args.next()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a number of steps, with `dist/dispatch` or another program.
fn run(steps: Option<&str>, dispatch: Option<String>) -> anyhow::Result<bool> {
    let wanted = steps.map_or(Ok(STEPS), |steps| steps.replace(',', "").parse())?;
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().context("SEED is not a number")?,
        Err(_) => fastrand::u32(..).into(),
    };
    println!("seed {seed}: SEED={seed} repeats this run");
    let mut test = Test::new(seed, dispatch)?;
    let mut done = 0;
    while done < wanted {
        let count = BATCH.min(wanted - done);
        if let Some(failure) = test.batch(count)? {
            println!("{}", test.explain(&failure, done)?);
            println!(
                "a difference was found within {} steps of seed {seed}",
                done + count
            );
            return Ok(false);
        }
        done += count;
    }
    let is_used = test.differences.report();
    let kinds: Vec<String> = test
        .succeeded
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    println!("steps that succeeded: {}", kinds.join(", "));
    println!(
        "{done} steps in {} dispatches, no difference but those listed",
        test.batches
    );
    // A rare one may be missing from a short run.
    let is_used = is_used || done < STEPS;
    if !is_used {
        println!("a listed difference was not seen: remove it from tests/files/differences.yaml");
    }
    Ok(is_used)
}

struct Test {
    rng: Rng,
    scene: Scene,
    agent: Agent,
    differences: Differences,
    revision: u32,
    batches: usize,
    /// How often steps of each kind succeeded.
    succeeded: BTreeMap<&'static str, usize>,
    /// What was done from outside before the last batch.
    outside: Vec<Change>,
    /// Both trees before the last batch.
    before: Tree,
    dir: tempfile::TempDir,
}

/// Failure of a batch.
pub struct Failure {
    pub performed: Performed,
    pub lines: Vec<String>,
}

impl Test {
    fn new(seed: u64, dispatch: Option<String>) -> anyhow::Result<Self> {
        let root = charmhost_tests::root()?;
        let built = charmhost_tests::build("tests/guests/files", "files")?;
        if let Some(dispatch) = dispatch {
            std::fs::remove_file(built.join("dispatch"))?;
            std::fs::copy(dispatch, built.join("dispatch"))?;
        }
        // Not in `/tmp`, where a guest has its own.
        let dir = tempfile::Builder::new()
            .prefix("charmhost-files-")
            .tempdir_in("/var/tmp")?;
        let base: PathBuf = dir.path().canonicalize()?;
        for name in ["scratch", "root"] {
            std::fs::create_dir(base.join(name))?;
        }
        let scene = Scene {
            base,
            roots: Vec::new(),
        };
        outside::install(&scene, &built)?;
        Ok(Test {
            rng: Rng::with_seed(seed),
            agent: Agent::start()?,
            differences: Differences::read(&root.join("tests/files/differences.yaml"))?,
            scene,
            revision: 0,
            batches: 0,
            succeeded: BTreeMap::new(),
            outside: Vec::new(),
            before: Tree::default(),
            dir,
        })
    }

    /// Changes something from outside, and performs a batch of steps.
    fn batch(&mut self, count: usize) -> anyhow::Result<Option<Failure>> {
        let (real, reference) = (
            self.scene.base.join("real"),
            self.scene.base.join("reference"),
        );
        self.outside.clear();
        for _ in 0..self.rng.usize(..5) {
            let tree = Tree::read(&reference)?;
            let change = Change::any(&mut self.rng, &tree, &mut self.revision);
            let (here, there) = (change.apply(&real), change.apply(&reference));
            if here != there {
                bail!("{change:?} from outside: {here:?} and {there:?}");
            }
            self.outside.push(change);
        }
        for base in [&real, &reference] {
            outside::prepare(base)?;
        }
        let tree = Tree::read(&reference)?;
        let (roots, settings) = outside::grants(&mut self.rng, &self.scene.base, &tree);
        self.scene.roots = roots;
        for base in [&real, &reference] {
            std::fs::write(base.join(CHARM).join("charmhost.toml"), &settings)?;
        }
        self.before = Tree::read(&reference)?;
        let seed = self.rng.u64(..);
        let (failure, performed) = self.perform(Wanted::Drawn { seed, count })?;
        self.batches += 1;
        for (step, expected) in performed.steps.iter().zip(&performed.expected).take(count) {
            *self.succeeded.entry(step.name()).or_default() +=
                usize::from(expected.outcome.is_ok());
        }
        Ok(failure.map(|lines| Failure { performed, lines }))
    }

    /// Performs steps on both sides; the lines say what is wrong.
    fn perform(&self, wanted: Wanted) -> anyhow::Result<(Option<Vec<String>>, Performed)> {
        let performed = oracle::perform(&self.scene, wanted)?;
        let outcomes = match self.agent.perform(&self.scene, &performed.steps) {
            Ok(outcomes) => outcomes,
            Err(error) => return Ok((Some(vec![format!("{error:#}")]), performed)),
        };
        let mut lines = Vec::new();
        let pairs = performed.expected.iter().zip(&outcomes);
        for (number, (step, (expected, got))) in performed.steps.iter().zip(pairs).enumerate() {
            if !self.differences.accept(step, expected, got) {
                let what = match number < performed.drawn {
                    true => format!("step {number}"),
                    false => "afterwards".to_owned(),
                };
                lines.push(format!(
                    "{what}, {step:?}: the kernel {:?}{}, the guest {got:?}",
                    expected.outcome,
                    if expected.guarded { " (guarded)" } else { "" }
                ));
            }
        }
        let real = Tree::read(&self.scene.base.join("real"))?;
        let reference = Tree::read(&self.scene.base.join("reference"))?;
        let differ = reference.differences(&real);
        lines.extend(differ.iter().map(|line| format!("on the disk, {line}")));
        Ok(((!lines.is_empty()).then_some(lines), performed))
    }

    /// Puts both trees back and performs other steps; what is wrong with them.
    fn again(&self, steps: &[steps::Step]) -> anyhow::Result<Option<Failure>> {
        for side in ["real", "reference"] {
            self.before.restore(&self.scene.base.join(side))?;
        }
        let (lines, performed) = self.perform(Wanted::Listed(steps.to_vec()))?;
        Ok(lines.map(|lines| Failure { performed, lines }))
    }

    /// The smallest part of a failing batch that fails, as text.
    fn explain(&self, failure: &Failure, done: usize) -> anyhow::Result<String> {
        let steps = &failure.performed.steps[..failure.performed.drawn];
        let shrunk = shrink::shrink(steps, |steps| self.again(steps))?;
        let failure = shrunk.as_ref().unwrap_or(failure);
        let mut text = format!(
            "batch {} after {done} steps; before it, from outside: {:?}\nroots: {:?}\nsteps:\n",
            self.batches, self.outside, self.scene.roots
        );
        let performed = failure
            .performed
            .steps
            .iter()
            .zip(&failure.performed.expected);
        for (number, (step, expected)) in performed.take(failure.performed.drawn).enumerate() {
            text += &format!(
                "{number:4} {} -> {:?}\n",
                shortened(&format!("{step:?}")),
                expected.outcome
            );
        }
        for line in failure.lines.iter().take(20) {
            text += &format!("DIFFERENT: {}\n", shortened(line));
        }
        Ok(text)
    }
}

impl Drop for Test {
    fn drop(&mut self) {
        // What cannot be removed is in a directory for temporary files.
        let _ = disk::clear(self.dir.path());
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(1500) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
