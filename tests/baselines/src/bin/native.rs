//! `charms/hello` at `update-status` as a native program: the same calls to
//! the agent, and nothing else.

use charmhost_jujuc::{Address, Call, Connection};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let var = |name: &str| std::env::var(name);
    let address = Address::parse("unix", &var("JUJU_AGENT_SOCKET_ADDRESS")?)?;
    let (context_id, dir) = (var("JUJU_CONTEXT_ID")?, var("JUJU_CHARM_DIR")?);
    let mut connection = Connection::connect(&address)?;
    for line in include_str!("../calls.txt").lines() {
        let mut words = line.split('\t').map(str::to_owned);
        let tool = words.next().unwrap_or_default();
        let args: Vec<String> = words.collect();
        connection.call(&Call {
            context_id: &context_id,
            dir: &dir,
            tool: &tool,
            args: &args,
            stdin: None,
        })?;
    }
    Ok(())
}
