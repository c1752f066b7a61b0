//! The Rust SDK: what it does in a guest, and compiler errors for misuse.

mod calls;
mod projects;

use std::process::Command;

use crate::support::root;

/// Returns the source of a charm with some lines in it.
fn charm(new: &str, methods: &str) -> String {
    format!(
        "use charmhost::prelude::*;
        struct Sample;
        impl Charm for Sample {{
            fn new(on: &mut Observe<Self>) -> Result<Self> {{ {new} Ok(Sample) }}
        }}
        impl Sample {{ {methods} }}
        charmhost::main!(Sample);"
    )
}

#[test]
fn misuse_is_reported_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"misuse\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [lib]\ncrate-type = [\"cdylib\"]\n\
         [dependencies]\ncharmhost = {{ path = {:?} }}\n[workspace]\n",
        root().join("guest-sdk/rust")
    );
    std::fs::write(dir.path().join("Cargo.toml"), manifest).unwrap();
    let table = [
        (
            charm(
                "on.start(Self::on_start);",
                "fn on_start(&self, _: StopEvent) {}",
            ),
            &["does not handle `StartEvent` for `Sample`"][..],
        ),
        (
            charm(
                "on.start(Self::on_start);",
                "fn on_start(&self, _: StartEvent) -> u8 { 1 }",
            ),
            &[
                "-> u8 {Sample::on_start}` does not handle `charmhost::StartEvent`",
                "-> Result<()>` and name it as `Self::name`; it may return nothing, or `Result<Settlement>`",
            ],
        ),
        (
            charm(
                "on.start(Self::on_start);",
                "fn on_start(&mut self, _: StartEvent) {}",
            ),
            &[
                "(&'a mut Sample, charmhost::StartEvent) {Sample::on_start}` does not handle",
                "write a method `fn name(&self, event: charmhost::StartEvent) -> Result<()>`",
            ],
        ),
        (
            charm("on.start(5);", ""),
            &[
                "`{integer}` does not handle `StartEvent` for `Sample`",
                "write a method `fn name(&self, event: StartEvent) -> Result<()>`",
            ],
        ),
        (
            charm(
                "on.stop(Self::on_stop);",
                "fn on_stop(&self, event: StopEvent) { event.defer(\"x\"); }",
            ),
            &["no method named `defer` found for struct `charmhost::StopEvent`"],
        ),
        (
            "struct Sample; charmhost::main!(Sample);".to_owned(),
            &["`Sample` is not a charm", "write `impl Charm for Sample"],
        ),
    ];
    for (source, wanted) in table {
        std::fs::write(dir.path().join("src/lib.rs"), &source).unwrap();
        let output = Command::new("cargo")
            .arg("check")
            .current_dir(dir.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{source} compiles");
        for text in wanted {
            assert!(stderr.contains(text), "wanted {text:?}, got {stderr}");
        }
    }
}
