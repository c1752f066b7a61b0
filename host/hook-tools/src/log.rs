//! The levels of Juju's log (ops §20.1).

/// The level of a log line; a later one is more important.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant is the level of its name")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Level {
    /// Every level, in this order.
    pub const ALL: [Level; 6] = [
        Level::Trace,
        Level::Debug,
        Level::Info,
        Level::Warning,
        Level::Error,
        Level::Critical,
    ];

    /// Returns the level of a name in any case, also of `WARN` (juju §3.3).
    pub fn from_name(name: &str) -> Option<Self> {
        let name = match name.to_uppercase() {
            name if name == "WARN" => Level::Warning.as_str().to_owned(),
            name => name,
        };
        Level::ALL.into_iter().find(|level| level.as_str() == name)
    }

    /// Returns the name that Juju uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_in_any_case() {
        for level in Level::ALL {
            assert_eq!(Level::from_name(level.as_str()), Some(level));
        }
        assert_eq!(Level::from_name("warn"), Some(Level::Warning));
        assert_eq!(Level::from_name("notice"), None);
    }
}
