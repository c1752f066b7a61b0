//! What the versions of the daemon have (`pebble §21`). The protocol cannot be asked
//! for it, except by the version.

use crate::{Client, Error};

/// The versions that have a function: `v1.MINOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needed {
    /// This one and later ones.
    Since(u32),
    /// Those before this one; with the function of later ones.
    Before(u32, &'static str),
}

impl Needed {
    /// Whether a version has the function; none for a version of another form, as a
    /// build from source may have.
    fn is_met_by(self, version: &str) -> Option<bool> {
        let mut parts = version.strip_prefix('v')?.split(['.', '-']);
        let major: u32 = parts.next()?.parse().ok()?;
        let minor: u32 = parts.next()?.parse().ok()?;
        Some(match self {
            Needed::Since(since) => (major, minor) >= (1, since),
            Needed::Before(before, _) => (major, minor) < (1, before),
        })
    }

    fn error(self, verb: &str, found: String) -> Error {
        let (needed, advice) = match self {
            Needed::Since(minor) => (
                format!("v1.{minor} and later"),
                "a newer Juju brings a newer Pebble",
            ),
            Needed::Before(minor, advice) => (format!("v1.{} and earlier", minor - 1), advice),
        };
        Error::Unsupported {
            message: format!(
                "cannot {verb}: Pebble {needed} can, and the container has {found}; {advice}"
            ),
            needed,
            found,
        }
    }
}

impl Client {
    /// Returns the result of a request; if the daemon rejected it because its version
    /// does not have the function, that error.
    pub(crate) async fn explain<T>(
        &self,
        needed: Needed,
        verb: &str,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        // Such a daemon does not know the path, the method, or the action.
        if !matches!(
            result,
            Err(Error::Api {
                status: 400 | 404 | 405 | 501,
                ..
            })
        ) {
            return result;
        }
        self.require(needed, verb).await.and(result)
    }

    /// Fails if the daemon's version does not have a function. For requests of which
    /// such a daemon ignores a part.
    pub(crate) async fn require(&self, needed: Needed, verb: &str) -> Result<(), Error> {
        let found = self.system_info().await?.version;
        match needed.is_met_by(&found) {
            Some(false) => Err(needed.error(verb, found)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        let since = Needed::Since(19);
        for (version, wanted) in [
            ("v1.18.0", Some(false)),
            ("v1.4.2", Some(false)),
            ("v0.99", Some(false)),
            ("v1.19.0", Some(true)),
            ("v1.100.0-dev", Some(true)),
            ("v1.19-rc1", Some(true)),
            ("v2.0.0", Some(true)),
            ("unknown", None),
            ("1.19", None),
            ("v", None),
        ] {
            assert_eq!(since.is_met_by(version), wanted, "{version}");
        }
        let before = Needed::Before(16, "use notices");
        assert_eq!(before.is_met_by("v1.15.9"), Some(true));
        assert_eq!(before.is_met_by("v1.16.0"), Some(false));
        let error = before.error("list warnings", "v1.26.0".to_owned());
        assert_eq!(
            error.to_string(),
            "cannot list warnings: Pebble v1.15 and earlier can, and the container has v1.26.0; use notices"
        );
    }
}
