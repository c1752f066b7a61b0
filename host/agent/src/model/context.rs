//! Which kind of hook runs, and what is current in it.

use super::Action;

/// What is current in a hook: the default of some tools' flags.
#[derive(Debug, Clone, Default)]
pub enum Context {
    /// Nothing.
    #[default]
    Plain,
    /// A relation.
    Relation {
        id: u32,
        remote_app: Option<String>,
        remote_unit: Option<String>,
    },
    /// A storage instance, as `data/0`.
    Storage(String),
    /// An action.
    Action(Action),
}
