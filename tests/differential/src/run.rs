//! The two charms, and how they are run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::Args;
use crate::record::Record;

/// A scenario file.
pub struct Scenario {
    /// Its name without `.yaml`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The scenarios of a directory, sorted by name.
pub fn scenarios(dir: &Path, filter: Option<&str>) -> anyhow::Result<Vec<Scenario>> {
    let entries =
        std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let wanted = filter.is_none_or(|filter| name.contains(filter));
        if wanted
            && path
                .extension()
                .is_some_and(|extension| extension == "yaml")
        {
            found.push(Scenario { name, path });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if found.is_empty() {
        bail!("cannot find a scenario in {}", dir.display());
    }
    Ok(found)
}

/// What both did.
pub struct Pair {
    pub ours: Record,
    pub theirs: Record,
}

/// The charm and its twin, ready to be run.
pub struct Subjects {
    charmhost: PathBuf,
    ours: PathBuf,
    theirs: PathBuf,
}

impl Subjects {
    /// Packs our charm once for all scenarios.
    pub fn prepare(args: &Args) -> anyhow::Result<Self> {
        let charmhost = std::path::absolute(&args.charmhost)?;
        let ours = std::path::absolute("target/differential/web.charm")?;
        if let Some(parent) = ours.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut pack = Command::new(&charmhost);
        pack.args(["pack", "charms/web", "--output"]).arg(&ours);
        if let Some(dispatch) = &args.dispatch {
            pack.arg("--dispatch").arg(dispatch);
        }
        let packed = pack
            .output()
            .with_context(|| format!("cannot run {}", charmhost.display()))?;
        if !packed.status.success() {
            bail!(
                "cannot pack charms/web: {}",
                String::from_utf8_lossy(&packed.stderr)
            );
        }
        Ok(Subjects {
            charmhost,
            ours,
            theirs: args.dir.join("twins/web"),
        })
    }

    /// Runs a scenario through both.
    pub fn run(&self, scenario: &Scenario) -> anyhow::Result<Pair> {
        Ok(Pair {
            ours: self.sim(&self.ours, scenario).context("our charm")?,
            theirs: self.sim(&self.theirs, scenario).context("its twin")?,
        })
    }

    fn sim(&self, charm: &Path, scenario: &Scenario) -> anyhow::Result<Record> {
        let mut sim = Command::new(&self.charmhost);
        sim.arg("sim").arg(charm);
        sim.arg("--scenario").arg(&scenario.path);
        sim.args(["--format", "json"]);
        let output = sim.output().context("cannot run charmhost")?;
        if output.stdout.is_empty() {
            bail!("sim failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        let record: Record =
            serde_json::from_slice(&output.stdout).context("cannot read the report")?;
        if !record.unmet.is_empty() {
            bail!(
                "expectations are not met:\n{}",
                record.unmet_lines().join("\n")
            );
        }
        Ok(record)
    }
}
