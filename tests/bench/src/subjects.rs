//! What is measured.

use std::path::{Path, PathBuf};

use crate::agent::Agent;

/// A program that handles `update-status`.
pub struct Subject {
    pub name: &'static str,
    pub command: Vec<String>,
    pub dir: PathBuf,
    pub vars: Vec<(String, String)>,
}

/// Ours first, then the baselines.
pub fn all(root: &Path, agent: &Agent) -> anyhow::Result<Vec<Subject>> {
    let charm = build(root)?;
    let python = root.join("tests/bench/python");
    let programs = root.join("target/bench-programs");
    let text = |path: &Path| path.display().to_string();
    let interpreter = text(&root.join("target/ops-venv/bin/python"));
    let compiled = text(&charm.join("charm.cwasm"));
    let subject = |name, command: Vec<String>, dir: &Path| Subject {
        name,
        command,
        dir: dir.to_path_buf(),
        vars: vars(agent, dir),
    };
    Ok(vec![
        subject(
            "charms/hello on charmhost",
            vec![text(&charm.join("dispatch"))],
            &charm,
        ),
        subject(
            "Python ops 3.9",
            vec![interpreter, "src/charm.py".to_owned()],
            &python,
        ),
        subject(
            "bare wasmtime",
            vec![text(&programs.join("bare")), compiled],
            &charm,
        ),
        subject(
            "native Rust program",
            vec![text(&programs.join("native"))],
            &charm,
        ),
    ])
}

/// Builds `charms/hello` as it ships, with its metadata beside it.
fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let charm = charmhost_tests::build("charms/hello", "bench-charm")?;
    for name in ["metadata.yaml", "actions.yaml", "config.yaml"] {
        std::fs::copy(root.join("tests/bench/python").join(name), charm.join(name))?;
    }
    Ok(charm)
}

/// The environment that Juju gives.
pub fn vars(agent: &Agent, dir: &Path) -> Vec<(String, String)> {
    let path = format!("{}:/usr/bin:/bin", agent.tools.display());
    let pairs = [
        ("JUJU_DISPATCH_PATH", "hooks/update-status".to_owned()),
        ("JUJU_HOOK_NAME", "update-status".to_owned()),
        ("JUJU_CHARM_DIR", dir.display().to_string()),
        (
            "JUJU_CONTEXT_ID",
            "hello/0-update-status-0123456789abcdef".to_owned(),
        ),
        (
            "JUJU_AGENT_SOCKET_ADDRESS",
            agent.socket.display().to_string(),
        ),
        ("JUJU_AGENT_SOCKET_NETWORK", "unix".to_owned()),
        ("JUJU_UNIT_NAME", "hello/0".to_owned()),
        ("JUJU_MODEL_NAME", "model".to_owned()),
        (
            "JUJU_MODEL_UUID",
            "9c4d1f1e-4b5a-4d0a-8a0c-6f0a3f3c8b1a".to_owned(),
        ),
        ("JUJU_VERSION", "3.6.28".to_owned()),
        ("PATH", path),
        ("LANG", "C.UTF-8".to_owned()),
    ];
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
