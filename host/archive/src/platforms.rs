//! `base` and `platforms` of `charmcraft.yaml` (`archive §4`, `archive §7`).

use serde_json::{Map, Value};

use crate::problems::Problems;

/// Juju's architectures, by their Debian names.
const ARCHITECTURES: [&str; 7] = [
    "amd64", "arm64", "armhf", "i386", "ppc64el", "riscv64", "s390x",
];

/// One archive to be packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The label in `charmcraft.yaml`, for example `amd64` or `ubuntu@24.04:arm64`.
    pub label: String,
    /// The operating system's name in the manifest, always `ubuntu`.
    pub base: String,
    /// The operating system's version, for example `24.04`.
    pub channel: String,
    /// The Debian name of the architecture, for example `amd64`.
    pub architecture: String,
}

/// Reads the platforms, in their order.
pub fn read(charmcraft: &Map<String, Value>, problems: &mut Problems) -> Vec<Platform> {
    let base = match charmcraft.get("base") {
        None | Some(Value::Null) => None,
        Some(value) => match problems.string("base", value) {
            Some(text) => Some(text),
            None => return Vec::new(),
        },
    };
    let Some(platforms) = charmcraft.get("platforms") else {
        problems.add(
            "cannot tell what to pack for: charmcraft.yaml has no `platforms`; \
             write `platforms: {amd64: }`",
        );
        return Vec::new();
    };
    let Some(platforms) = problems.map("platforms", platforms) else {
        return Vec::new();
    };
    if platforms.is_empty() {
        problems.add("cannot tell what to pack for: `platforms` is empty; write `amd64:` under it");
    }
    let mut read: Vec<Platform> = Vec::new();
    for (label, value) in platforms {
        match platform(label, value, base) {
            Err(problem) => problems.add(format!("cannot use the platform `{label}`: {problem}")),
            Ok(new) => {
                if let Some(old) = read.iter().find(|old| old.architecture == new.architecture) {
                    problems.add(format!(
                        "cannot pack both platforms `{}` and `{label}`: both are for {}, and \
                         a charm has one archive for each architecture; keep one",
                        old.label, new.architecture
                    ));
                }
                read.push(new);
            }
        }
    }
    read
}

fn platform(label: &str, value: &Value, base: Option<&str>) -> Result<Platform, String> {
    if label == "any" || label == "all" {
        return Err("the name is reserved; name an architecture, such as amd64".into());
    }
    let target = build_for(label, value)?;
    let (own_base, architecture) = match target.rsplit_once(':') {
        Some((own_base, architecture)) => (Some(own_base), architecture),
        None => (None, target),
    };
    if own_base.is_some() && base.is_some() {
        return Err(format!(
            "`{target}` has a base, and so does the key `base`; remove one of them"
        ));
    }
    let base = own_base
        .or(base)
        .ok_or("it has no base; write `base: ubuntu@24.04` at the top")?;
    let (base, channel) = split_base(base)?;
    Ok(Platform {
        label: label.to_owned(),
        base,
        channel,
        architecture: known_architecture(architecture)?,
    })
}

/// The value of a platform's `build-for`, or else its label.
fn build_for<'a>(label: &'a str, value: &'a Value) -> Result<&'a str, String> {
    let map = match value {
        Value::Null => return Ok(label),
        Value::Object(map) => map,
        _ => return Err("it must be empty, or a map with `build-on` and `build-for`".into()),
    };
    if let Some(key) = map
        .keys()
        .find(|key| *key != "build-on" && *key != "build-for")
    {
        return Err(format!(
            "it has the key `{key}`, and only `build-on` and `build-for` have a meaning"
        ));
    }
    if !matches!(
        map.get("build-on"),
        Some(Value::String(_) | Value::Array(_))
    ) {
        return Err("it has no `build-on`; write `build-on: [amd64]`".into());
    }
    let one = match map.get("build-for") {
        None | Some(Value::Null) => return Ok(label),
        Some(Value::Array(list)) => match list.as_slice() {
            [one] => one,
            _ => return Err("`build-for` must name one architecture".into()),
        },
        Some(one) => one,
    };
    one.as_str()
        .ok_or_else(|| "`build-for` must name one architecture".into())
}

fn split_base(base: &str) -> Result<(String, String), String> {
    let is_version = |text: &str| {
        text.split_once('.').is_some_and(|(year, month)| {
            [year, month]
                .iter()
                .all(|part| part.len() == 2 && part.chars().all(|c| c.is_ascii_digit()))
        })
    };
    match base.split_once('@') {
        Some(("ubuntu", channel)) if is_version(channel) => {
            Ok(("ubuntu".into(), channel.to_owned()))
        }
        Some(("ubuntu", channel)) => Err(format!(
            "the base `ubuntu@{channel}` has no released version; write `ubuntu@24.04`"
        )),
        _ => Err(format!(
            "Juju cannot read charms with the base `{base}`; write `ubuntu@24.04`"
        )),
    }
}

fn known_architecture(name: &str) -> Result<String, String> {
    match name {
        "all" => Err(
            "Juju rejects charms for the architecture `all`; list the architectures, \
             such as amd64 and arm64"
                .into(),
        ),
        _ if ARCHITECTURES.contains(&name) => Ok(name.to_owned()),
        _ => Err(format!(
            "`{name}` is not one of Juju's architectures; use one of {}",
            ARCHITECTURES.join(", ")
        )),
    }
}
