//! Versions of Juju, as far as the hook tools depend on them.

use std::fmt;

/// A version of Juju by its three numbers: `4.1-beta2.1` counts as 4.1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32, u32);

impl Version {
    /// Earlier than every version that exists.
    pub const OLDEST: Version = Version(0, 0, 0);

    /// A version by its numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Version(major, minor, patch)
    }

    /// Parses `JUJU_VERSION`. A number that cannot be parsed counts as 0.
    pub fn parse(text: &str) -> Self {
        let (release, tag) = text.split_once('-').unwrap_or((text, ""));
        let mut numbers = release
            .split('.')
            .map(|number| number.parse().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        let (major, minor, patch) = (next(), next(), next());
        // A number after a tag counts pre-releases: 4.1-beta2 precedes 4.1.0.
        Version(major, minor, if tag.is_empty() { patch } else { 0 })
    }

    /// The minor versions whose agents were tested with calls over their socket.
    /// Juju does not guarantee the socket's protocol; agents of other versions
    /// are first asked whether they speak it.
    pub(crate) const TESTED: [(u32, u32); 2] = [
        // 3.6.28: the agent's server and context, with every recorded call.
        (3, 6),
        // 4.1-beta2: the agent, with dispatches of real charms.
        (4, 1),
    ];

    /// Whether calls over the socket were tested with this minor version.
    pub fn is_tested(self) -> bool {
        Version::TESTED.contains(&(self.0, self.1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_parsed_by_their_numbers() {
        for (text, wanted) in [
            ("3.6.28", (3, 6, 28)),
            ("4.1-beta2", (4, 1, 0)),
            ("4.1-beta2.1", (4, 1, 0)),
            ("4.0", (4, 0, 0)),
            ("3.6.1.2", (3, 6, 1)),
            ("three", (0, 0, 0)),
            ("", (0, 0, 0)),
        ] {
            let (major, minor, patch) = wanted;
            assert_eq!(
                Version::parse(text),
                Version::new(major, minor, patch),
                "{text}"
            );
        }
        assert!(Version::parse("4.1-beta2.1").is_tested());
        assert!(!Version::parse("9.0.1").is_tested());
    }
}
