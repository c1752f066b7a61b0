//! `charmhost inspect`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use charmhost_archive::Archive;
use charmhost_runtime::{SETTINGS_NAME, Settings};
use charmhost_sandbox::OperatorPolicy;
use serde_json::json;

use crate::output;

/// What to look at.
#[derive(clap::Args)]
pub struct Args {
    /// A .charm archive, an unpacked charm, or a project
    target: PathBuf,
    /// Show what this file of an operator leaves of it
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Lines for people
    Text,
    /// One JSON document
    Json,
}

/// Says what a charm asks of the machine that it runs on.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let target = &args.target;
    let (name, wanted) = match target.is_dir() {
        true => (name_in(target)?, Settings::load(target)?),
        false => in_archive(target)?,
    };
    let settings = match &args.operator {
        Some(file) => wanted.narrowed(&OperatorPolicy::load(Some(file.clone()))?),
        None => wanted,
    };
    match args.format {
        Format::Json => {
            let report = json!({
                "name": name,
                "limits": settings.limits,
                "state": settings.state,
                "grants": settings.grants,
                "hook-tools": settings.hook_tools,
            });
            output::print(&serde_json::to_string_pretty(&report)?)?;
        }
        Format::Text => {
            let mut lines = vec![format!("name: {name}")];
            for (title, values) in [
                ("limits", json!(settings.limits)),
                ("state", json!(settings.state)),
                ("hook-tools", json!(settings.hook_tools)),
            ] {
                lines.push(format!("{title}:"));
                for (key, value) in values.as_object().into_iter().flatten() {
                    lines.push(format!("  {key} = {value}"));
                }
            }
            lines.push(output::grants(&settings.grants));
            output::print(&lines.join("\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn in_archive(path: &Path) -> anyhow::Result<(String, Settings)> {
    if !path.exists() {
        bail!("cannot inspect {}: there is no such file", path.display());
    }
    let mut archive = Archive::open(path)?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let shown = |name: &str| path.join(name);
    let metadata = archive.read("metadata.yaml")?.map(text).unwrap_or_default();
    let name = name_of(&shown("metadata.yaml"), &metadata)?;
    let settings = match archive.read(SETTINGS_NAME)?.map(text) {
        Some(text) => Settings::parse(&shown(SETTINGS_NAME), &text)?,
        None => Settings::default(),
    };
    Ok((name, settings))
}

fn name_in(dir: &Path) -> anyhow::Result<String> {
    let documents = ["metadata.yaml", "charmcraft.yaml"].map(|name| dir.join(name));
    let Some(document) = documents.iter().find(|path| path.is_file()) else {
        bail!(
            "cannot inspect {}: it has neither metadata.yaml nor charmcraft.yaml",
            dir.display()
        );
    };
    let text = std::fs::read_to_string(document)
        .with_context(|| format!("cannot read {}", document.display()))?;
    name_of(document, &text)
}

fn name_of(path: &Path, text: &str) -> anyhow::Result<String> {
    let document =
        charmhost_yaml::parse(text).with_context(|| format!("cannot read {}", path.display()))?;
    match document.get("name").and_then(serde_json::Value::as_str) {
        Some(name) => Ok(name.to_owned()),
        None => bail!("cannot inspect {}: it has no name", path.display()),
    }
}
