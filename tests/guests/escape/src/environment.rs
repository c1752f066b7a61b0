//! What the process of the host has from its agent.

use std::io::Read;

use crate::attempt::*;

const GUARD: &str = "environment";

const ANY: &[&str] = &["none", "environment", "operator"];

/// Juju's variables that would let a guest speak to the agent by itself.
const WITHHELD: [&str; 4] = [
    "JUJU_AGENT_SOCKET_ADDRESS",
    "JUJU_AGENT_SOCKET_NETWORK",
    "JUJU_AGENT_TOKEN",
    "JUJU_CONTEXT_ID",
];

/// Whether a guest may have a variable: one of Juju's that is no secret, or the
/// one that is granted.
fn is_open(name: &str) -> bool {
    let is_juju = name.starts_with("JUJU_") && !WITHHELD.contains(&name);
    is_juju || name == "CLOUD_API_VERSION" || name == "GRANTED"
}

pub const ATTEMPTS: &[Attempt] = &[
    way("environment", ANY, GUARD, |_| {
        let others = std::env::vars().filter(|(name, _)| !is_open(name));
        let names: Vec<_> = others.map(|(name, _)| name).collect();
        match names.is_empty() {
            true => held("no other variables"),
            false => Ok(names.join(" ")),
        }
    }),
    way("read-variable", ANY, GUARD, |_| {
        Ok(std::env::var("A_SECRET")?)
    }),
    way("read-variable-of-the-agent", ANY, GUARD, |_| {
        Ok(std::env::var("JUJU_AGENT_SOCKET_ADDRESS")?)
    }),
    way("read-token-of-the-agent", ANY, GUARD, |_| {
        Ok(std::env::var("JUJU_AGENT_TOKEN")?)
    }),
    way("read-id-of-the-context", ANY, GUARD, |_| {
        Ok(std::env::var("JUJU_CONTEXT_ID")?)
    }),
    way("read-arguments", ANY, GUARD, |_| {
        let args: Vec<_> = std::env::args().collect();
        match args.is_empty() {
            true => held("no arguments"),
            false => Ok(args.join(" ")),
        }
    }),
    way("read-input", ANY, GUARD, |_| {
        let mut text = String::new();
        match std::io::stdin().read_to_string(&mut text)? {
            0 => held("nothing to read"),
            _ => Ok(text),
        }
    }),
];
