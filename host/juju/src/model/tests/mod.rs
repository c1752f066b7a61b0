//! The calls that the model makes, word for word, and what it makes of the
//! answers.

mod databags;
mod file_arguments;
mod goal_state;
mod network;
mod relations;
mod secrets;
mod security_events;
mod storage;
mod tool_calls;

use std::sync::{Arc, Mutex};

use charmhost_hook_tools::{MemoryTransport, Stderr, ToolOutput};

use super::*;

/// What hook tools print, or the error that they report, by the start of the
/// call; others print nothing.
type Answers = &'static [(&'static str, Result<&'static str, &'static str>)];

/// A model whose hook tools give fixed answers, and the calls that were made.
struct Bench {
    model: Model,
    calls: Arc<Mutex<Vec<String>>>,
    clock: Arc<ManualClock>,
}

/// A clock that stands still until a test moves it.
#[derive(Default)]
struct ManualClock(Mutex<Duration>);

impl Clock for ManualClock {
    fn wall(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

impl Bench {
    /// The unit web/0 in the model m, with the endpoint db and the peer endpoint
    /// ring.
    fn new(answers: Answers) -> Self {
        Bench::with_variables(answers, &[])
    }

    /// [`Bench::new`] in the dispatch of relation-broken of db:7 with mysql.
    fn in_relation_broken(answers: Answers) -> Self {
        Bench::with_variables(
            answers,
            &[
                ("JUJU_DISPATCH_PATH", "hooks/db-relation-broken"),
                ("JUJU_RELATION_ID", "db:7"),
                ("JUJU_REMOTE_APP", "mysql"),
            ],
        )
    }

    fn with_variables(answers: Answers, variables: &[(&str, &str)]) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&calls);
        let transport =
            MemoryTransport(move |tool: &str, args: &[String], stdin: Option<&[u8]>| {
                let mut call = format!("{tool} {}", args.join(" "));
                if let Some(stdin) = stdin {
                    call.push_str(" < ");
                    call.push_str(&String::from_utf8_lossy(stdin));
                }
                let answer = answers.iter().find(|(prefix, _)| call.starts_with(prefix));
                seen.lock().unwrap().push(call);
                Ok(match answer.map(|(_, answer)| *answer) {
                    Some(Err(stderr)) => ToolOutput {
                        // Wrong values of flags are usage errors (juju §3.1).
                        code: if stderr.starts_with("invalid value") {
                            2
                        } else {
                            1
                        },
                        stderr: format!("ERROR {stderr}\n").into(),
                        ..ToolOutput::default()
                    },
                    answer => ToolOutput {
                        stdout: answer.unwrap_or(Ok("")).unwrap_or_default().into(),
                        ..ToolOutput::default()
                    },
                })
            });
        let dir = tempfile::tempdir().unwrap();
        let metadata = "name: x\nrequires: {db: {interface: pg}}\npeers: {ring: {interface: ring}}\nstorage: {data: {type: filesystem}}\nresources: {image: {type: file}}\n";
        std::fs::write(dir.path().join("metadata.yaml"), metadata).unwrap();
        let metadata = Metadata::load(dir.path()).unwrap();
        let this_unit = [
            ("JUJU_UNIT_NAME", "web/0"),
            ("JUJU_MODEL_NAME", "m"),
            ("JUJU_MODEL_UUID", "1-2"),
        ];
        let environment = Environment::read(|name| {
            let mut variables = this_unit.iter().chain(variables);
            let found = variables.find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        });
        let clock = Arc::new(ManualClock::default());
        let model = Model::new(
            Box::new(transport),
            &environment.unwrap(),
            Arc::new(metadata),
            clock.clone(),
            Stderr::new(std::io::sink()),
        );
        Bench {
            model,
            calls,
            clock,
        }
    }

    /// The calls since the last time.
    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}
