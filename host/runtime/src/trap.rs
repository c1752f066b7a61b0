//! Says why a guest ended, in one line that names the place in the source.

use charmhost_sandbox::{Exceeded, Limiter};
use wasmtime::{Trap, WasmBacktrace};

/// The system's error when memory cannot be mapped; wasmtime has no type for it.
const OUT_OF_MEMORY: &str = "(os error 12)";

/// Parts of the names of functions in which a guest's language ends it because
/// memory was refused: Rust's `handle_alloc_error`, `__rust_alloc_error_handler`
/// and `rust_oom`.
const ALLOCATION_FAILURES: [&str; 2] = ["alloc_error", "rust_oom"];

/// What a guest said before it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CrashReport {
    /// What the language calls it.
    pub kind: String,
    pub message: String,
    /// The source file, empty if unknown.
    pub file: String,
    /// The line, 0 if unknown.
    pub line: u32,
    /// One frame a line, empty if there is none.
    pub traceback: String,
}

/// Why a guest ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What it is called: `panic`, `TypeError`, `trap`.
    pub kind: String,
    pub message: String,
    /// The source file and line, if known.
    pub place: Option<String>,
    pub traceback: String,
}

impl Failure {
    /// From what the guest said itself.
    pub fn reported(report: CrashReport) -> Self {
        let place = match (report.file.as_str(), report.line) {
            ("", _) => None,
            (file, 0) => Some(file.to_owned()),
            (file, line) => Some(format!("{file}:{line}")),
        };
        Failure {
            kind: report.kind,
            message: report.message,
            place,
            traceback: report.traceback,
        }
    }

    /// From how wasmtime ended it. A limit explains more than the trap that
    /// follows from it.
    pub fn trapped(error: &wasmtime::Error, limiter: &Limiter) -> Self {
        let exceeded = limiter
            .explain(error)
            .or_else(|| fatal_refusal(error, limiter));
        let message = match (exceeded, error.downcast_ref::<Trap>()) {
            (Some(exceeded), _) => exceeded.to_string(),
            (None, Some(Trap::StackOverflow)) => {
                "the call stack is exhausted (endless recursion?)".to_owned()
            }
            (None, Some(Trap::MemoryOutOfBounds)) => {
                "it used memory that it does not have (endless recursion, or unsafe code?)"
                    .to_owned()
            }
            (None, Some(trap)) => trap.to_string(),
            (None, None) => match error.root_cause().to_string() {
                cause if cause.contains(OUT_OF_MEMORY) => format!(
                    "{cause}: the machine does not give the address space that the charm's memory is reserved in, 4 GiB and what guards it; raise the limit of this process (ulimit -v) above 6 GiB, or lift it"
                ),
                cause => cause,
            },
        };
        Failure {
            kind: "trap".to_owned(),
            message,
            place: error.downcast_ref::<WasmBacktrace>().and_then(source_line),
            traceback: String::new(),
        }
    }
}

/// The growth that the guest was refused, if that has ended it: before anything
/// of it ran, or in the function that gives up for want of memory. A guest that
/// copes with a refusal can fail for any other reason later.
fn fatal_refusal(error: &wasmtime::Error, limiter: &Limiter) -> Option<Exceeded> {
    let refused = limiter.refused()?;
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Some(refused.clone());
    };
    let gives_up = |name: &str| ALLOCATION_FAILURES.iter().any(|part| name.contains(part));
    let mut frames = backtrace.frames().iter();
    frames
        .any(|frame| frame.func_name().is_some_and(gives_up))
        .then(|| refused.clone())
}

/// The innermost source line of the charm itself; failing that, of anything.
fn source_line(backtrace: &WasmBacktrace) -> Option<String> {
    let places: Vec<(&str, u32)> = backtrace
        .frames()
        .iter()
        .flat_map(|frame| frame.symbols())
        .filter_map(|symbol| Some((symbol.file()?, symbol.line()?)))
        .collect();
    let own = places.iter().find(|(file, _)| is_own_source(file));
    let not_std = || places.iter().find(|(file, _)| !file.starts_with("/rustc/"));
    let (file, line) = own.or_else(not_std).or(places.first())?;
    Some(format!(
        "{}:{line}",
        file.strip_prefix("./").unwrap_or(file)
    ))
}

/// The builder makes the charm's own paths relative; those of libraries begin
/// with where they were fetched to.
fn is_own_source(file: &str) -> bool {
    file.starts_with("./") || file.starts_with("src/")
}
