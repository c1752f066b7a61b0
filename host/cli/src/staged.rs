//! Files of a built charm project, with their names in the charm.

use std::path::{Path, PathBuf};

use anyhow::Context;
use charmhost_archive::{Content, Entry, Project};
use charmhost_builder::{Architecture, Built};

use crate::build::Target;
use crate::output;

/// A built project.
pub struct Staged {
    pub project: Project,
    pub architecture: Architecture,
    pub built: Built,
    pub entries: Vec<Entry>,
}

/// Builds a project into `scratch` and collects all files of the charm.
pub fn stage(dir: &Path, target: &Target, scratch: &Path) -> anyhow::Result<Staged> {
    let project = Project::load(dir)?;
    let architecture = choose(&project, target)?;
    let documents = project.documents(architecture.name())?;
    let options = target.options(dir, scratch, architecture);
    let built = charmhost_builder::build(&options, &mut |step| output::progress(&step))?;
    let mut entries = documents.entries();
    entries.extend(project.files()?);
    for path in &built.files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        entries.push(Entry::from_file(scratch, &name)?);
    }
    Ok(Staged {
        project,
        architecture,
        built,
        entries,
    })
}

/// Returns the requested architecture; otherwise this machine's, if the project
/// has a platform for it; otherwise the project's first.
fn choose(project: &Project, target: &Target) -> anyhow::Result<Architecture> {
    if let Some(architecture) = target.architecture {
        return Ok(architecture);
    }
    let known = project.architectures();
    let host = Architecture::host();
    if known.iter().any(|name| name == host.name()) {
        return Ok(host);
    }
    let first = known.first().context("charmcraft.yaml has no platforms")?;
    first.parse().map_err(anyhow::Error::msg)
}

impl Staged {
    /// Writes the files into a directory, as the unit agent unpacks them.
    pub fn unpack(&self, dir: &Path) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        for entry in &self.entries {
            let path: PathBuf = dir.join(&entry.name);
            let content = match &entry.content {
                Content::Bytes(bytes) => bytes.clone(),
                Content::File(file) => std::fs::read(file)
                    .with_context(|| format!("cannot read {}", file.display()))?,
            };
            let mode = std::fs::Permissions::from_mode(entry.mode.bits());
            std::fs::create_dir_all(path.parent().unwrap_or(dir))
                .and_then(|()| std::fs::write(&path, content))
                .and_then(|()| std::fs::set_permissions(&path, mode))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}
