//! The metadata as one document, with the defaults of ops (ops §17).
//!
//! Where ops fails for a section that is null, it is empty here; and where Juju
//! takes a single value for a list of one, or a number for text, so does the
//! document.

use serde_json::{Map, Value, json};

use super::section::Section;
use super::{Metadata, MetadataError};
use crate::version::JujuVersion;

/// The scopes of an endpoint.
const SCOPES: [&str; 2] = ["global", "container"];

/// What a condition of `assumes` can be.
const CONDITIONS: [&str; 2] = ["all-of", "any-of"];

/// The first version of Juju that rejects parameters which an action does not
/// declare (ops §16.9).
const CLOSED_ACTIONS: JujuVersion = JujuVersion::release(4, 0, 0);

impl Metadata {
    /// Returns `metadata.yaml`, `config.yaml` and `actions.yaml` as one JSON
    /// object. Its keys are documented in `wit/metadata/metadata.wit`.
    ///
    /// # Errors
    ///
    /// If a section has not the form that Juju requires, or `config.yaml` cannot
    /// be read.
    pub fn document(&self, juju: &JujuVersion) -> Result<Value, MetadataError> {
        let path = self.dir.join("metadata.yaml");
        let charm = Section::new(&path, &self.document);
        let mut document = general(&charm)?;
        for role in ["requires", "provides", "peers"] {
            document.insert(role.to_owned(), endpoints(&charm, role)?);
        }
        let sections: [(&str, Read, &str); 4] = [
            ("storage", storage, "storage"),
            ("resources", resource, "resource"),
            ("containers", container, "container"),
            ("payloads", payload, "payload"),
        ];
        for (key, read, kind) in sections {
            document.insert(key.to_owned(), by_name(&charm, key, kind, read)?);
        }
        let config_path = self.dir.join("config.yaml");
        let config = self.config_file()?;
        let config = Section::new(&config_path, &config);
        let options = by_name(&config, "options", "option", option)?;
        document.insert("config".to_owned(), options);
        document.insert("actions".to_owned(), self.action_section(juju)?);
        Ok(Value::Object(document))
    }

    fn action_section(&self, juju: &JujuVersion) -> Result<Value, MetadataError> {
        let is_open = *juju < CLOSED_ACTIONS;
        let path = self.dir.join("actions.yaml");
        let actions = Value::Object(self.actions.clone().into_iter().collect());
        let file = Map::from_iter([("actions".to_owned(), actions)]);
        let file = Section::new(&path, &file);
        by_name(&file, "actions", "action", |action| {
            Ok(json!({
                "title": action.text_or_empty("title")?,
                "description": action.text_or_empty("description")?,
                "parameters": action.raw_map("params")?,
                "required": action.texts("required")?,
                "additional-properties": action.flag("additionalProperties", is_open)?,
            }))
        })
    }
}

/// Reads a section.
type Read = fn(&Section) -> Result<Value, MetadataError>;

/// Reads every section that the map of a key has.
fn by_name(
    file: &Section,
    key: &str,
    kind: &str,
    read: impl Fn(&Section) -> Result<Value, MetadataError>,
) -> Result<Value, MetadataError> {
    let read = |(name, body): (&String, &Value)| {
        let section = file.nested(format!("the {kind} {name:?}"), Some(body))?;
        Ok((name.clone(), read(&section)?))
    };
    let entries: Result<Map<_, _>, _> = file.members(key)?.map(read).collect();
    Ok(Value::Object(entries?))
}

/// Reads what describes the charm as a whole.
fn general(charm: &Section) -> Result<Map<String, Value>, MetadataError> {
    let links = charm.map("links")?;
    let mut maintainers = charm.texts("maintainer")?;
    maintainers.extend(charm.texts("maintainers")?);
    maintainers.extend(links.texts("contact")?);
    // At the top level they are called as before `links` existed.
    let link = |key: &str| match charm.texts(key)? {
        old if old.is_empty() => links.texts(key),
        old => Ok(old),
    };
    let documentation = match charm.text("docs")? {
        None => links.text("documentation")?,
        docs => docs,
    };
    let charm_user = charm.text("charm-user")?;
    let general = json!({
        "name": charm.text_or_empty("name")?,
        "summary": charm.text_or_empty("summary")?,
        "description": charm.text_or_empty("description")?,
        "min-juju-version": charm.text("min-juju-version")?,
        "charm-user": charm_user.unwrap_or_else(|| "root".to_owned()),
        "subordinate": charm.flag("subordinate", false)?,
        "maintainers": maintainers,
        "tags": charm.texts("tags")?,
        "terms": charm.texts("terms")?,
        "series": charm.texts("series")?,
        "links": {
            "websites": link("website")?,
            "sources": link("source")?,
            "issues": link("issues")?,
            "documentation": documentation,
        },
        "assumes": assumes(charm, charm.list("assumes")?)?,
        "extra-bindings": charm.raw_map("extra-bindings")?,
    });
    match general {
        Value::Object(general) => Ok(general),
        _ => Ok(Map::new()),
    }
}

/// Reads conditions: names of features, and maps of `all-of` or `any-of` to more
/// conditions.
fn assumes(charm: &Section, conditions: &[Value]) -> Result<Vec<Value>, MetadataError> {
    let wrong = || charm.fail("has assumes that is not made of features, all-of and any-of");
    let mut read = Vec::new();
    for condition in conditions {
        match condition {
            Value::String(feature) => read.push(feature.as_str().into()),
            Value::Object(nested) => {
                for (name, conditions) in nested {
                    let Some(conditions) = conditions.as_array() else {
                        return wrong();
                    };
                    if !CONDITIONS.contains(&name.as_str()) {
                        return wrong();
                    }
                    read.push(json!({ name: assumes(charm, conditions)? }));
                }
            }
            _ => return wrong(),
        }
    }
    Ok(read)
}

/// Reads the endpoints of a role. An endpoint can be just its interface.
fn endpoints(charm: &Section, role: &str) -> Result<Value, MetadataError> {
    let mut endpoints = Map::new();
    for (name, body) in charm.members(role)? {
        let subject = format!("the endpoint {name:?}");
        let read = match body {
            Value::String(interface) => {
                let body = json!({ "interface": interface });
                endpoint(&charm.nested(subject, Some(&body))?)
            }
            body => endpoint(&charm.nested(subject, Some(body))?),
        };
        endpoints.insert(name.clone(), read?);
    }
    Ok(Value::Object(endpoints))
}

fn endpoint(endpoint: &Section) -> Result<Value, MetadataError> {
    let limit = endpoint.get("limit");
    if limit.is_some_and(|limit| !limit.is_i64()) {
        return endpoint.fail("has a limit that is not an integer");
    }
    let scope = endpoint.text_or_empty("scope")?;
    let scope = match scope.as_str() {
        "" => "global",
        scope => scope,
    };
    if !SCOPES.contains(&scope) {
        return endpoint.fail(format!(
            "has the scope {scope:?}: it must be global or container"
        ));
    }
    Ok(json!({
        "interface": endpoint.required("interface")?,
        "limit": limit,
        "scope": scope,
        "optional": endpoint.flag("optional", false)?,
    }))
}

fn storage(storage: &Section) -> Result<Value, MetadataError> {
    Ok(json!({
        "type": storage.required("type")?,
        "description": storage.text_or_empty("description")?,
        "shared": storage.flag("shared", false)?,
        "read-only": storage.flag("read-only", false)?,
        "minimum-size": storage.text("minimum-size")?,
        "location": storage.text("location")?,
        "properties": storage.texts("properties")?,
        "multiple": multiple(storage)?,
    }))
}

/// Reads how many instances a storage may have: `N`, `A-B`, `N+` or `N-`.
fn multiple(storage: &Section) -> Result<Option<[Option<u32>; 2]>, MetadataError> {
    let multiple = storage.map("multiple")?;
    if multiple.is_empty() {
        return Ok(None);
    }
    let range = multiple.text_or_empty("range")?;
    let (from, to) = match (range.strip_suffix(['+', '-']), range.split_once('-')) {
        (Some(from), _) => (from, None),
        (None, Some((from, to))) => (from, Some(to)),
        (None, None) => (range.as_str(), Some(range.as_str())),
    };
    let number = |text: &str| text.trim().parse::<u32>().ok();
    match (number(from), to.map(number)) {
        (Some(from), None) => Ok(Some([Some(from), None])),
        (Some(from), Some(Some(to))) => Ok(Some([Some(from), Some(to)])),
        _ => storage.fail(format!("has the range {range:?}: write it as 2, 1-5 or 1+")),
    }
}

fn resource(resource: &Section) -> Result<Value, MetadataError> {
    Ok(json!({
        "type": resource.required("type")?,
        "filename": resource.text("filename")?,
        "description": resource.text_or_empty("description")?,
    }))
}

fn payload(payload: &Section) -> Result<Value, MetadataError> {
    Ok(json!({ "type": payload.required("type")? }))
}

fn container(container: &Section) -> Result<Value, MetadataError> {
    let resource = container.text("resource")?.filter(|name| !name.is_empty());
    let bases = container.maps("bases")?;
    if resource.is_some() && !bases.is_empty() {
        return container.fail("has a resource and bases: it can have only one of them");
    }
    let base = |base: &Section| {
        Ok(json!({
            "name": base.required("name")?,
            "channel": base.required("channel")?,
            "architectures": base.texts("architectures")?,
        }))
    };
    let bases: Result<Vec<Value>, MetadataError> = bases.iter().map(base).collect();
    let bases = bases?;
    let mut mounts: Map<String, Value> = Map::new();
    for mount in container.maps("mounts")? {
        let location = mount.text_or_empty("location")?;
        if location.is_empty() {
            continue;
        }
        let of_storage = mounts.entry(mount.text_or_empty("storage")?);
        let locations = of_storage.or_insert_with(|| json!([]));
        if let Value::Array(locations) = locations {
            locations.push(location.into());
        }
    }
    // Of an empty section nothing is known, not even that there are no bases
    // (ops §17).
    let bases = (!container.is_empty()).then_some(bases);
    Ok(json!({ "resource": resource, "bases": bases, "mounts": mounts }))
}

fn option(option: &Section) -> Result<Value, MetadataError> {
    Ok(json!({
        "type": option.required("type")?,
        "default": option.get("default"),
        "description": option.text("description")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(metadata: &str, config: &str) -> Result<Value, String> {
        let dir = tempfile::tempdir().unwrap();
        let metadata = format!("name: x\n{metadata}\n");
        std::fs::write(dir.path().join("metadata.yaml"), metadata).unwrap();
        std::fs::write(dir.path().join("config.yaml"), config).unwrap();
        let metadata = Metadata::load(dir.path()).unwrap();
        let shown = dir.path().display().to_string();
        let document = metadata.document(&JujuVersion::UNKNOWN);
        document.map_err(|error| error.to_string().replace(&shown, "DIR"))
    }

    #[test]
    fn what_juju_accepts_and_ops_does_not_is_read() {
        let metadata = "requires: {db: pg}\nprovides:\nstorage: {a: {type: block, multiple: {range: 3}}}\nlinks:\nmaintainers: me\nsummary: 5";
        let document = document(metadata, "").unwrap();
        assert_eq!(document["requires"]["db"]["interface"], "pg");
        assert_eq!(document["requires"]["db"]["scope"], "global");
        assert_eq!(document["provides"], json!({}));
        assert_eq!(document["storage"]["a"]["multiple"], json!([3, 3]));
        assert_eq!(document["maintainers"], json!(["me"]));
        assert_eq!(document["summary"], "5");
        assert_eq!(document["links"]["websites"], json!([]));
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (metadata, config, wanted) in [
            (
                "storage: {a: {}}",
                "",
                "metadata.yaml: the storage \"a\" has no type",
            ),
            (
                "storage: {a: 1}",
                "",
                "metadata.yaml: the storage \"a\" is not a map",
            ),
            (
                "resources: [a]",
                "",
                "metadata.yaml: resources is not a map",
            ),
            (
                "tags: [[a]]",
                "",
                "metadata.yaml: it has tags that is not text",
            ),
            (
                "subordinate: 1",
                "",
                "it has subordinate that is neither true nor false",
            ),
            ("assumes: juju", "", "it has assumes that is not a list"),
            (
                "assumes: [{none-of: [a]}]",
                "",
                "not made of features, all-of and any-of",
            ),
            (
                "peers: {a: {interface: b, scope: world}}",
                "",
                "the endpoint \"a\" has the scope \"world\": it must be global or container",
            ),
            (
                "peers: {a: {interface: b, limit: x}}",
                "",
                "the endpoint \"a\" has a limit that is not an integer",
            ),
            (
                "storage: {a: {type: block, multiple: {range: x}}}",
                "",
                "the storage \"a\" has the range \"x\": write it as 2, 1-5 or 1+",
            ),
            (
                "storage: {a: {type: block, multiple: {range: 1-2-3}}}",
                "",
                "has the range \"1-2-3\"",
            ),
            (
                "containers: {a: {resource: b, bases: [{name: c, channel: d}]}}",
                "",
                "the container \"a\" has a resource and bases",
            ),
            (
                "",
                "options: {a: {}}",
                "config.yaml: the option \"a\" has no type",
            ),
            ("", "options: [", "config.yaml: line 2"),
        ] {
            let error = document(metadata, config).unwrap_err();
            assert!(error.contains(wanted), "{metadata:?} gave {error:?}");
        }
    }
}
