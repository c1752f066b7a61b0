//! Versions of Juju.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A version of Juju, ordered as ops orders it: a tagged version, for example
/// `3.7-beta2`, comes before the one without a tag.
///
/// ```
/// # use charmhost::JujuVersion;
/// let version: JujuVersion = "3.6.4".parse()?;
/// assert!(version >= "3.6" && version < "3.10.0");
/// assert!(version.has_secrets());
/// # Ok::<(), charmhost::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct JujuVersion {
    /// The 3 of `3.7-beta2.1`.
    pub major: u32,
    /// The 7 of `3.7-beta2.1`.
    pub minor: u32,
    /// The `beta` of `3.7-beta2.1`; empty for a release.
    pub tag: String,
    /// The 2 of `3.7-beta2.1`.
    pub patch: u32,
    /// The 1 of `3.7-beta2.1`.
    pub build: u32,
}

impl JujuVersion {
    const fn release(major: u32, minor: u32, patch: u32) -> Self {
        JujuVersion {
            major,
            minor,
            tag: String::new(),
            patch,
            build: 0,
        }
    }

    fn is_from(&self, major: u32, minor: u32, patch: u32) -> bool {
        *self >= JujuVersion::release(major, minor, patch)
    }

    /// Whether applications have databags.
    pub fn has_app_data(&self) -> bool {
        self.is_from(2, 7, 0)
    }

    /// Whether Juju starts `dispatch`.
    pub fn is_dispatch_aware(&self) -> bool {
        self.is_from(2, 8, 0)
    }

    /// Whether state can be saved with Juju: `storage = "juju"`.
    pub fn has_controller_storage(&self) -> bool {
        self.is_from(2, 8, 0)
    }

    /// Whether there are secrets.
    pub fn has_secrets(&self) -> bool {
        self.is_from(3, 0, 3)
    }

    /// Whether ports can be opened on Kubernetes.
    pub fn supports_open_port_on_k8s(&self) -> bool {
        self.is_from(3, 0, 3)
    }

    /// Whether a command can run in the context of a service.
    pub fn supports_exec_service_context(&self) -> bool {
        self.is_from(3, 1, 6) && *self != JujuVersion::release(3, 2, 0)
    }

    /// Whether Pebble forwards logs.
    pub fn supports_pebble_log_forwarding(&self) -> bool {
        self.is_from(3, 4, 0)
    }

    /// Whether Pebble has identities.
    pub fn supports_pebble_identities(&self) -> bool {
        self.is_from(3, 6, 4)
    }

    /// Whether Pebble has metrics.
    pub fn supports_pebble_metrics(&self) -> bool {
        self.is_from(3, 6, 4)
    }
}

impl FromStr for JujuVersion {
    type Err = Error;

    #[track_caller]
    fn from_str(text: &str) -> Result<Self, Error> {
        match parse(text) {
            Some(version) => Ok(version),
            None => Err(Error::invalid(format!(
                "cannot read {text:?} as a version of Juju: it is not of the form 3.6.4, 3.7-beta2 or 3.6.4.1"
            ))),
        }
    }
}

/// `major.minor`, then `.patch` or `-tagpatch`, then `.build` (ops §16.8).
fn parse(text: &str) -> Option<JujuVersion> {
    let (major, rest) = text.split_once('.')?;
    let (minor, rest) = split_digits(rest);
    let (tag, patch, rest) = match rest.strip_prefix('-') {
        Some(rest) => {
            let letters = rest.find(|c: char| !c.is_ascii_lowercase())?;
            let (tag, rest) = rest.split_at(letters);
            let (patch, rest) = split_digits(rest);
            (tag, patch, rest)
        }
        None => match rest.strip_prefix('.') {
            Some(rest) => {
                let (patch, rest) = split_digits(rest);
                ("", patch, rest)
            }
            None => ("", "0", rest),
        },
    };
    let build = match rest {
        "" => "0",
        rest => rest.strip_prefix('.')?,
    };
    let is_tagged = text.contains('-');
    Some(JujuVersion {
        major: number(major)?,
        minor: number(minor)?,
        tag: (!is_tagged || !tag.is_empty()).then(|| tag.to_owned())?,
        patch: number(patch)?,
        build: number(build)?,
    })
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// A number of 1 to 9 digits.
fn number(digits: &str) -> Option<u32> {
    let is_number = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

impl Ord for JujuVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        // A release comes after all of its tags.
        let tag = |version: &Self| (version.tag.is_empty(), version.tag.clone());
        let key = |version: &Self| (version.major, version.minor);
        key(self)
            .cmp(&key(other))
            .then_with(|| tag(self).cmp(&tag(other)))
            .then_with(|| (self.patch, self.build).cmp(&(other.patch, other.build)))
    }
}

impl PartialOrd for JujuVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether it is the version that the text has; text that is no version equals none.
impl PartialEq<&str> for JujuVersion {
    fn eq(&self, other: &&str) -> bool {
        parse(other).is_some_and(|other| *self == other)
    }
}

impl PartialOrd<&str> for JujuVersion {
    fn partial_cmp(&self, other: &&str) -> Option<Ordering> {
        Some(self.cmp(&parse(other)?))
    }
}

impl fmt::Display for JujuVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JujuVersion {
            major,
            minor,
            tag,
            patch,
            build,
        } = self;
        match tag.as_str() {
            "" => write!(f, "{major}.{minor}.{patch}")?,
            tag => write!(f, "{major}.{minor}-{tag}{patch}")?,
        }
        match build {
            0 => Ok(()),
            build => write!(f, ".{build}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_every_form() {
        for (text, wanted) in [
            ("3.6", Some("3.6.0")),
            ("3.6.4", Some("3.6.4")),
            ("3.6.4.1", Some("3.6.4.1")),
            ("3.7-beta2", Some("3.7-beta2")),
            ("3.7-beta2.5", Some("3.7-beta2.5")),
            ("3", None),
            ("3.", None),
            ("3.6.", None),
            ("3.6.4.", None),
            ("3.6.4.1.2", None),
            ("3.7-2", None),
            ("3.7-beta", None),
            ("3.7-Beta2", None),
            ("3.1234567890", None),
            ("+3.6.4", None),
            ("3.6.4 ", None),
        ] {
            let read = text.parse::<JujuVersion>().ok();
            assert_eq!(read.map(|v| v.to_string()).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn versions_are_ordered_with_tags_before_releases() {
        let ascending = [
            "2.9.49",
            "3.6-alpha1",
            "3.6-beta1",
            "3.6-beta2",
            "3.6-beta2.1",
            "3.6.0",
            "3.6.4",
            "3.6.4.1",
            "3.10.0",
        ];
        for pair in ascending.windows(2) {
            let [lower, higher] = pair else { continue };
            let version: JujuVersion = lower.parse().unwrap();
            assert!(version < *higher, "{lower} {higher}");
            assert!(version == *lower && version != *higher);
        }
    }

    #[test]
    fn features_come_with_their_versions() {
        type Gate = fn(&JujuVersion) -> bool;
        let table: [(Gate, &[&str], &[&str]); 9] = [
            (JujuVersion::has_app_data, &["2.7.0"], &["2.6.10"]),
            (JujuVersion::is_dispatch_aware, &["2.8.0"], &["2.7.8"]),
            (JujuVersion::has_controller_storage, &["2.8.0"], &["2.7.8"]),
            (JujuVersion::has_secrets, &["3.0.3"], &["3.0.2", "0.0.0"]),
            (
                JujuVersion::supports_open_port_on_k8s,
                &["3.0.3"],
                &["3.0.2"],
            ),
            (
                JujuVersion::supports_exec_service_context,
                &["3.1.6", "3.2.2", "3.3.0"],
                &["3.1.5", "3.2.0"],
            ),
            (
                JujuVersion::supports_pebble_log_forwarding,
                &["3.4.0"],
                &["3.3.9", "3.4-beta1"],
            ),
            (
                JujuVersion::supports_pebble_identities,
                &["3.6.4"],
                &["3.6.3"],
            ),
            (JujuVersion::supports_pebble_metrics, &["3.6.4"], &["3.6.3"]),
        ];
        for (number, (gate, from, before)) in table.iter().enumerate() {
            for (texts, wanted) in [(from, true), (before, false)] {
                for text in texts.iter() {
                    assert_eq!(gate(&text.parse().unwrap()), wanted, "{number} {text}");
                }
            }
        }
    }
}
