//! Why the controller rejects what an operator asks for.

/// A request of an operator that the controller rejects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A configuration option does not exist or cannot have the value.
    #[error("cannot set config {option:?}: {detail}")]
    Config {
        /// The option's name, as given.
        option: String,
        /// What is wrong with the name or the value.
        detail: String,
    },
    /// The model cannot be changed like this.
    #[error("{0}")]
    Model(String),
    /// The charm does not define the action, or not with these parameters.
    #[error("cannot run action {action:?}: {detail}")]
    Action {
        /// The action's name.
        action: String,
        /// Why.
        detail: String,
    },
}
