//! `charmhost new`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use crate::output;
use crate::sdk::{self, write};

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

/// Files of a library, beside `.gitignore`.
const LIBRARY: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../templates/lib/Cargo.toml")),
    (".gitignore", include_str!("../templates/rust/.gitignore")),
    ("src/lib.rs", include_str!("../templates/lib/src/lib.rs")),
    ("README.md", include_str!("../templates/lib/README.md")),
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
    /// Create a library for charms instead of a charm
    #[arg(long, conflicts_with = "k8s")]
    lib: bool,
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
    let files = match (args.lib, args.k8s) {
        (true, _) => LIBRARY.to_vec(),
        (false, true) => [COMMON, K8S].concat(),
        (false, false) => [COMMON, MACHINE].concat(),
    };
    for (path, text) in files {
        write(&dir.join(path), &fill(text, name))?;
    }
    sdk::install(&dir)?;
    let next = match (args.lib, args.k8s) {
        (true, _) => format!(
            "  cargo test --manifest-path {name}/Cargo.toml    test it; {name}/README.md says how a charm uses it"
        ),
        (false, is_k8s) => {
            let scenario = match is_k8s {
                true => format!(" --scenario {name}/scenario.yaml"),
                false => String::new(),
            };
            format!(
                "  charmhost sim {name}{scenario}     run it through the lifecycle of a unit\n  charmhost pack {name}    pack it for `juju deploy`"
            )
        }
    };
    output::print(&format!("Made {name}. Next:\n{next}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Replaces the placeholders of a template.
fn fill(text: &str, name: &str) -> String {
    text.replace("{{name}}", name)
        .replace("{{Name}}", &struct_name(name))
        .replace("{{name_}}", &name.replace('-', "_"))
        .replace("{{sdk}}", sdk::DIR)
        .replace("{{version}}", sdk::version(sdk::manifest()))
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
    fn nothing_is_left_to_fill_in_the_template() {
        for (path, text) in [COMMON, MACHINE, K8S, LIBRARY].concat() {
            assert!(!fill(text, "demo").contains("{{"), "{path}");
        }
    }
}
