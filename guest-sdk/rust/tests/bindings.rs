//! The bindings in `src/bindings/generated.rs` are those of the WIT.
//!
//! They are committed, because a charm that generates them compiles a WIT
//! parser first. `BLESS=1 cargo test --test bindings` writes them anew.

use std::error::Error;
use std::path::Path;

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::Opts;

const WORLD: &str = "charmhost:charm/charm";

#[test]
fn committed_bindings_are_those_of_the_wit() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("src/bindings/generated.rs");
    let expected = generate(&root.join("wit/charm"))?;
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &expected)?;
    }
    let committed = std::fs::read_to_string(&path)?;
    assert!(
        committed == expected,
        "{} differs from what the WIT gives; run `BLESS=1 cargo test --test bindings` \
         in guest-sdk/rust",
        path.display()
    );
    Ok(())
}

fn generate(wit: &Path) -> Result<String, Box<dyn Error>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit.canonicalize()?)?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    let options = Opts {
        generate_all: true,
        pub_export_macro: true,
        default_bindings_module: Some("charmhost::__private".to_owned()),
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    let (_, source) = files.iter().next().ok_or("no file was generated")?;
    Ok(with_native_stubs(std::str::from_utf8(source)?))
}

/// Replaces what stands for an import on other targets than wasm. The generator's
/// stubs abort the program, because a panic cannot leave a function of C; these
/// panic with a sentence, as a test of a charm that calls the SDK should.
fn with_native_stubs(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    for line in source.lines() {
        let stub = line.strip_suffix("{ unreachable!() }");
        match stub.and_then(|stub| stub.split_once("extern \"C\"")) {
            Some((before, after)) => {
                text.push_str(&format!(
                    "{before}extern \"C-unwind\"{after}{{ crate::bindings::no_host() }}"
                ));
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}
