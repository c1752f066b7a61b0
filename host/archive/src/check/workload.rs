//! Sections about the workload: containers, resources, storage and devices
//! (`archive §4`).

use serde_json::{Map, Value};

use crate::problems::{Problems, kind};

type Section<'a> = Option<&'a Map<String, Value>>;

/// User and group IDs that Juju reserves in a pod.
const JUJU_IDS: std::ops::Range<i64> = 1000..10_000;

/// Checks these sections of `metadata.yaml`, and references between them.
pub fn check(metadata: &Map<String, Value>, problems: &mut Problems) {
    let section = |key: &str| metadata.get(key).and_then(Value::as_object);
    let (resources, storage) = (section("resources"), section("storage"));
    for (name, value) in resources.into_iter().flatten() {
        resource(&format!("resources.{name}"), value, problems);
    }
    for (name, value) in storage.into_iter().flatten() {
        store(&format!("storage.{name}"), value, problems);
    }
    for (name, value) in section("containers").into_iter().flatten() {
        container(
            &format!("containers.{name}"),
            value,
            resources,
            storage,
            problems,
        );
    }
    for (name, value) in section("devices").into_iter().flatten() {
        device(&format!("devices.{name}"), value, problems);
    }
}

fn resource(field: &str, value: &Value, problems: &mut Problems) {
    let Some(map) = problems.map(field, value) else {
        return;
    };
    if field == "resources." {
        problems.add("cannot use a resource without a name; write one before the colon");
    }
    match map.get("type").and_then(Value::as_str) {
        Some("oci-image") => {}
        Some("file") => match map.get("filename").and_then(Value::as_str) {
            None if map.contains_key("filename") => {}
            None | Some("") => problems.add(format!(
                "cannot use `{field}`: a file needs a `filename`; write one"
            )),
            Some(name) if name.contains('/') => problems.add(format!(
                "cannot use `{field}.filename`: it must be a plain name, and {name:?} has a /"
            )),
            Some(_) => {}
        },
        _ => problems.add(format!(
            "cannot use `{field}`: its `type` must be oci-image or file"
        )),
    }
    for key in ["description", "filename"] {
        if let Some(value) = map.get(key) {
            problems.string(&format!("{field}.{key}"), value);
        }
    }
}

fn store(field: &str, value: &Value, problems: &mut Problems) {
    let Some(map) = problems.map(field, value) else {
        return;
    };
    let store_type = map.get("type").and_then(Value::as_str);
    if !matches!(store_type, Some("filesystem" | "block")) {
        problems.add(format!(
            "cannot use `{field}`: its `type` must be filesystem or block"
        ));
    }
    for key in ["description", "location", "minimum-size"] {
        if let Some(value) = map.get(key) {
            problems.string(&format!("{field}.{key}"), value);
        }
    }
    for key in ["shared", "read-only"] {
        if let Some(value) = map.get(key) {
            problems.boolean(&format!("{field}.{key}"), value);
        }
    }
    if store_type == Some("block") && map.contains_key("location") {
        problems.add(format!(
            "cannot use `{field}.location`: only storage of the type filesystem has one"
        ));
    }
    if let Some(size) = map.get("minimum-size").and_then(Value::as_str)
        && !is_size(size)
    {
        problems.add(format!(
            "cannot use `{field}.minimum-size`: {size:?} is not a size; write, for example, 1G or 512M"
        ));
    }
    if let Some(value) = map.get("properties") {
        properties(&format!("{field}.properties"), value, problems);
    }
    if let Some(value) = map.get("multiple") {
        multiple(&format!("{field}.multiple"), value, problems);
    }
}

fn properties(field: &str, value: &Value, problems: &mut Problems) {
    for value in problems.list(field, value).into_iter().flatten() {
        if value != "transient" {
            problems.add(format!(
                "cannot use `{field}`: it must be transient, and is {}",
                kind(value)
            ));
        }
    }
}

/// Whether a text is a size: a number of MiB, or with a unit.
fn is_size(text: &str) -> bool {
    let units = ['M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
    let number = text
        .strip_suffix("iB")
        .unwrap_or_else(|| text.strip_suffix('B').unwrap_or(text));
    let number = number.strip_suffix(units).unwrap_or(number);
    number.starts_with(|c: char| c.is_ascii_digit()) && number.parse::<f64>().is_ok()
}

/// Checks the range of the number of instances. Accepts only what both Juju, which
/// reads a bare number as one, and ops, which expects a string, can read.
fn multiple(field: &str, value: &Value, problems: &mut Problems) {
    let Some(map) = problems.map(field, value) else {
        return;
    };
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let is_count = |text: &str| digits(text) && text.contains(|c: char| c != '0');
    let fits = match map.get("range") {
        Some(Value::String(text)) => match text.split_once(['-', '+']) {
            Some((least, "")) => digits(least),
            Some((least, most)) => !text.contains('+') && digits(least) && is_count(most),
            None => is_count(text),
        },
        _ => false,
    };
    if !fits {
        problems.add(format!(
            "cannot use `{field}`: write `range: 1-3`, or `range: 2+` for no upper bound, or \
             `range: \"2\"` in quotes"
        ));
    }
}

fn container(
    field: &str,
    value: &Value,
    resources: Section,
    storage: Section,
    problems: &mut Problems,
) {
    let Some(map) = problems.map(field, value) else {
        return;
    };
    if map.contains_key("resource") && map.contains_key("bases") {
        problems.add(format!(
            "cannot use `{field}`: it has both `resource` and `bases`; keep one"
        ));
    }
    if let Some(value) = map.get("resource")
        && let Some(name) = problems.string(&format!("{field}.resource"), value)
    {
        let resource = resources.and_then(|resources| resources.get(name));
        match resource.map(|resource| resource.get("type").and_then(Value::as_str)) {
            Some(Some("oci-image")) => {}
            Some(_) => problems.add(format!(
                "cannot use `{field}.resource`: the resource `{name}` is not an oci-image"
            )),
            None => problems.add(format!(
                "cannot use `{field}.resource`: there is no resource `{name}`; write \
                 `{name}: {{type: oci-image}}` under `resources`"
            )),
        }
    }
    for key in ["uid", "gid"] {
        if let Some(value) = map.get(key)
            && let Some(id) = problems.integer(&format!("{field}.{key}"), value)
            && JUJU_IDS.contains(&id)
        {
            problems.add(format!(
                "cannot use `{field}.{key}`: 1000 to 9999 are Juju's own, and it is {id}"
            ));
        }
    }
    if let Some(value) = map.get("mounts")
        && let Some(mounts) = problems.list(&format!("{field}.mounts"), value)
    {
        for value in mounts {
            mount(&format!("{field}.mounts"), value, storage, problems);
        }
    }
}

fn mount(field: &str, value: &Value, storage: Section, problems: &mut Problems) {
    let Some(map) = problems.map(field, value) else {
        return;
    };
    for key in ["storage", "location"] {
        let field = format!("{field}.{key}");
        match map.get(key) {
            Some(value) => {
                if problems.string(&field, value) == Some("") {
                    problems.add(format!("cannot use `{field}`: it is empty"));
                }
            }
            None => problems.add(format!("cannot use `{field}`: it is missing")),
        }
    }
    if let Some(name) = map.get("storage").and_then(Value::as_str)
        && !storage.is_some_and(|storage| storage.contains_key(name))
    {
        problems.add(format!(
            "cannot use `{field}.storage`: there is no storage `{name}`; write \
             `{name}: {{type: filesystem}}` under `storage`"
        ));
    }
}

fn device(field: &str, value: &Value, problems: &mut Problems) {
    let Some(map) = problems.map(field, value) else {
        return;
    };
    match map.get("type") {
        Some(Value::String(text)) if !text.is_empty() => {}
        _ => problems.add(format!(
            "cannot use `{field}`: it needs a `type`, such as gpu"
        )),
    }
    if let Some(value) = map.get("description") {
        problems.string(&format!("{field}.description"), value);
    }
    let count = |key: &str| map.get(key).and_then(Value::as_i64);
    for key in ["countmin", "countmax"] {
        if let Some(value) = map.get(key)
            && count(key).is_none_or(|count| count < 0)
        {
            problems.add(format!(
                "cannot use `{field}.{key}`: it must be a count, and is {}",
                kind(value)
            ));
        }
    }
    if let (Some(least), Some(most)) = (count("countmin"), count("countmax"))
        && least > most
    {
        problems.add(format!(
            "cannot use `{field}`: its countmin {least} is more than its countmax {most}"
        ));
    }
}
