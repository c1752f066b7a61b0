//! Result of an attempt.

use std::fmt;
use std::time::Duration;

use crate::agent::Log;
use crate::machine::SECRET;
use crate::process::Ended;
use crate::setups::Setup;

/// Memory limit of a process in the limited set-ups, in MiB: the guest's memory, one
/// call, data that the host holds, and the host itself.
const RESIDENT_MIB: u64 = 256 + 32 + 64 + 100;
/// What it may log and print, in bytes.
const LOGGED: u64 = (64 + 8) << 20;
/// Processor time: the limit, how long the host may go on, and what it needs to
/// start and to end.
const CPU: Duration = Duration::from_millis(1000 + 2000 + 1500);

/// Result of an attempt.
pub enum Verdict {
    /// Nothing, for this reason.
    Held(String),
    /// The guest has escaped, for these reasons.
    Escaped { signs: Vec<String> },
    /// The dispatch ended in an unexpected way.
    Unclear(String),
}

impl Verdict {
    pub fn is_held(&self) -> bool {
        matches!(self, Verdict::Held(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Held(why) => write!(f, "held: {}", short(why)),
            Verdict::Escaped { signs } => write!(f, "ESCAPED: {}", short(&signs.join("; "))),
            Verdict::Unclear(why) => write!(f, "UNCLEAR: {why}"),
        }
    }
}

fn short(text: &str) -> String {
    let line = text.replace('\n', " ");
    line.chars().take(240).collect()
}

/// Signs of an escape in the guest's log and the resources of its process.
pub fn signs(setup: &Setup, ended: &Ended, log: &Log) -> Vec<String> {
    let mut signs = Vec::new();
    let got = log.lines.iter().filter(|line| line.starts_with("GOT "));
    signs.extend(got.map(|line| line.chars().take(200).collect()));
    if log.lines.iter().any(|line| line.contains(SECRET)) || ended.stderr.contains(SECRET) {
        signs.push("the secret is in the log".to_owned());
    }
    if ended.was_stopped {
        signs.push("it did not end by itself".to_owned());
    }
    if setup.limited {
        let logged = log.bytes as u64 + ended.written;
        if ended.resident_mib > RESIDENT_MIB {
            signs.push(format!("it had {} MiB of memory", ended.resident_mib));
        }
        if logged > LOGGED {
            signs.push(format!("it logged {} MiB", logged >> 20));
        }
        if ended.cpu > CPU {
            signs.push(format!("it worked for {:.1} s", ended.cpu.as_secs_f64()));
        }
    }
    signs
}

/// Why a dispatch without signs of an escape contained its guest.
pub fn held(setup: &Setup, ended: &Ended, log: &Log) -> Verdict {
    let is_of_guest = |line: &&String| {
        ["HELD ", "UNKNOWN "]
            .iter()
            .any(|word| line.starts_with(word))
    };
    let is_limit = |line: &String| line.contains("(limits.") || line.contains("exceeds limit");
    let own: Vec<&String> = log.lines.iter().filter(is_of_guest).collect();
    match (ended.code, own.as_slice()) {
        (Some(0), [line]) if line.starts_with("HELD") => Verdict::Held((*line).clone()),
        // A limit has ended it.
        (Some(1), []) if log.lines.iter().any(is_limit) || is_limit(&ended.stderr) => {
            let line = log.lines.iter().rfind(|line| is_limit(line));
            Verdict::Held(line.unwrap_or(&ended.stderr).clone())
        }
        // Its log is longer than allowed.
        (Some(0), []) if setup.limited && log.lines.iter().any(is_limit) => {
            let line = log.lines.iter().rfind(|line| is_limit(line));
            Verdict::Held(line.cloned().unwrap_or_default())
        }
        // It has not begun.
        (Some(1), []) if setup.may_be_refused && ended.stderr.starts_with("ERROR cannot") => {
            Verdict::Held(ended.stderr.clone())
        }
        _ => Verdict::Unclear(format!(
            "exit code {:?}, log {:?}, stderr {:?}",
            ended.code,
            log.lines.iter().map(|line| short(line)).collect::<Vec<_>>(),
            ended.stderr
        )),
    }
}
