//! What the process of the host has from its agent.

use std::io::Read;

use crate::attempt::*;

const GUARD: &str = "environment";

const ANY: &[&str] = &["none", "environment", "operator"];

pub const ATTEMPTS: &[Attempt] = &[
    way("environment", ANY, GUARD, |_| {
        let others = std::env::vars().filter(|(name, _)| name != "GRANTED");
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
