//! Versions of Juju, as far as the hook tools depend on them.

use std::fmt;

/// A version of Juju by its three numbers: `4.1-beta2.1` counts as 4.1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32, u32);

impl Version {
    /// Before every version that exists.
    pub(crate) const OLDEST: Version = Version(0, 0, 0);

    /// A version by its numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Version(major, minor, patch)
    }

    /// Reads `JUJU_VERSION`. A number that cannot be read counts as 0.
    pub fn parse(text: &str) -> Self {
        let (release, tag) = text.split_once('-').unwrap_or((text, ""));
        let mut numbers = release
            .split('.')
            .map(|number| number.parse().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        let (major, minor, patch) = (next(), next(), next());
        // What follows a tag counts within it: 4.1-beta2 is before 4.1.0.
        Version(major, minor, if tag.is_empty() { patch } else { 0 })
    }

    /// The agents with which calls over their socket were seen to work: the
    /// socket's protocol is not promised by Juju, and may change with a minor
    /// version. Of others the transport first asks whether they speak it.
    pub(crate) const SEEN: [(u32, u32); 2] = [
        // 3.6.28: server and context of the agent, every call of the corpus.
        (3, 6),
        // 4.1-beta2: the agent, with dispatches of real charms.
        (4, 1),
    ];

    /// Whether calls over the socket were seen to work with its minor version.
    pub fn is_seen(self) -> bool {
        Version::SEEN.contains(&(self.0, self.1))
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
    fn versions_are_read_by_their_numbers() {
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
        assert!(Version::parse("4.1-beta2.1").is_seen());
        assert!(!Version::parse("9.0.1").is_seen());
    }
}
