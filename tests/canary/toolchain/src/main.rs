//! What the canaries in Rust and Go need beside their compilers: bindings of a
//! world, and for Go the component of a core module.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

const WORLD: &str = "charm";

fn world(wit: &str) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    Ok((resolve, world))
}

/// Writes the bindings of the world to a directory.
fn bindings(mut generator: Box<dyn WorldGenerator>, wit: &str, directory: &str) -> Result<()> {
    let (mut resolve, world) = world(wit)?;
    let mut files = Files::default();
    generator.generate(&mut resolve, world, &mut files)?;
    for (file, contents) in files.iter() {
        let path = Path::new(directory).join(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Makes a component of a core module for WASI 0.1.
fn component(wit: &str, module: &str, component: &str) -> Result<()> {
    let (resolve, world) = world(wit)?;
    let mut module = fs::read(module).with_context(|| format!("cannot read {module}"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    let bytes = ComponentEncoder::default()
        .module(&module)?
        .validate(true)
        .adapter(
            WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        )?
        .encode()?;
    fs::write(component, bytes).with_context(|| format!("cannot write {component}"))
}

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rust", wit, directory] => {
            let options = wit_bindgen_rust::Opts {
                generate_all: true,
                ..Default::default()
            };
            bindings(Box::new(options.build()), wit, directory)
        }
        ["go", wit, directory] => {
            let options = wit_bindgen_go::Opts::default();
            bindings(options.build(), wit, directory)
        }
        ["component", wit, module, to] => component(wit, module, to),
        _ => bail!(
            "usage: canary-toolchain rust|go WIT DIRECTORY, or canary-toolchain component WIT MODULE COMPONENT"
        ),
    }
}
