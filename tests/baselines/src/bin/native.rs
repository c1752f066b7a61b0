//! One case of the benchmark as a native program: the calls to the agent that
//! charmhost makes in it, one after another, and nothing else.
//!
//! The calls are its argument, so that it reads no file: words are separated by
//! U+001F, a call's input is behind U+001D, and each call ends with U+001E.

use charmhost_jujuc::{Address, Call, Connection};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let calls = std::env::args().nth(1).ok_or("no calls to make")?;
    let var = |name: &str| std::env::var(name);
    let address = Address::parse("unix", &var("JUJU_AGENT_SOCKET_ADDRESS")?)?;
    let (context_id, dir) = (var("JUJU_CONTEXT_ID")?, var("JUJU_CHARM_DIR")?);
    let mut connection = Connection::connect(&address)?;
    for call in calls.split_terminator('\x1e') {
        let (call, stdin) = match call.split_once('\x1d') {
            Some((call, stdin)) => (call, Some(stdin.as_bytes())),
            None => (call, None),
        };
        let mut words = call.split('\x1f').map(str::to_owned);
        let tool = words.next().unwrap_or_default();
        let args: Vec<String> = words.collect();
        connection.call(&Call {
            context_id: &context_id,
            dir: &dir,
            tool: &tool,
            args: &args,
            stdin,
        })?;
    }
    Ok(())
}
