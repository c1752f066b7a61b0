//! Why a charm's code failed, in one line that names the source location.

use charmhost_sandbox::{Exceeded, Limiter};
use wasmtime::{Trap, WasmBacktrace};

/// The system's error when memory cannot be mapped; wasmtime has no type for it.
const OUT_OF_MEMORY: &str = "(os error 12)";

/// Parts of the names of functions that end a guest when an allocation fails:
/// Rust's `handle_alloc_error`, `__rust_alloc_error_handler` and `rust_oom`.
const ALLOCATION_FAILURES: [&str; 2] = ["alloc_error", "rust_oom"];

/// A guest's own report of why it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reported {
    /// The kind of error in the guest's language, for example `TypeError`.
    pub kind: String,
    pub message: String,
    /// The source file.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// One frame a line, empty if there is none.
    pub traceback: String,
    /// The delivery whose handler failed.
    pub delivery: Option<u32>,
}

/// Why a guest was ended that is about to be rebooted with its machine. It has not
/// failed.
#[derive(Debug, thiserror::Error)]
#[error("the machine reboots")]
pub(crate) struct Rebooting;

/// Why a charm's code failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// `trap`, or the kind of error in the guest's language, for example `panic`
    /// or `TypeError`.
    pub kind: String,
    pub message: String,
    /// The source file and line, if known.
    pub location: Option<String>,
    pub traceback: String,
    /// The delivery whose handler failed, if the guest says.
    pub delivery: Option<u32>,
}

impl Failure {
    /// The failure that the guest reported.
    pub fn reported(report: Reported) -> Self {
        let location = report.file.map(|file| match report.line {
            Some(line) => format!("{file}:{line}"),
            None => file,
        });
        Failure {
            kind: report.kind,
            message: report.message,
            location,
            traceback: report.traceback,
            delivery: report.delivery,
        }
    }

    /// The failure of a guest that wasmtime ended. A limit explains more than
    /// the trap that follows from it.
    pub fn trapped(error: &wasmtime::Error, limiter: &Limiter) -> Self {
        let exceeded = limiter
            .explain(error)
            .or_else(|| fatal_rejection(error, limiter));
        let message = match (exceeded, error.downcast_ref::<Trap>()) {
            (Some(exceeded), _) => exceeded.to_string(),
            (None, Some(Trap::StackOverflow)) => {
                "the call stack is exhausted (endless recursion?)".to_owned()
            }
            (None, Some(Trap::MemoryOutOfBounds)) => {
                "out-of-bounds memory access (endless recursion, or unsafe code?)".to_owned()
            }
            (None, Some(trap)) => trap.to_string(),
            (None, None) => match error.root_cause().to_string() {
                cause if cause.contains(OUT_OF_MEMORY) => format!(
                    "{cause}: cannot reserve address space for the charm's memory (4 GiB and its guard pages); raise the limit of this process (ulimit -v) above 6 GiB, or lift it"
                ),
                cause => cause,
            },
        };
        Failure {
            kind: "trap".to_owned(),
            message,
            location: error.downcast_ref::<WasmBacktrace>().and_then(source_line),
            traceback: String::new(),
            delivery: None,
        }
    }
}

/// The growth that was rejected, if that ended the guest: before any of its
/// code ran, or in the function that ends it when an allocation fails. A guest
/// that copes with a rejection can fail for any other reason later.
fn fatal_rejection(error: &wasmtime::Error, limiter: &Limiter) -> Option<Exceeded> {
    let rejected = limiter.rejected()?;
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Some(rejected.clone());
    };
    let gives_up = |name: &str| ALLOCATION_FAILURES.iter().any(|part| name.contains(part));
    let mut frames = backtrace.frames().iter();
    frames
        .any(|frame| frame.func_name().is_some_and(gives_up))
        .then(|| rejected.clone())
}

/// The innermost source line of the charm itself; failing that, of anything.
fn source_line(backtrace: &WasmBacktrace) -> Option<String> {
    let locations: Vec<(&str, u32)> = backtrace
        .frames()
        .iter()
        .flat_map(|frame| frame.symbols())
        .filter_map(|symbol| Some((symbol.file()?, symbol.line()?)))
        .collect();
    let own = locations.iter().find(|(file, _)| is_own_source(file));
    let not_std = || {
        locations
            .iter()
            .find(|(file, _)| !file.starts_with("/rustc/"))
    };
    let (file, line) = own.or_else(not_std).or(locations.first())?;
    Some(format!(
        "{}:{line}",
        file.strip_prefix("./").unwrap_or(file)
    ))
}

/// The builder makes paths of the charm's own sources relative; those of
/// libraries begin with the directory that they were fetched to.
fn is_own_source(file: &str) -> bool {
    file.starts_with("./") || file.starts_with("src/")
}
