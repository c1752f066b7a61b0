//! Runs a guest that tries to get out of its sandbox, in one way for each
//! dispatch. It has got out if it holds what it should not, as far as it says
//! itself; or if anything outside has changed, whatever it says.

mod agent;
mod prey;

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};

use agent::Agent;
use prey::Prey;

fn main() -> ExitCode {
    match escape() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How hook tools are reached.
const TRANSPORTS: [&str; 2] = ["rpc", "exec"];

fn escape() -> anyhow::Result<bool> {
    let built = charmhost_tests::build("tests/guests/escape", "escape")?;
    let agent = Agent::start(&charmhost_tests::root()?)?;
    let names = names(&Prey::new(&built)?, &agent)?;
    let (mut attempts, mut escaped) = (0, 0);
    for name in &names {
        // Only hook tools differ between the two.
        let transports = if name.starts_with("tool-") {
            &TRANSPORTS[..]
        } else {
            &TRANSPORTS[..1]
        };
        for transport in transports {
            attempts += 1;
            // A place of its own for each: nothing of one helps another.
            let prey = Prey::new(&built)?;
            let found = attempt(name, transport, &prey, &agent)?;
            if std::env::var_os("VERBOSE").is_some() {
                println!("{name} ({transport}): {}", found.said);
            }
            for sign in &found.signs {
                println!("escaped: {name} ({transport}): {sign}");
            }
            escaped += usize::from(!found.signs.is_empty());
        }
    }
    println!("{attempts} attempts, {escaped} escaped");
    Ok(escaped == 0 && attempts > 0)
}

/// What came of an attempt.
struct Found {
    /// The guest's last words.
    said: String,
    /// Why it has got out.
    signs: Vec<String>,
}

fn attempt(name: &str, transport: &str, prey: &Prey, agent: &Agent) -> anyhow::Result<Found> {
    let params = serde_json::json!({
        "attempt": name,
        "outside": prey.outside(),
        "port": prey.port(),
    });
    agent.begin(params);
    let code = dispatch("actions/attempt", transport, prey, agent)?;
    let logs = agent.logs();
    let own: Vec<&String> = logs.iter().filter(|line| is_of_guest(line)).collect();
    let mut signs = prey.signs();
    let said = own
        .iter()
        .map(|line| line.as_str())
        .collect::<Vec<_>>()
        .join("; ");
    if own.iter().any(|line| line.starts_with("GOT ")) {
        signs.push(said.clone());
    }
    if logs.iter().any(|line| line.contains(prey::SECRET)) {
        signs.push("the secret is in the log".to_owned());
    }
    match (code, own.as_slice()) {
        (Some(0), [line]) if !line.starts_with("UNKNOWN") => {}
        // A limit has ended it.
        (Some(1), []) if logs.iter().any(|line| line.contains("charmhost.toml")) => {}
        _ => bail!("cannot tell how {name} ended: exit code {code:?}, log {logs:#?}"),
    }
    let said = match said.is_empty() {
        true => logs.last().cloned().unwrap_or_default(),
        false => said,
    };
    Ok(Found { said, signs })
}

fn is_of_guest(line: &str) -> bool {
    ["GOT ", "HELD ", "UNKNOWN "]
        .iter()
        .any(|word| line.starts_with(word))
}

/// The attempts that the guest knows.
fn names(prey: &Prey, agent: &Agent) -> anyhow::Result<Vec<String>> {
    agent.begin(serde_json::json!({}));
    let code = dispatch("hooks/update-status", "rpc", prey, agent)?;
    let logs = agent.logs();
    let name = |line: &String| line.strip_prefix("ATTEMPT ").map(str::to_owned);
    let names: Vec<String> = logs.iter().filter_map(name).collect();
    if code != Some(0) || names.is_empty() {
        bail!("the guest does not tell its attempts: {logs:#?}");
    }
    Ok(names)
}

/// Runs `dispatch` as Juju does, with secrets in its environment, in a
/// descriptor that it inherits, and in its input.
fn dispatch(
    path: &str,
    transport: &str,
    prey: &Prey,
    agent: &Agent,
) -> anyhow::Result<Option<i32>> {
    let charm = prey.charm();
    let secret = format!("{}/secret", prey.outside());
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", "exec 7<\"$0\" <\"$0\"; exec ./dispatch", &secret])
        .current_dir(&charm)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let hook = path.strip_prefix("hooks/").unwrap_or_default();
    for (name, value) in [
        ("JUJU_DISPATCH_PATH", path),
        ("JUJU_HOOK_NAME", hook),
        ("JUJU_CHARM_DIR", &charm.display().to_string()),
        ("JUJU_CONTEXT_ID", "escape/0-hook-1"),
        (
            "JUJU_AGENT_SOCKET_ADDRESS",
            &agent.socket.display().to_string(),
        ),
        ("JUJU_AGENT_SOCKET_NETWORK", "unix"),
        ("JUJU_UNIT_NAME", "escape/0"),
        ("JUJU_MODEL_NAME", "model"),
        ("JUJU_MODEL_UUID", "9c4d1f1e-4b5a-4d0a-8a0c-6f0a3f3c8b1a"),
        ("JUJU_VERSION", "3.6.28"),
        ("CHARMHOST_HOOK_TOOLS", transport),
        ("PATH", &format!("{}:/usr/bin:/bin", agent.tools.display())),
        ("A_SECRET", prey::SECRET),
    ] {
        shell.env(name, value);
    }
    if path.starts_with("actions/") {
        shell.env("JUJU_ACTION_NAME", "attempt");
        shell.env("JUJU_ACTION_UUID", "1");
    }
    Ok(shell.status().context("cannot run dispatch")?.code())
}
