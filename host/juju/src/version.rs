//! Versions of Juju (ops §16.8).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version of Juju: `3.6.28`, `3.6-beta2`, `4.1-beta2.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JujuVersion {
    major: u32,
    minor: u32,
    tag: String,
    patch: u32,
    build: u32,
}

impl JujuVersion {
    /// The version that is assumed without `JUJU_VERSION` (ops §1).
    pub const UNKNOWN: JujuVersion = JujuVersion::release(0, 0, 0);

    /// Returns the version of a release.
    pub const fn release(major: u32, minor: u32, patch: u32) -> Self {
        JujuVersion {
            major,
            minor,
            patch,
            tag: String::new(),
            build: 0,
        }
    }

    fn key(&self) -> (u32, u32, bool, &str, u32, u32) {
        // A tagged version precedes the release of the same number.
        (
            self.major,
            self.minor,
            self.tag.is_empty(),
            &self.tag,
            self.patch,
            self.build,
        )
    }
}

impl Default for JujuVersion {
    fn default() -> Self {
        JujuVersion::UNKNOWN
    }
}

impl Ord for JujuVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for JujuVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn number(text: &str) -> Option<u32> {
    let valid = (1..=9).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

impl FromStr for JujuVersion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        parse(text.strip_suffix('\n').unwrap_or(text)).ok_or(())
    }
}

fn parse(text: &str) -> Option<JujuVersion> {
    let (major, rest) = text.split_once('.')?;
    let end = rest.find(['.', '-']).unwrap_or(rest.len());
    let (minor, rest) = rest.split_at_checked(end)?;
    let mut version = JujuVersion {
        major: number(major)?,
        minor: number(minor)?,
        ..JujuVersion::UNKNOWN
    };
    let patch_and_build = if let Some(tagged) = rest.strip_prefix('-') {
        let digits = tagged.find(|c: char| !c.is_ascii_lowercase())?;
        let (tag, rest) = tagged.split_at_checked(digits)?;
        version.tag = Some(tag).filter(|tag| !tag.is_empty())?.to_owned();
        rest
    } else {
        match rest.strip_prefix('.') {
            None => return Some(version),
            Some(rest) => rest,
        }
    };
    match patch_and_build.split_once('.') {
        None => version.patch = number(patch_and_build)?,
        Some((patch, build)) => {
            version.patch = number(patch)?;
            version.build = number(build)?;
        }
    }
    Some(version)
}

impl fmt::Display for JujuVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        match self.tag.as_str() {
            "" => write!(f, ".{}", self.patch)?,
            tag => write!(f, "-{tag}{}", self.patch)?,
        }
        match self.build {
            0 => Ok(()),
            build => write!(f, ".{build}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_parsed_and_printed() {
        for (text, wanted) in [
            ("3.6.28", "3.6.28"),
            ("3.6", "3.6.0"),
            ("3.6-beta2", "3.6-beta2"),
            ("4.1-beta2.1", "4.1-beta2.1"),
            ("3.1.6.4", "3.1.6.4"),
            ("3.6.1\n", "3.6.1"),
        ] {
            assert_eq!(text.parse::<JujuVersion>().unwrap().to_string(), wanted);
        }
        for text in [
            "",
            "3",
            "v3.6",
            "3.6.1-rc1",
            "3.x",
            "3.6.",
            "3.6-2",
            "3.6.1.2.3",
            "3.1234567890",
        ] {
            assert!(text.parse::<JujuVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_beta_precedes_its_release() {
        let sorted = [
            "2.9.51",
            "3.6-beta2",
            "3.6-rc1",
            "3.6.0",
            "3.6.0.1",
            "3.6.1",
            "4.0.0",
        ];
        let versions: Vec<JujuVersion> = sorted.iter().map(|text| text.parse().unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b));
    }
}
