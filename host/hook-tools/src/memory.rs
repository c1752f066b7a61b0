//! Hook tools in the same process.

use crate::table;
use crate::tool_error::ToolError;
use crate::transport::{ToolOutput, Transport};

/// Answers every call by a function: for tests, and for running a charm without
/// an agent.
pub struct MemoryTransport<F>(pub F);

impl<F> Transport for MemoryTransport<F>
where
    F: FnMut(&str, &[String], Option<&[u8]>) -> Result<ToolOutput, ToolError> + Send,
{
    fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError> {
        (self.0)(tool, args, stdin)
    }

    /// Whether any known Juju has the tool.
    fn has(&self, tool: &str) -> bool {
        table::tool(tool).is_some()
    }
}
