//! Files of a crate use one another in one direction.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{self, NamedPath, SourceFile, Unit};

/// Which files of a crate name items of which others. A module and its parts may
/// use one another, so these pairs are left out.
fn graph(unit: &Unit) -> BTreeMap<String, BTreeSet<String>> {
    let paths: Vec<Vec<NamedPath>> = unit
        .files
        .iter()
        .map(|file| source::paths(&file.tokens))
        .collect();
    let mut graph = BTreeMap::new();
    for (file, named) in unit.files.iter().zip(&paths) {
        let targets: &mut BTreeSet<String> = graph.entry(file.name.clone()).or_default();
        for path in named {
            let Some(absolute) = absolute(file, &path.segments) else {
                continue;
            };
            let Some(target) = resolve(unit, &paths, &absolute, 0) else {
                continue;
            };
            let is_part =
                target.module.starts_with(&file.module) || file.module.starts_with(&target.module);
            if !is_part {
                targets.insert(target.name.clone());
            }
        }
    }
    graph
}

/// The path from the root of the crate, without `crate`, `self` and `super`.
fn absolute(file: &SourceFile, segments: &[String]) -> Option<Vec<String>> {
    let mut module = match segments.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => file.module.clone(),
        _ => return None,
    };
    for segment in segments {
        match segment.as_str() {
            "crate" | "self" => {}
            "super" => drop(module.pop()),
            name => module.push(name.to_owned()),
        }
    }
    Some(module)
}

/// The file that defines an item; re-exports are followed.
fn resolve<'a>(
    unit: &'a Unit,
    paths: &[Vec<NamedPath>],
    absolute: &[String],
    depth: usize,
) -> Option<&'a SourceFile> {
    let candidates = unit.files.iter().zip(paths);
    let containing = candidates.filter(|(file, _)| absolute.starts_with(&file.module));
    let (file, named) = containing.max_by_key(|(file, _)| file.module.len())?;
    let Some(name) = absolute.get(file.module.len()) else {
        return Some(file);
    };
    let exported = named
        .iter()
        .find(|path| path.imported_as.as_ref() == Some(name));
    let target = exported.filter(|_| depth < 8).and_then(|path| {
        let target = self::absolute(file, &path.segments).or_else(|| {
            // `pub use part::Item` in the module of the part.
            let first = path.segments.first()?;
            let mut module = file.module.clone();
            module.push(first.clone());
            let is_part = unit.files.iter().any(|file| file.module == module);
            module.extend(path.segments.iter().skip(1).cloned());
            is_part.then_some(module)
        })?;
        resolve(unit, paths, &target, depth + 1)
    });
    Some(target.unwrap_or(file))
}

/// Groups of files that reach one another.
fn cycles(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reachable: BTreeMap<&String, BTreeSet<&String>> = graph
        .keys()
        .map(|start| {
            let (mut seen, mut left) = (BTreeSet::new(), vec![start]);
            while let Some(name) = left.pop() {
                for next in graph.get(name).into_iter().flatten() {
                    if seen.insert(next) {
                        left.push(next);
                    }
                }
            }
            (start, seen)
        })
        .collect();
    let mut groups = BTreeSet::new();
    for (file, seen) in &reachable {
        let group: Vec<String> = seen
            .iter()
            .filter(|other| reachable[**other].contains(file))
            .map(|other| (*other).clone())
            .collect();
        if group.len() > 1 {
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

#[test]
fn files_use_one_another_in_one_direction() {
    let mut found = Vec::new();
    let mut edges = 0;
    for unit in source::units() {
        let graph = graph(&unit);
        edges += graph.values().map(BTreeSet::len).sum::<usize>();
        for cycle in cycles(&graph) {
            let lines: Vec<String> = cycle
                .iter()
                .map(|file| {
                    let targets = graph[file].iter().filter(|target| cycle.contains(target));
                    let targets: Vec<&str> = targets.map(String::as_str).collect();
                    format!("  {file} uses {}", targets.join(", "))
                })
                .collect();
            found.push(lines.join("\n"));
        }
    }
    assert!(
        found.is_empty(),
        "circles of files:\n{}",
        found.join("\n\n")
    );
    assert!(edges > 100, "only {edges} uses between files are found");
}

#[test]
fn a_cycle_is_found_also_through_a_re_export() {
    let file = |name: &str, module: &[&str], text: &str| SourceFile {
        name: name.to_owned(),
        module: module.iter().map(|part| (*part).to_owned()).collect(),
        tokens: source::tokens(text),
    };
    let unit = |a: &str, b: &str| Unit {
        dir: "x".to_owned(),
        files: vec![
            file("lib.rs", &[], "mod a; mod b; pub use a::A; pub use b::B;"),
            file("a.rs", &["a"], a),
            file("b.rs", &["b"], b),
            file("a/part.rs", &["a", "part"], "use super::A;"),
        ],
    };
    let direct = unit("use crate::b::B;", "use super::a::A;");
    let exported = unit("fn f() { crate::B::new() }", "use crate::{A, C};");
    for unit in [direct, exported] {
        assert_eq!(cycles(&graph(&unit)), [["a.rs", "b.rs"]]);
    }
    let acyclic = unit("use crate::b::B; mod part; use part::P;", "use std::fmt;");
    assert!(cycles(&graph(&acyclic)).is_empty());
}
