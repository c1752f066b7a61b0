//! The WIT world of a charm: what the host offers, and how a component does not
//! fit it.

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use crate::state::State;
use crate::wit::v1::bindings::{Charm, CharmPre};

/// The interface that a charm exports.
pub(crate) const ENTRY: &str = "charmhost:entry/entry@0.2.0";

/// What the names of the host's own packages begin with.
const PACKAGES: &str = "charmhost:";

/// Packages of WASI that the host offers, in any version 0.2.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Interfaces of a charm's world, sorted.
pub const OFFERED: [&str; 22] = [
    "charmhost:actions/actions@0.2.0",
    "charmhost:config/config@0.2.0",
    "charmhost:context/context@0.2.0",
    "charmhost:crash/crash@0.2.0",
    "charmhost:framework/framework@0.2.0",
    "charmhost:hook-tools/hook-tools@0.2.0",
    "charmhost:log/log@0.2.0",
    "charmhost:metadata/metadata@0.2.0",
    "charmhost:model/model@0.2.0",
    "charmhost:network-bindings/network-bindings@0.2.0",
    "charmhost:pebble-socket/pebble-socket@0.2.0",
    "charmhost:pebble/pebble@0.2.0",
    "charmhost:ports/ports@0.2.0",
    "charmhost:readiness/readiness@0.2.0",
    "charmhost:relations/relations@0.2.0",
    "charmhost:resources/resources@0.2.0",
    "charmhost:secrets/secrets@0.2.0",
    "charmhost:status/status@0.2.0",
    "charmhost:storage/storage@0.2.0",
    "charmhost:store/store@0.2.0",
    "charmhost:stored-state/stored-state@0.2.0",
    "charmhost:unit/unit@0.2.0",
];

/// Those of the world `raw-charm`, sorted: of a charm that is its own framework.
const RAW: [&str; 7] = [
    "charmhost:context/context@0.2.0",
    "charmhost:crash/crash@0.2.0",
    "charmhost:hook-tools/hook-tools@0.2.0",
    "charmhost:log/log@0.2.0",
    "charmhost:pebble-socket/pebble-socket@0.2.0",
    "charmhost:readiness/readiness@0.2.0",
    "charmhost:store/store@0.2.0",
];

/// Interfaces that only hold types, which others use.
const TYPES: [&str; 3] = [
    "charmhost:errors/errors@0.2.0",
    "charmhost:events/events@0.2.0",
    "charmhost:pebble-errors/pebble-errors@0.2.0",
];

/// A world that the host offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// `charm`: the host has the framework.
    Charm,
    /// `raw-charm`: the charm is its own framework.
    Raw,
}

impl World {
    /// The name in the WIT.
    pub fn name(self) -> &'static str {
        match self {
            World::Charm => "charm",
            World::Raw => "raw-charm",
        }
    }

    /// The smallest world that has all imports of a component.
    pub(crate) fn of(engine: &Engine, component: &Component) -> Self {
        let ty = component.component_type();
        let mut imports = ty.imports(engine).map(|(name, _)| name);
        let is_raw = |name: &str| {
            !name.starts_with(PACKAGES) || RAW.contains(&name) || TYPES.contains(&name)
        };
        match imports.all(is_raw) {
            true => World::Raw,
            false => World::Charm,
        }
    }
}

/// How a component does not fit the world of a charm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldError {
    /// Imports that the host does not offer.
    pub unknown_imports: Vec<String>,
    /// Exports that the component lacks.
    pub missing_exports: Vec<String>,
    /// The error of wasmtime if all names fit.
    pub mismatch: Option<String>,
}

impl fmt::Display for WorldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.missing_exports.is_empty() {
            parts.push(format!(
                "it does not export {}",
                self.missing_exports.join(", ")
            ));
        }
        if !self.unknown_imports.is_empty() {
            let list = self.unknown_imports.join(", ");
            parts.push(format!("it imports {list}, which this host does not offer"));
        }
        if let Some(offered) = self
            .unknown_imports
            .iter()
            .find_map(|name| offered_instead(name))
        {
            parts.push(format!(
                "it is for another version of the WIT (this host offers {offered})"
            ));
        }
        if let Some(mismatch) = &self.mismatch {
            parts.push(mismatch.clone());
        }
        write!(
            f,
            "the component is not a charm of this host's worlds charm and raw-charm of charmhost:charm@0.2.0: {}; build it with the SDK of charmhost {}",
            parts.join("; "),
            env!("CARGO_PKG_VERSION")
        )
    }
}

impl std::error::Error for WorldError {}

/// A linker with all interfaces that the host offers and the component may
/// import.
pub(crate) fn linker(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    charmhost_sandbox::link(&mut linker, engine, &component.component_type())?;
    Charm::add_to_linker::<_, wasmtime::component::HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// Links a component, without running it.
pub(crate) fn prepare(
    linker: &Linker<State>,
    component: &Component,
) -> Result<CharmPre<State>, WorldError> {
    linker
        .instantiate_pre(component)
        .and_then(CharmPre::new)
        .map_err(|error| explain(linker.engine(), component, &error))
}

/// Finds out why a component does not fit the linker.
fn explain(engine: &Engine, component: &Component, error: &wasmtime::Error) -> WorldError {
    let ty = component.component_type();
    let unknown_imports: Vec<String> = ty
        .imports(engine)
        .map(|(name, _)| name)
        .filter(|name| !is_offered(name))
        .map(str::to_owned)
        .collect();
    let exports_entry = ty.exports(engine).any(|(name, item)| {
        name == ENTRY && matches!(item.ty, ComponentItem::ComponentInstance(_))
    });
    let missing_exports = if exports_entry {
        Vec::new()
    } else {
        vec![ENTRY.to_owned()]
    };
    let explained = !unknown_imports.is_empty() || !missing_exports.is_empty();
    WorldError {
        unknown_imports,
        missing_exports,
        mismatch: (!explained).then(|| format!("{error:#}")),
    }
}

/// The interface that the host offers in another version than the imported one.
fn offered_instead(import: &str) -> Option<&'static str> {
    let (name, _) = import.split_once('@')?;
    let all = OFFERED.iter().chain(&TYPES);
    all.copied().find(|offered| {
        offered
            .split_once('@')
            .is_some_and(|(known, _)| known == name)
    })
}

fn is_offered(import: &str) -> bool {
    if OFFERED.contains(&import) || TYPES.contains(&import) {
        return true;
    }
    let Some(rest) = import.strip_prefix("wasi:") else {
        return false;
    };
    WASI.iter().any(|package| {
        rest.strip_prefix(package)
            .is_some_and(|rest| rest.starts_with('/'))
            && rest
                .split_once('@')
                .is_some_and(|(_, version)| version.starts_with("0.2."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_of_the_world_and_of_wasi_are_offered() {
        for (name, wanted) in [
            ("charmhost:status/status@0.2.0", true),
            ("charmhost:status/status@0.1.0", false),
            ("charmhost:errors/errors@0.2.0", true),
            ("wasi:cli/environment@0.2.3", true),
            ("wasi:sockets/tcp@0.2.12", true),
            ("wasi:http/types@0.2.3", false),
            ("wasi:cli/environment@0.3.0", false),
            ("example:other/thing@1.0.0", false),
        ] {
            assert_eq!(is_offered(name), wanted, "{name}");
        }
    }

    #[test]
    fn what_is_offered_is_what_the_world_lists() {
        let worlds = include_str!("../../../wit/charm/charm.wit");
        let (_, raw) = worlds.split_once("world raw-charm {").unwrap();
        let listed = |text: &'static str, keyword: &str| -> Vec<&str> {
            let lines = text.lines().map(str::trim);
            let items = lines.filter_map(|line| line.strip_prefix(keyword)?.strip_suffix(';'));
            let mut items: Vec<&str> = items.collect();
            items.sort_unstable();
            items
        };
        assert_eq!(listed(worlds, "import "), OFFERED);
        assert_eq!(listed(raw, "import "), RAW);
        assert_eq!(listed(worlds, "export "), [ENTRY]);
        assert!(crate::ARTIFACT_VERSION.contains(&ENTRY.replace("charmhost:entry/entry@", "WIT ")));
    }

    #[test]
    fn an_import_of_another_version_is_explained() {
        let error = WorldError {
            unknown_imports: vec!["charmhost:log/log@0.1.0".to_owned()],
            missing_exports: Vec::new(),
            mismatch: None,
        };
        let text = error.to_string();
        let wanted = "it imports charmhost:log/log@0.1.0, which this host does not offer; it is for another version of the WIT (this host offers charmhost:log/log@0.2.0); build it with the SDK of";
        assert!(text.contains(wanted), "{text}");
    }

    #[test]
    fn the_message_names_every_import_and_export() {
        let error = WorldError {
            unknown_imports: vec!["a:b/c@1.0.0".to_owned(), "d:e/f@1.0.0".to_owned()],
            missing_exports: vec![ENTRY.to_owned()],
            mismatch: None,
        };
        let text = error.to_string();
        assert!(
            text.contains("it does not export charmhost:entry/entry@0.2.0"),
            "{text}"
        );
        assert!(
            text.contains("it imports a:b/c@1.0.0, d:e/f@1.0.0, which"),
            "{text}"
        );
    }
}
