//! Parameters, results and progress of an action.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::bindings::actions as wit;
use crate::error::ModelResult;
use crate::{ActionEvent, Error, ErrorKind, Result, normalise};

impl ActionEvent {
    /// Reads the parameters into a struct of the charm: each field is the
    /// parameter with its name, with `-` for `_`.
    #[track_caller]
    pub fn params<T: DeserializeOwned>(&self) -> Result<T> {
        let params = wit::params().model()?;
        let params: Map<String, Value> = serde_json::from_str(&params).map_err(unreadable)?;
        let document = normalise::Document {
            name: "the action's parameters",
            entry: "parameter",
        };
        normalise::deserialise(&document, params, |_| None)
    }

    /// Reads the parameters like [`ActionEvent::params`]. If a value does not fit its
    /// field, fails the action with the reason, and ends the dispatch.
    #[track_caller]
    pub fn params_or_fail<T: DeserializeOwned>(&self) -> Result<T> {
        self.params().or_else(|error| match error.kind() {
            ErrorKind::InvalidValue => {
                self.fail(format!("Error in action parameters: {error}"))?;
                Err(Error::abort())
            }
            _ => Err(error),
        })
    }

    /// Adds results: anything that serialises to a map. Nested maps are joined
    /// with dots.
    #[track_caller]
    pub fn set_results(&self, results: impl Serialize) -> Result<()> {
        match serde_json::to_string(&results) {
            Ok(results) => wit::set_results(&results).model(),
            Err(error) => Err(Error::invalid(format!(
                "cannot set the action's results: {error}"
            ))),
        }
    }

    /// Shows a line of progress to the operator immediately.
    #[track_caller]
    pub fn log(&self, message: impl AsRef<str>) -> Result<()> {
        wit::log(message.as_ref()).model()
    }

    /// Marks the action as failed. The handler continues.
    #[track_caller]
    pub fn fail(&self, message: impl AsRef<str>) -> Result<()> {
        wit::fail(message.as_ref()).model()
    }
}

#[track_caller]
fn unreadable(error: serde_json::Error) -> Error {
    let message = format!("cannot read the action's parameters: {error}");
    Error::with_code("unexpected-output", message)
}
