//! The same small charm in five languages, on the bindings as they are generated:
//! the host works with every language.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::pebble::{RealPebble, Run};
use crate::support::{charmhost, packed, root, shown};

const WIT: &str = "wit/charm";
/// Where `scripts/setup tests` installs toolchains.
const TOOLS: &str = "target/canary";
/// How much more memory a dispatch may take, in KiB, that copies 64 MiB instead of
/// one. A copy of the data would take more.
const FLAT: u64 = 24 * 1024;

/// A language and how its component is built at a path.
struct Language {
    name: &'static str,
    build: fn(&Path),
    /// How often the guest itself has all the bytes that it writes in its memory.
    leaks: u64,
    unit: OnceLock<PathBuf>,
}

static LANGUAGES: [Language; 5] = [
    Language::new("rust", rust, 0),
    Language::new("go", go, 0),
    // componentize-py 0.25.1 never frees the bytes that a call passes.
    Language::new("python", python, 1),
    Language::new("javascript", javascript, 0),
    Language::new("typescript", typescript, 0),
];

impl Language {
    const fn new(name: &'static str, build: fn(&Path), leaks: u64) -> Self {
        Language {
            name,
            build,
            leaks,
            unit: OnceLock::new(),
        }
    }

    /// The unpacked charm, which is built once per run.
    fn unit(&self) -> &Path {
        self.unit.get_or_init(|| {
            let component = root().join(TOOLS).join(format!("{}.wasm", self.name));
            (self.build)(&component);
            let name = format!("canary-{}", self.name);
            packed(
                "tests/canary",
                &name,
                &["--component".as_ref(), component.as_os_str()],
            )
        })
    }
}

/// Runs a program of a toolchain in a directory of the project.
fn run(directory: &str, program: &Path, args: &[&OsStr], vars: &[(&str, &OsStr)]) {
    let output = Command::new(program)
        .args(args)
        .envs(vars.iter().copied())
        .current_dir(root().join(directory))
        .output()
        .unwrap_or_else(|error| {
            let program = program.display();
            panic!("cannot run {program}: {error}; run scripts/setup tests")
        });
    assert!(output.status.success(), "{}", shown(&output));
}

/// A new directory for what a language generates.
fn generated(language: &str) -> PathBuf {
    let directory = root().join(TOOLS).join(language);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn rust(component: &Path) {
    let bindings = generated("rust");
    let tool = root().join(TOOLS).join("toolchain");
    let args = ["rust".as_ref(), WIT.as_ref(), bindings.as_os_str()];
    run("", &tool, &args, &[]);
    let target = root().join("target");
    let args = [
        "build",
        "--quiet",
        "--locked",
        "--release",
        "--target=wasm32-wasip2",
    ];
    let vars = [
        ("CANARY_BINDINGS", bindings.as_os_str()),
        ("CARGO_TARGET_DIR", target.as_os_str()),
    ];
    let args = args.map(AsRef::as_ref);
    run("tests/canary/rust", "cargo".as_ref(), &args, &vars);
    let built = target.join("wasm32-wasip2/release/canary.wasm");
    fs::copy(built, component).unwrap();
}

fn go(component: &Path) {
    let module = generated("go");
    let tool = root().join(TOOLS).join("toolchain");
    run(
        "",
        &tool,
        &["go".as_ref(), WIT.as_ref(), module.as_os_str()],
        &[],
    );
    // The package that the bindings import: no proxy has the version that they
    // require, but the crate that generates them has its source.
    copy(&support_package(), &module.join("pkg/wit"));
    let name = "go.bytecodealliance.org/pkg";
    fs::write(
        module.join("pkg/go.mod"),
        format!("module {name}\n\ngo 1.26\n"),
    )
    .unwrap();
    let manifest = module.join("go.mod");
    let required = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, format!("{required}\nreplace {name} => ./pkg\n")).unwrap();
    let exported = module.join("export_charmhost_entry_entry");
    copy(&root().join("tests/canary/go"), &exported);
    let output = Command::new("go")
        .args(["build", "-buildmode=c-shared", "-o", "core.wasm"])
        // The support package asks for memory by a name of Go's runtime.
        .args(["-ldflags=-checklinkname=0 -s -w", "."])
        .envs([("GOOS", "wasip1"), ("GOARCH", "wasm")])
        .envs([("GOFLAGS", "-mod=mod"), ("GOPROXY", "off")])
        .current_dir(&module)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let core = module.join("core.wasm");
    let args = [
        "component".as_ref(),
        WIT.as_ref(),
        core.as_os_str(),
        component.as_os_str(),
    ];
    run("", &tool, &args, &[]);
}

/// Source of Go's support package, in that of the crate that generates bindings.
fn support_package() -> PathBuf {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .current_dir(root().join("tests/canary/toolchain"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let generator = packages
        .iter()
        .find(|package| package["name"] == "wit-bindgen-go")
        .unwrap();
    let manifest = Path::new(generator["manifest_path"].as_str().unwrap());
    manifest.with_file_name("src/pkg/wit")
}

/// Copies a directory with everything in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.as_ref().unwrap(), to);
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn python(component: &Path) {
    let tool = root().join(TOOLS).join("python/bin/componentize-py");
    let wit = root().join(WIT);
    let args = [
        "-d".as_ref(),
        wit.as_os_str(),
        "-w".as_ref(),
        "charm".as_ref(),
        "componentize".as_ref(),
        "app".as_ref(),
        "-o".as_ref(),
        component.as_os_str(),
    ];
    run("tests/canary/python", &tool, &args, &[]);
}

fn javascript(component: &Path) {
    quickjs("tests/canary/javascript", component);
}

fn typescript(component: &Path) {
    let npm = root().join(TOOLS).join("npm");
    let output = generated("typescript");
    let (script, wit, types) = (
        npm.join("types.mjs"),
        root().join(WIT),
        output.join("types"),
    );
    let args = [script.as_os_str(), wit.as_os_str(), types.as_os_str()];
    run("", "node".as_ref(), &args, &[]);
    let compiler = npm.join("node_modules/.bin/tsc");
    run("tests/canary/typescript", &compiler, &[], &[]);
    quickjs(&format!("{TOOLS}/typescript"), component);
}

/// Makes a component of `guest.js`.
fn quickjs(directory: &str, component: &Path) {
    let tool = root()
        .join(TOOLS)
        .join("npm/node_modules/.bin/componentize-qjs");
    let wit = root().join(WIT);
    let args = [
        "--wit".as_ref(),
        wit.as_os_str(),
        "--world".as_ref(),
        "charm".as_ref(),
        "--js".as_ref(),
        "guest.js".as_ref(),
        "--sync".as_ref(),
        "-o".as_ref(),
        component.as_os_str(),
    ];
    run(directory, &tool, &args, &[]);
}

/// Result of a canary: calls and logs of each dispatch, and the final model.
fn simulate(unit: &Path) -> String {
    let scenario = root().join("tests/canary/scenario.yaml");
    let output = charmhost([
        "sim".as_ref(),
        unit.as_os_str(),
        "--scenario".as_ref(),
        scenario.as_os_str(),
        "--format".as_ref(),
        "json".as_ref(),
        "--show-secrets".as_ref(),
    ]);
    assert!(output.status.success(), "{}", shown(&output));
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for dispatch in report["dispatches"].as_array_mut().unwrap() {
        let dispatch = dispatch.as_object_mut().unwrap();
        dispatch.retain(|key, _| {
            ["event", "exit_code", "hook_tools", "logs", "action"].contains(&key.as_str())
        });
        for call in dispatch["hook_tools"].as_array_mut().unwrap() {
            call.as_object_mut()
                .unwrap()
                .retain(|key, _| !key.contains("ms"));
        }
    }
    let result = [&report["dispatches"], &report["model"]];
    serde_json::to_string_pretty(&result).unwrap()
}

#[test]
fn a_charm_is_the_same_in_five_languages() {
    let [first, others @ ..] = &LANGUAGES;
    let expected = simulate(first.unit());
    for language in others {
        let found = simulate(language.unit());
        let differs = found.lines().zip(expected.lines()).find(|(a, b)| a != b);
        assert_eq!(differs, None, "{} and {}", language.name, first.name);
        assert_eq!(found.lines().count(), expected.lines().count());
    }
}

/// Copies some data through `cat`, in chunks that are written and read by turns.
/// Returns the most memory of the dispatch, in KiB.
fn copied(language: &Language, pebble: &RealPebble, mib: u64) -> u64 {
    let params = format!(r#"{{"mib":{mib}}}"#);
    let run = Run::action(language.unit(), "actions/copy", params, pebble.dir.path());
    let ended = run.end(Duration::from_secs(60));
    let expected = format!("bytes={} exit-code=0 intact=true", mib << 20);
    let name = language.name;
    assert_eq!(ended.results.as_deref(), Some(expected.as_str()), "{name}");
    ended.peak
}

#[test]
fn a_command_is_fed_while_it_prints_with_flat_memory() {
    let pebble = RealPebble::start("app");
    for language in &LANGUAGES {
        let (little, much) = (copied(language, &pebble, 1), copied(language, &pebble, 64));
        let name = language.name;
        println!("{name}: {little} KiB and {much} KiB");
        let most = little + FLAT + language.leaks * (63 << 10);
        assert!(little > 0 && much < most, "{name}: {little} and {much} KiB");
    }
}
