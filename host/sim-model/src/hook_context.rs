//! The subject of a hook.

use crate::action::Action;

/// The subject of a hook: the default of some tools' flags (juju §3.1).
#[derive(Debug, Clone, Default)]
pub enum HookContext {
    /// The unit as a whole.
    #[default]
    Plain,
    /// A relation.
    Relation {
        /// Its id.
        id: u32,
        /// The remote application.
        remote_app: Option<String>,
        /// The remote unit.
        remote_unit: Option<String>,
    },
    /// A storage instance, for example `data/0`.
    Storage(String),
    /// An action.
    Action(Action),
}
