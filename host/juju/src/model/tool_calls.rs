//! Running hook tools (ops §7), and what their failures become (ops §8).
//!
//! Nothing is cached here: each call runs a tool.

use charmhost_hook_tools::{
    FileArguments, MAX_ARGUMENT, PrivateFile, Subject, ToolError, ToolOutput, is_secret_value,
    names_file, tool,
};
use serde_json::Value;

use super::Model;

impl Model {
    /// Runs any hook tool. A tool that ran and failed is an output.
    ///
    /// Which tools a guest may run is decided elsewhere
    /// ([`charmhost_hook_tools::Policy`]); but no call at all may contain a
    /// value that the agent reads as a flag and opens a file for.
    ///
    /// # Errors
    ///
    /// For a NUL byte, an argument that names a file, or one longer than
    /// [`MAX_ARGUMENT`]; else those of
    /// [`Transport::run`](charmhost_hook_tools::Transport::run).
    pub fn run(
        &mut self,
        tool: &str,
        args: &[String],
        stdin: Option<&[u8]>,
    ) -> Result<ToolOutput, ToolError> {
        check(tool, args)?;
        if let Some(arg) = names_file(tool, args) {
            return Err(ToolError::opens_file(tool, &arg));
        }
        self.transport.run(tool, args, stdin)
    }

    /// [`Model::run`] with the content of files that the arguments name: what is
    /// not in the arguments or the input is passed by private files.
    ///
    /// # Errors
    ///
    /// Also for a private file that cannot be created.
    pub fn run_with_files(
        &mut self,
        tool: &str,
        call: FileArguments,
    ) -> Result<ToolOutput, ToolError> {
        let FileArguments {
            mut args,
            stdin,
            files,
        } = call;
        if files.is_empty() {
            return self.run(tool, &args, stdin.as_deref());
        }
        check(tool, &args)?;
        let mut paths: Vec<PrivateFile> = Vec::new();
        for file in files {
            let created = self.private_files.create(&file.content);
            let created = created.map_err(|error| ToolError::failed_to_pass(tool, &error))?;
            if let Some(arg) = args.get_mut(file.at) {
                *arg = format!("{}{}", file.prefix, created.path().display());
            }
            paths.push(created);
        }
        // Other arguments were read with these, and name no file.
        self.transport.run(tool, &args, stdin.as_deref())
    }

    /// Whether Juju has a hook tool. Runs nothing.
    pub fn has_tool(&self, tool: &str) -> bool {
        self.transport.has(tool)
    }

    /// Runs a tool and returns what it printed; its failure is an error.
    pub(super) fn call(&mut self, tool: &str, args: &[&str]) -> Result<Vec<u8>, ToolError> {
        self.call_with_input(tool, args, None)
    }

    /// [`Model::call`] for a tool that reads its standard input.
    pub(super) fn call_with_input(
        &mut self,
        tool: &str,
        args: &[&str],
        stdin: Option<&[u8]>,
    ) -> Result<Vec<u8>, ToolError> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let output = self.run(tool, &args, stdin)?;
        self.printed(tool, output)
    }

    /// [`Model::call`] with values of secrets after the arguments, made by
    /// [`secret_value`](charmhost_hook_tools::secret_value).
    pub(super) fn call_with_values(
        &mut self,
        tool: &str,
        mut args: Vec<String>,
        values: Vec<String>,
    ) -> Result<Vec<u8>, ToolError> {
        check(tool, &args)?;
        if let Some(arg) = names_file(tool, &args) {
            return Err(ToolError::opens_file(tool, &arg));
        }
        args.extend(values);
        let output = self.transport.run(tool, &args, None)?;
        self.printed(tool, output)
    }

    fn printed(&mut self, tool: &str, output: ToolOutput) -> Result<Vec<u8>, ToolError> {
        match output.code {
            0 => Ok(output.stdout),
            code => {
                if is_called_by_model(tool) {
                    self.note_refusal(tool, code, &output.stderr);
                }
                Err(ToolError::failed(tool, code, &output.stderr))
            }
        }
    }

    /// [`Model::call`] for a tool that prints JSON.
    pub(super) fn call_json(&mut self, tool: &str, args: &[&str]) -> Result<Value, ToolError> {
        let output = self.call(tool, args)?;
        serde_json::from_slice(&output).map_err(|error| {
            ToolError::unexpected(tool, format!("its output is not JSON: {error}"))
        })
    }
}

/// Rejects arguments that cannot be passed to a program.
fn check(tool: &str, args: &[String]) -> Result<(), ToolError> {
    if args.iter().any(|arg| arg.contains('\0')) {
        return Err(ToolError::invalid(tool, "an argument contains a NUL byte"));
    }
    // The socket has no such limit, but a charm must not depend on how its hook
    // tools are called (ops §7).
    let is_too_long = |arg: &&String| arg.len() > MAX_ARGUMENT && !is_secret_value(tool, arg);
    match args.iter().find(is_too_long) {
        Some(arg) => Err(ToolError::argument_too_long(tool, arg.len())),
        None => Ok(()),
    }
}

/// Whether ops calls the tool through its model: only then is a refusal a
/// security event (ops §8).
fn is_called_by_model(name: &str) -> bool {
    !tool(name)
        .is_some_and(|tool| tool.reboots || matches!(tool.subject, Subject::Log | Subject::State))
}

/// The error for output of another form than `wanted`.
pub(super) fn unexpected(tool: &str, wanted: &str, got: &Value) -> ToolError {
    ToolError::unexpected(tool, format!("its output is not {wanted}: {got}"))
}
