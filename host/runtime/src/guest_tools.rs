//! Hook tools that a guest runs as they are (ops §7): the policy, files of the
//! guest's own tree, and the call.

use charmhost_hook_tools::{Denied, FileArgumentError, FileArguments, ToolError, ToolOutput};
use charmhost_sandbox::{HostMemoryExceeded, ReadError};

use crate::state::State;

/// Copies of a file in memory on its way to the agent, beside its content: as
/// base64, and in messages.
const COPIES: usize = 3;

/// Why a guest's call of a hook tool has no output.
pub(crate) enum GuestToolError {
    /// The policy denies it.
    Denied(Denied),
    /// A file that its arguments name cannot be passed.
    File(String),
    /// The host would hold too much for the guest.
    Memory(HostMemoryExceeded),
    /// The tool was not run, or its end is not known.
    Tool(ToolError),
}

impl From<ReadError> for GuestToolError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::TooLarge { limit, .. } => GuestToolError::Memory(limit),
            ReadError::Unreadable { .. } => GuestToolError::File(error.to_string()),
        }
    }
}

impl State {
    /// Whether a guest may run a hook tool, and Juju has it.
    pub fn has_hook_tool(&self, tool: &str) -> bool {
        self.charm.hook_tools.allows(tool) && self.charm.model.has_tool(tool)
    }

    /// Runs a hook tool for a guest. Files that its arguments name are read in the
    /// guest's own tree.
    ///
    /// # Errors
    ///
    /// What the policy denies is logged.
    pub fn run_hook_tool(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, GuestToolError> {
        if let Err(denied) = self.charm.hook_tools.check(tool, args) {
            let what = format!("running {tool}: {}", denied.reason);
            self.sandbox.denials().add(&what, denied.grant.as_deref());
            return Err(GuestToolError::Denied(denied));
        }
        self.charm.model.note_reboot(tool);
        // Memory counts until the tool has ended.
        let (mut contents, mut held) = (Vec::new(), Vec::new());
        let call = FileArguments::read(tool, args, |path| {
            let mut view = self.sandbox.files(&mut self.table, &mut self.charm);
            let mut content = view.read(path)?;
            let copies = content.bytes.len().saturating_mul(COPIES);
            held.push(
                self.memory
                    .reserve(copies)
                    .map_err(GuestToolError::Memory)?,
            );
            let bytes = std::mem::take(&mut content.bytes);
            contents.push(content);
            Ok(bytes)
        });
        let call = call.map_err(|error| match error {
            FileArgumentError::Read(error) => error,
            FileArgumentError::Repeated(flag) => {
                GuestToolError::File(format!("{flag} is given more than once"))
            }
        })?;
        let model = &mut self.charm.model;
        let output = match call {
            Some(call) => {
                let stdin = call.stdin.or_else(|| stdin.map(<[u8]>::to_vec));
                model.run_with_files(tool, FileArguments { stdin, ..call })
            }
            None => model.run(tool, args, stdin),
        };
        output.map_err(GuestToolError::Tool)
    }
}
