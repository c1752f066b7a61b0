//! `charmhost new`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::output;

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Directory in a new charm for the SDK that it is built with.
const SDK_DIR: &str = ".charmhost/sdk";

/// Files of every new charm.
const COMMON: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../templates/rust/Cargo.toml")),
    (".gitignore", include_str!("../templates/rust/.gitignore")),
];

/// Files of a charm for machines, or for both.
const MACHINE: &[(&str, &str)] = &[
    (
        "charmcraft.yaml",
        include_str!("../templates/rust/charmcraft.yaml"),
    ),
    ("src/lib.rs", include_str!("../templates/rust/src/lib.rs")),
    ("README.md", include_str!("../templates/rust/README.md")),
];

/// Files of a charm with a workload container.
const K8S: &[(&str, &str)] = &[
    (
        "charmcraft.yaml",
        include_str!("../templates/k8s/charmcraft.yaml"),
    ),
    ("src/lib.rs", include_str!("../templates/k8s/src/lib.rs")),
    (
        "scenario.yaml",
        include_str!("../templates/k8s/scenario.yaml"),
    ),
    ("README.md", include_str!("../templates/k8s/README.md")),
];

/// Package name of the SDK. A lock file cannot have two packages of one name
/// that are both from paths.
const SDK_PACKAGE: &str = "charmhost";

/// Arguments of `charmhost new`.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the charm, for example my-app; also the directory to create
    name: String,
    /// Create a Kubernetes charm, with a workload container and a scenario that
    /// has a stand-in for its image
    #[arg(long)]
    k8s: bool,
}

/// Creates a new charm.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name = &args.name;
    charmhost_archive::check_name(name)?;
    if name == SDK_PACKAGE {
        bail!(
            "cannot make the charm {name}: the SDK's package has that name, and Cargo could not tell them apart; choose another name, for example {name}-charm"
        );
    }
    let dir = PathBuf::from(name);
    if dir.exists() {
        bail!(
            "cannot make the charm {name}: {} already exists; choose another name or remove it",
            dir.display()
        );
    }
    let own = if args.k8s { K8S } else { MACHINE };
    let files = COMMON
        .iter()
        .chain(own)
        .map(|(path, text)| ((*path).to_owned(), fill(text, name)))
        .chain(
            SDK.iter()
                .map(|(path, text)| (format!("{SDK_DIR}/{path}"), (*text).to_owned())),
        );
    for (path, text) in files {
        write(&dir.join(path), &text)?;
    }
    let scenario = match args.k8s {
        true => format!(" --scenario {name}/scenario.yaml"),
        false => String::new(),
    };
    output::print(&format!(
        "Made {name}. Next:\n  charmhost sim {name}{scenario}     run it through the lifecycle of a unit\n  charmhost pack {name}    pack it for `juju deploy`"
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let attempt = || -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)
    };
    attempt().with_context(|| format!("cannot write {}", path.display()))
}

/// Replaces the placeholders of a template.
fn fill(text: &str, name: &str) -> String {
    text.replace("{{name}}", name)
        .replace("{{Name}}", &struct_name(name))
        .replace("{{name_}}", &name.replace('-', "_"))
        .replace("{{sdk}}", SDK_DIR)
}

/// Name of the charm's struct. It ends with `Charm`, as in charmcraft's templates,
/// so that it cannot collide with a name of the prelude.
fn struct_name(name: &str) -> String {
    match camel_case(name) {
        name if name.ends_with("Charm") && name != "Charm" => name,
        name => format!("{name}Charm"),
    }
}

fn camel_case(name: &str) -> String {
    name.split('-')
        .flat_map(|word| {
            let mut chars = word.chars();
            let first = chars.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(chars)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_every_spelling() {
        assert_eq!(
            fill("{{name}} {{Name}} {{name_}} {{sdk}}", "my-web2-app"),
            "my-web2-app MyWeb2AppCharm my_web2_app .charmhost/sdk"
        );
        for (name, wanted) in [("my-charm", "MyCharm"), ("charm", "CharmCharm")] {
            assert_eq!(struct_name(name), wanted);
        }
    }

    #[test]
    fn the_sdk_is_complete() {
        for wanted in [
            "Cargo.toml",
            "src/lib.rs",
            "wit/charm.wit",
            "wit/deps/status/status.wit",
        ] {
            assert!(
                SDK.iter().any(|(path, _)| path == &wanted),
                "{wanted} is missing"
            );
        }
    }

    #[test]
    fn nothing_is_left_to_fill_in_the_template() {
        for (path, text) in COMMON.iter().chain(MACHINE).chain(K8S) {
            assert!(!fill(text, "demo").contains("{{"), "{path}");
        }
    }
}
