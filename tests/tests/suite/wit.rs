//! The WIT parses, documents every item, and follows the rules that the toolchains
//! of all guest languages require.

use std::collections::BTreeMap;
use std::path::Path;

use wit_parser::{
    Docs, Function, FunctionKind, Interface, Resolve, Stability, Type, TypeDef, TypeDefKind,
    WorldItem,
};

/// Interfaces of `wasi:cli/imports`: some toolchains put their names and ours into
/// one name space.
const WASI_INTERFACES: &[&str] = &[
    "environment",
    "error",
    "exit",
    "insecure",
    "insecure-seed",
    "instance-network",
    "ip-name-lookup",
    "monotonic-clock",
    "network",
    "poll",
    "preopens",
    "random",
    "stderr",
    "stdin",
    "stdout",
    "streams",
    "tcp",
    "tcp-create-socket",
    "terminal-input",
    "terminal-output",
    "terminal-stderr",
    "terminal-stdin",
    "terminal-stdout",
    "timezone",
    "types",
    "udp",
    "udp-create-socket",
    "wall-clock",
];

/// Names of parameters that some generator does not escape.
const BAD_PARAMETERS: &[&str] = &[
    "self",
    "type",
    "import",
    "func",
    "defer",
    "return",
    "go",
    "chan",
    "map",
    "range",
    "select",
    "interface",
    "package",
    "var",
    "const",
    "default",
    "if",
    "else",
    "for",
    "break",
    "continue",
    "struct",
    "goto",
    "fallthrough",
    "switch",
    "case",
    "len",
    "unsafe",
    "uint8",
];

/// Names of methods of a resource that some generator reserves.
const BAD_METHODS: &[&str] = &["handle", "drop", "new", "constructor"];

fn resolve() -> Resolve {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/charm");
    resolve.push_dir(&wit).expect("the WIT must parse");
    resolve
}

/// Checks every item, as `package/interface.item`, and collects errors.
fn violations(look: impl Fn(&Resolve, &str, &Interface) -> Vec<String>) -> Vec<String> {
    let resolve = resolve();
    let mut found = Vec::new();
    for (_, interface) in resolve.interfaces.iter() {
        let name = interface
            .name
            .clone()
            .expect("interfaces of packages have names");
        for violation in look(&resolve, &name, interface) {
            found.push(format!("{name}: {violation}"));
        }
    }
    found
}

fn types<'a>(
    resolve: &'a Resolve,
    interface: &'a Interface,
) -> impl Iterator<Item = (&'a String, &'a TypeDef)> {
    interface
        .types
        .iter()
        .map(|(name, id)| (name, &resolve.types[*id]))
}

/// The names of a type's cases or fields with their documentation.
fn parts(ty: &TypeDef) -> Vec<(&str, &Docs)> {
    match &ty.kind {
        TypeDefKind::Record(record) => record
            .fields
            .iter()
            .map(|field| (field.name.as_str(), &field.docs))
            .collect(),
        TypeDefKind::Variant(variant) => variant
            .cases
            .iter()
            .map(|case| (case.name.as_str(), &case.docs))
            .collect(),
        TypeDefKind::Enum(cases) => cases
            .cases
            .iter()
            .map(|case| (case.name.as_str(), &case.docs))
            .collect(),
        TypeDefKind::Flags(flags) => flags
            .flags
            .iter()
            .map(|flag| (flag.name.as_str(), &flag.docs))
            .collect(),
        _ => Vec::new(),
    }
}

fn is_documented(docs: &Docs) -> bool {
    docs.contents
        .as_ref()
        .is_some_and(|text| text.trim().len() > 3)
}

#[test]
fn every_item_is_documented() {
    let found = violations(|resolve, _, interface| {
        let mut missing = Vec::new();
        let mut check = |what: String, docs: &Docs| {
            if !is_documented(docs) {
                missing.push(format!("{what} has no documentation"));
            }
        };
        check("the interface".to_owned(), &interface.docs);
        for (name, function) in &interface.functions {
            check(name.clone(), &function.docs);
        }
        for (name, ty) in types(resolve, interface) {
            if matches!(ty.kind, TypeDefKind::Type(_)) {
                continue;
            }
            check(name.clone(), &ty.docs);
            for (part, docs) in parts(ty) {
                check(format!("{name}.{part}"), docs);
            }
        }
        missing
    });
    assert!(found.is_empty(), "{found:#?}");
    for (_, world) in resolve().worlds.iter() {
        assert!(
            is_documented(&world.docs),
            "the world {} has no documentation",
            world.name
        );
    }
    for (_, package) in resolve().packages.iter() {
        assert!(
            is_documented(&package.docs),
            "{} has no documentation",
            package.name
        );
    }
}

#[test]
fn integers_fit_the_numbers_of_every_language() {
    fn plain_s64(function: &Function) -> Option<String> {
        let found = function.params.iter().find(|param| param.ty == Type::S64)?;
        Some(format!(
            "{}({}) takes a plain s64",
            function.name, found.name
        ))
    }
    let found =
        violations(|_, _, interface| interface.functions.values().filter_map(plain_s64).collect());
    assert!(found.is_empty(), "{found:#?}");
    let resolve = resolve();
    for (_, ty) in resolve.types.iter() {
        if let TypeDefKind::Record(record) = &ty.kind {
            for field in &record.fields {
                assert_ne!(field.ty, Type::U64, "{:?}.{}", ty.name, field.name);
            }
        }
    }
}

#[test]
fn no_type_is_named_like_a_case_of_another() {
    let found = violations(|resolve, _, interface| {
        let mut clashes = Vec::new();
        for (name, ty) in types(resolve, interface) {
            for (case, _) in parts(ty) {
                let joined = format!("{name}-{case}");
                let is_case = matches!(ty.kind, TypeDefKind::Variant(_) | TypeDefKind::Enum(_));
                if is_case && interface.types.contains_key(&joined) {
                    clashes.push(format!("{joined} is both a type and a case of {name}"));
                }
            }
        }
        clashes
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn interface_names_are_unique_also_against_wasi() {
    let mut seen = BTreeMap::new();
    for (_, interface) in resolve().interfaces.iter() {
        let name = interface
            .name
            .clone()
            .expect("interfaces of packages have names");
        assert!(
            !WASI_INTERFACES.contains(&name.as_str()),
            "WASI has an interface {name}"
        );
        *seen.entry(name).or_insert(0) += 1;
    }
    assert!(seen.values().all(|count| *count == 1), "{seen:?}");
}

#[test]
fn names_are_free_in_every_language() {
    let found = violations(|resolve, _, interface| {
        let mut bad = Vec::new();
        for (name, function) in &interface.functions {
            // A method's own `self` is the generators' to name.
            let own = usize::from(matches!(function.kind, FunctionKind::Method(_)));
            for param in function.params.iter().skip(own) {
                if BAD_PARAMETERS.contains(&param.name.as_str()) {
                    bad.push(format!("{name}: the parameter {}", param.name));
                }
            }
            let is_method = !matches!(function.kind, FunctionKind::Freestanding);
            let method = name.rsplit('.').next().unwrap_or(name);
            if is_method && BAD_METHODS.contains(&method) {
                bad.push(format!("the method {name}"));
            }
        }
        for (name, ty) in types(resolve, interface) {
            if name == "self" {
                bad.push("the type self".to_owned());
            }
            for (part, _) in parts(ty) {
                if ["self", "tag"].contains(&part) {
                    bad.push(format!("{name}.{part}"));
                }
            }
        }
        bad
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_what_every_toolchain_has_is_used() {
    let resolve = resolve();
    for (_, ty) in resolve.types.iter() {
        let unusual = matches!(
            ty.kind,
            TypeDefKind::Future(_)
                | TypeDefKind::Stream(_)
                | TypeDefKind::Map(..)
                | TypeDefKind::FixedLengthList(..)
        );
        assert!(!unusual, "{:?} is a {}", ty.name, ty.kind.as_str());
        assert!(
            !matches!(ty.stability, Stability::Unstable { .. }),
            "{:?}",
            ty.name
        );
    }
    for (_, package) in resolve.packages.iter() {
        assert_eq!(
            package.name.namespace, "charmhost",
            "{} is not ours",
            package.name
        );
    }
    for (_, interface) in resolve.interfaces.iter() {
        for function in interface.functions.values() {
            let sync = matches!(
                function.kind,
                FunctionKind::Freestanding
                    | FunctionKind::Method(_)
                    | FunctionKind::Static(_)
                    | FunctionKind::Constructor(_)
            );
            assert!(sync, "{} is async", function.name);
        }
    }
}

#[test]
fn extensible_variants_end_with_an_open_case() {
    let resolve = resolve();
    let mut checked = 0;
    for (_, ty) in resolve.types.iter() {
        let name = ty.name.as_deref().unwrap_or_default();
        if let TypeDefKind::Variant(variant) = &ty.kind
            && ["event", "error", "pebble-error"].contains(&name)
        {
            let last = variant.cases.last().expect("variants have cases");
            assert_eq!(last.name, "other", "the last case of {name}");
            checked += 1;
        }
    }
    assert_eq!(checked, 3, "the event and the error variants");
}

#[test]
fn worlds_only_list_interfaces() {
    let resolve = resolve();
    let names: Vec<&str> = resolve
        .worlds
        .iter()
        .map(|(_, world)| &*world.name)
        .collect();
    assert_eq!(names, ["raw-charm", "charm"]);
    for (_, world) in resolve.worlds.iter() {
        let items = world.imports.values().chain(world.exports.values());
        for item in items {
            assert!(matches!(item, WorldItem::Interface { .. }), "{item:?}");
        }
        let exports: Vec<String> = world
            .exports
            .keys()
            .map(|key| resolve.name_world_key(key))
            .collect();
        assert_eq!(exports, ["charmhost:entry/entry@0.2.0"]);
    }
}

/// Tools that read one directory find the packages through these links.
#[test]
fn every_package_is_linked_as_a_dependency_of_the_worlds() {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let names = |dir: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(dir).expect("the directory must exist");
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "charm")
            .collect();
        names.sort();
        names
    };
    let packages = names(&wit);
    assert!(packages.contains(&"errors".to_owned()), "{packages:?}");
    assert_eq!(names(&wit.join("charm/deps")), packages);
    for package in packages {
        let link = std::fs::read_link(wit.join("charm/deps").join(&package));
        assert_eq!(link.unwrap(), Path::new("../..").join(&package));
    }
}

/// From 1.0.0 on an item says since when it is there.
#[test]
fn every_item_says_since_when() {
    let since = |stability: &Stability| matches!(stability, Stability::Stable { .. });
    let found = violations(|resolve, name, interface| {
        let mut bad = Vec::new();
        if !since(&interface.stability) {
            bad.push("the interface".to_owned());
        }
        for (name, function) in &interface.functions {
            if !since(&function.stability) {
                bad.push(name.clone());
            }
        }
        for (item, ty) in types(resolve, interface) {
            let used = matches!(ty.kind, TypeDefKind::Type(_));
            if !used && !since(&ty.stability) {
                bad.push(format!("{name}.{item}"));
            }
        }
        bad
    });
    assert!(found.is_empty(), "{found:#?}");
}

/// Every function that can fail says with what, and every interface has an
/// example.
#[test]
fn functions_list_their_errors_and_interfaces_have_examples() {
    let found = violations(|resolve, _, interface| {
        let mut bad = Vec::new();
        let docs = interface.docs.contents.as_deref().unwrap_or_default();
        if !interface.functions.is_empty() && !docs.contains("```text") {
            bad.push("has no example".to_owned());
        }
        for (name, function) in &interface.functions {
            let fails = function
                .result
                .is_some_and(|ty| matches!(ty, Type::Id(id) if matches!(resolve.types[id].kind, TypeDefKind::Result(_))));
            let docs = function.docs.contents.as_deref().unwrap_or_default();
            if fails != docs.contains("\nErrors: ") {
                bad.push(format!(
                    "{name}: fails: {fails}, `Errors:` line: {}",
                    !fails
                ));
            }
        }
        bad
    });
    assert!(found.is_empty(), "{found:#?}");
}
