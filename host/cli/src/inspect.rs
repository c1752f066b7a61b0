//! `charmhost inspect`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use charmhost_archive::Archive;
use charmhost_error_chain::ErrorChain;
use charmhost_runtime::{COMPILED_NAME, CompiledCharm, LoadError, SETTINGS_NAME, Settings, World};
use charmhost_sandbox::{Grants, OperatorPolicy};
use serde_json::{Value, json};

use crate::{output, project};

/// Arguments of `charmhost inspect`.
#[derive(clap::Args)]
pub struct Args {
    /// A .charm archive, an unpacked charm, or a project
    #[arg(default_value = ".")]
    target: PathBuf,
    /// Apply the operator policy in this file
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Text
    Text,
    /// One JSON document
    Json,
}

/// What is known of a charm.
struct Inspected {
    name: String,
    settings: Settings,
    /// The world of its compiled code, or why it has none; none if it is not
    /// compiled.
    world: Option<Result<World, LoadError>>,
}

/// Prints the world, limits, state settings and grants of a charm.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let target = &args.target;
    let Inspected {
        name,
        settings: requested,
        world,
    } = match target.is_dir() {
        true => in_directory(target)?,
        false => in_archive(target)?,
    };
    let world = world.map(|world| match world {
        Ok(world) => world.name().to_owned(),
        Err(error) => error.chain().to_string(),
    });
    let settings = match &args.operator {
        Some(file) => requested.narrowed(&OperatorPolicy::load(Some(file.clone()))?),
        None => requested.clone(),
    };
    let refused = without(&requested.grants, &settings.grants);
    match args.format {
        Format::Json => {
            let mut report = json!({
                "name": name,
                "world": world,
                "limits": settings.limits,
                "state": settings.state,
                "grants": settings.grants,
                "hook-tools": settings.hook_tools,
            });
            if let (Some(_), Some(report)) = (&args.operator, report.as_object_mut()) {
                report.insert("refused".to_owned(), json!(refused));
            }
            output::print(&serde_json::to_string_pretty(&report)?)?;
        }
        Format::Text => {
            let mut lines = vec![format!("name: {name}")];
            lines.extend(world.map(|world| format!("world: {world}")));
            for (title, values, requested) in [
                ("limits", json!(settings.limits), json!(requested.limits)),
                ("state", json!(settings.state), json!(requested.state)),
                (
                    "hook-tools",
                    json!(settings.hook_tools),
                    json!(requested.hook_tools),
                ),
            ] {
                lines.extend(section(title, &values, &requested));
            }
            lines.push(output::grants(&settings.grants));
            if let (Some(file), false) = (&args.operator, refused.is_empty()) {
                let file = file.display();
                lines.push(format!("refused by {file}, in whole or in part:"));
                lines.extend(refused.lines().iter().map(|line| format!("  {line}")));
            }
            output::print(&lines.join("\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Lines with effective values, and the charm's own where those differ.
fn section(title: &str, values: &Value, requested: &Value) -> Vec<String> {
    let values = values.as_object().into_iter().flatten();
    let line = |(key, value): (&String, &Value)| match requested.get(key) {
        Some(requested) if requested != value => {
            format!("  {key} = {value}  # the charm requests {requested}")
        }
        _ => format!("  {key} = {value}"),
    };
    [format!("{title}:")]
        .into_iter()
        .chain(values.map(line))
        .collect()
}

/// Grants that are not identical to one of others.
fn without(grants: &Grants, others: &Grants) -> Grants {
    fn rest<T: Clone + PartialEq>(items: &[T], others: &[T]) -> Vec<T> {
        let missing = items.iter().filter(|item| !others.contains(item));
        missing.cloned().collect()
    }
    Grants {
        network: rest(&grants.network, &others.network),
        read: rest(&grants.read, &others.read),
        write: rest(&grants.write, &others.write),
        environment: rest(&grants.environment, &others.environment),
        hook_tools: rest(&grants.hook_tools, &others.hook_tools),
        legacy_hooks: grants.legacy_hooks && !others.legacy_hooks,
    }
}

fn in_directory(dir: &Path) -> anyhow::Result<Inspected> {
    let compiled = dir.join(COMPILED_NAME);
    Ok(Inspected {
        name: name_in(dir)?,
        settings: Settings::load(dir)?,
        world: match compiled.is_file() {
            true => Some(world_of(&compiled)?),
            false => None,
        },
    })
}

/// The world of compiled code. It is not run.
fn world_of(compiled: &Path) -> anyhow::Result<Result<World, LoadError>> {
    let engine = charmhost_runtime::engine().map_err(|error| anyhow!("{error:#}"))?;
    Ok(CompiledCharm::world(&engine, compiled))
}

fn in_archive(path: &Path) -> anyhow::Result<Inspected> {
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
    let world = match archive.read(COMPILED_NAME)? {
        Some(compiled) => {
            let dir = tempfile::tempdir()?;
            let file = dir.path().join(COMPILED_NAME);
            std::fs::write(&file, compiled)?;
            Some(world_of(&file)?)
        }
        None => None,
    };
    Ok(Inspected {
        name,
        settings,
        world,
    })
}

fn name_in(dir: &Path) -> anyhow::Result<String> {
    let metadata = dir.join("metadata.yaml");
    let document = match metadata.is_file() {
        true => metadata,
        false => {
            project::require(dir)?;
            dir.join("charmcraft.yaml")
        }
    };
    let text = std::fs::read_to_string(&document)
        .with_context(|| format!("cannot read {}", document.display()))?;
    name_of(&document, &text)
}

fn name_of(path: &Path, text: &str) -> anyhow::Result<String> {
    let document =
        charmhost_yaml::parse(text).with_context(|| format!("cannot read {}", path.display()))?;
    match document.get("name").and_then(Value::as_str) {
        Some(name) => Ok(name.to_owned()),
        None => bail!("cannot inspect {}: it has no name", path.display()),
    }
}
