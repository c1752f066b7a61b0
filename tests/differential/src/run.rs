//! Runs both charms of a scenario.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::Args;
use crate::record::Record;

/// A scenario file.
pub struct Scenario {
    /// Its name without `.yaml`, after that of its charm: `web/config-port`.
    pub name: String,
    /// The charm that it is for: the name of its directory.
    pub charm: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Returns the scenarios of a directory, sorted; each is in a folder with the name
/// of its charm.
pub fn scenarios(dir: &Path, filter: Option<&str>) -> anyhow::Result<Vec<Scenario>> {
    let mut found = Vec::new();
    for charm in listed(dir)? {
        let of_charm = name_of(&charm);
        for path in listed(&charm)? {
            let name = format!("{of_charm}/{}", name_of(&path));
            if filter.is_none_or(|filter| name.contains(filter)) {
                found.push(Scenario {
                    name,
                    charm: of_charm.clone(),
                    path,
                });
            }
        }
    }
    if found.is_empty() {
        bail!("cannot find a scenario in {}", dir.display());
    }
    Ok(found)
}

fn name_of(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn listed(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// Records of both runs.
pub struct Pair {
    pub ours: Record,
    pub theirs: Record,
}

/// The charms and their references on Python ops, ready to run.
pub struct Subjects {
    charmhost: PathBuf,
    references: PathBuf,
    packed: PathBuf,
}

impl Subjects {
    /// Packs our charms once for all scenarios.
    pub fn prepare(args: &Args, scenarios: &[Scenario]) -> anyhow::Result<Self> {
        let subjects = Subjects {
            charmhost: std::path::absolute(&args.charmhost)?,
            references: args.dir.join("ops-reference"),
            packed: std::path::absolute("target/differential")?,
        };
        std::fs::create_dir_all(&subjects.packed)?;
        let mut charms: Vec<&str> = scenarios
            .iter()
            .map(|scenario| scenario.charm.as_str())
            .collect();
        charms.dedup();
        for charm in charms {
            subjects.pack(charm, args.dispatch.as_deref())?;
        }
        Ok(subjects)
    }

    /// An example of the project's, or a guest of the tests.
    fn pack(&self, charm: &str, dispatch: Option<&Path>) -> anyhow::Result<()> {
        let example = Path::new("charms").join(charm);
        let project = match example.is_dir() {
            true => example,
            false => Path::new("tests/guests").join(charm),
        };
        let mut pack = Command::new(&self.charmhost);
        pack.arg("pack")
            .arg(&project)
            .arg("--output")
            .arg(self.ours(charm));
        if let Some(dispatch) = dispatch {
            pack.arg("--dispatch").arg(dispatch);
        }
        let program = self.charmhost.display();
        let packed = pack
            .output()
            .with_context(|| format!("cannot run {program}"))?;
        if !packed.status.success() {
            let stderr = String::from_utf8_lossy(&packed.stderr);
            bail!("cannot pack {}: {stderr}", project.display());
        }
        Ok(())
    }

    fn ours(&self, charm: &str) -> PathBuf {
        self.packed.join(format!("{charm}.charm"))
    }

    /// Runs a scenario through both.
    pub fn run(&self, scenario: &Scenario) -> anyhow::Result<Pair> {
        let (ours, theirs) = (
            self.ours(&scenario.charm),
            self.references.join(&scenario.charm),
        );
        Ok(Pair {
            ours: self.sim(&ours, scenario).context("our charm")?,
            theirs: self
                .sim(&theirs, scenario)
                .context("its reference on Python ops")?,
        })
    }

    fn sim(&self, charm: &Path, scenario: &Scenario) -> anyhow::Result<Record> {
        let mut sim = Command::new(&self.charmhost);
        sim.arg("sim").arg(charm);
        sim.arg("--scenario").arg(&scenario.path);
        // Digests of values of secrets differ from run to run.
        sim.args(["--format", "json", "--show-secrets"]);
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
