//! Files in the charm's directory that a guest cannot change: they decide which
//! code runs and under which settings.

/// What a guest may do in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    Writable,
    ReadOnly,
    /// In the charm's directory, protected from the guest.
    Protected,
}

/// Entries of the charm's directory that a guest can read but not change: the
/// code that Juju runs, the host's settings, and the charm's metadata.
const PROTECTED: [&str; 12] = [
    ".juju-charm",
    "actions",
    "actions.yaml",
    "charm.cwasm",
    "charmcraft.yaml",
    "charmhost.toml",
    "config.yaml",
    "dispatch",
    "hooks",
    "lxd-profile.yaml",
    "manifest.yaml",
    "metadata.yaml",
];

/// Prefixes of entries that are hidden from the guest: the local state with
/// SQLite's journals, and the host's directory.
const HIDDEN: [&str; 2] = [super::HOST_DIR, ".unit-state.db"];

/// Whether an entry of the charm's directory is protected.
pub(super) fn is_protected(name: &str) -> bool {
    PROTECTED.contains(&name)
}

/// Whether an entry of the charm's directory is hidden.
pub(super) fn is_hidden(name: &str) -> bool {
    HIDDEN.iter().any(|hidden| {
        let rest = name.strip_prefix(hidden);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

/// Why a guest cannot open a hidden entry, for the log line of its denial.
pub(super) fn why_hidden(name: &str) -> &'static str {
    match name == super::HOST_DIR {
        true => "the host's own files are not accessible to a charm",
        false => {
            "a charm has access to the unit's state through its interface only (charmhost:store/store)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_protected_and_the_state_hidden() {
        for (name, protected, hidden) in [
            ("dispatch", true, false),
            ("charm.cwasm", true, false),
            ("hooks", true, false),
            ("hooks2", false, false),
            ("Dispatch", false, false),
            (".charmhost", false, true),
            (".charmhost.toml", false, false),
            (".unit-state.db", false, true),
            (".unit-state.db-journal", false, true),
            (".unit-state.db-wal", false, true),
            (".unit-state.db.txt", false, false),
        ] {
            assert_eq!(is_protected(name), protected, "{name}");
            assert_eq!(is_hidden(name), hidden, "{name}");
        }
    }
}
