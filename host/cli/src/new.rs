//! `charmhost new`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::output;

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Where a new charm keeps the SDK it is built with.
const SDK_DIR: &str = ".charmhost/sdk";

const TEMPLATE: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../templates/rust/Cargo.toml")),
    (
        "charmcraft.yaml",
        include_str!("../templates/rust/charmcraft.yaml"),
    ),
    ("src/lib.rs", include_str!("../templates/rust/src/lib.rs")),
    (".gitignore", include_str!("../templates/rust/.gitignore")),
    ("README.md", include_str!("../templates/rust/README.md")),
];

/// What to call it.
#[derive(clap::Args)]
pub struct Args {
    /// The charm's name, as `my-app`; also the directory that is made
    name: String,
}

/// Makes a new charm.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name = &args.name;
    charmhost_archive::check_name(name)?;
    let dir = PathBuf::from(name);
    if dir.exists() {
        bail!(
            "cannot make the charm {name}: {} already exists; choose another name or remove it",
            dir.display()
        );
    }
    let files = TEMPLATE
        .iter()
        .map(|(path, text)| ((*path).to_owned(), fill(text, name)))
        .chain(
            SDK.iter()
                .map(|(path, text)| (format!("{SDK_DIR}/{path}"), (*text).to_owned())),
        );
    for (path, text) in files {
        write(&dir.join(path), &text)?;
    }
    output::print(&format!(
        "Made {name}. Next:\n  charmhost sim {name}     run it through the life of a unit\n  charmhost pack {name}    pack it for `juju deploy`"
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

/// Fills the placeholders of the template.
fn fill(text: &str, name: &str) -> String {
    text.replace("{{name}}", name)
        .replace("{{Name}}", &camel_case(name))
        .replace("{{name_}}", &name.replace('-', "_"))
        .replace("{{sdk}}", SDK_DIR)
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
            "my-web2-app MyWeb2App my_web2_app .charmhost/sdk"
        );
    }

    #[test]
    fn the_sdk_is_complete() {
        for wanted in [
            "Cargo.toml",
            "src/lib.rs",
            "wit/charm.wit",
            "wit/deps/status.wit",
        ] {
            assert!(
                SDK.iter().any(|(path, _)| path == &wanted),
                "{wanted} is missing"
            );
        }
    }

    #[test]
    fn nothing_is_left_to_fill_in_the_template() {
        for (path, text) in TEMPLATE {
            assert!(!fill(text, "demo").contains("{{"), "{path}");
        }
    }
}
