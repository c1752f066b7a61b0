//! Every hook tool as a program, for charms that start programs: run through a
//! link with the name of a tool, this program is that tool.
//!
//! It calls the agent as Juju's tools do: the exit code and the output are the
//! tool's, standard input is read only if the tool reads it, and an agent that
//! cannot be reached is exit code 1.

use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use charmhost_error_chain::ErrorChain;
use charmhost_jujuc::{Address, Call, Connection, Error, Reply};

fn main() -> ExitCode {
    match run() {
        Ok(reply) => {
            // A stream that is closed must not change the exit code.
            let _ = std::io::stdout().write_all(&reply.stdout);
            let _ = std::io::stderr().write_all(&reply.stderr);
            ExitCode::from(u8::try_from(reply.code).unwrap_or(1))
        }
        Err(error) => {
            let line = format!("ERROR {}\n", error.chain());
            let _ = std::io::stderr().write_all(line.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Reply, Box<dyn std::error::Error>> {
    let var = |name: &str| std::env::var(name).map_err(|_| format!("{name} not set"));
    let context_id = var("JUJU_CONTEXT_ID")?;
    let network = std::env::var("JUJU_AGENT_SOCKET_NETWORK").unwrap_or("unix".to_owned());
    let address = Address::parse(&network, &var("JUJU_AGENT_SOCKET_ADDRESS")?)?;
    let dir = std::env::current_dir()?.display().to_string();
    let mut args = std::env::args_os();
    let started_as = args.next().unwrap_or_default();
    let started_as = started_as.to_string_lossy();
    let tool = started_as.rsplit('/').next().unwrap_or_default();
    let args: Vec<Vec<u8>> = args.map(OsStringExt::into_vec).collect();
    let mut connection = Connection::connect(&address)?;
    let call = Call {
        context_id: &context_id,
        dir: &dir,
        tool,
        args: &args,
        stdin: None,
    };
    match connection.call(&call) {
        Err(error) if error.requires_stdin() => {
            let mut stdin = Vec::new();
            std::io::stdin().read_to_end(&mut stdin)?;
            Ok(connection.call(&Call {
                stdin: Some(&stdin),
                ..call
            })?)
        }
        // The agent's message, which Juju's tools print unchanged.
        Err(Error::Rpc { message, .. }) => Err(message.into()),
        other => Ok(other?),
    }
}
