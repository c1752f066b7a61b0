//! Folders and files that the documentation names exist.

use crate::support::root;

const DOCUMENTS: [&str; 4] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    "tests/tools/README.md",
];
/// Top-level folders of the project.
const FOLDERS: [&str; 6] = [
    "charms/",
    "guest-sdk/",
    "host/",
    "scripts/",
    "tests/",
    "wit/",
];

#[test]
fn every_path_that_the_documentation_names_exists() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        let prose = text.split("```").step_by(2).collect::<String>();
        let names = prose.split('`').skip(1).step_by(2);
        let is_path = |name: &&str| {
            FOLDERS.iter().any(|folder| name.starts_with(folder))
                && !name.contains(|c: char| c.is_uppercase() && name.contains("NAME") || c == ' ')
        };
        for name in names.filter(is_path) {
            seen += 1;
            if !root().join(name).exists() {
                missing.push(format!("{document}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
    assert!(seen > 40, "only {seen} paths are named");
}
