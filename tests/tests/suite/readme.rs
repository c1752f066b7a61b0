//! What the README shows is what there is.

use crate::support::root;

#[test]
fn the_charm_in_the_readme_is_the_one_that_new_makes() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let template = read("host/cli/templates/rust/src/lib.rs").replace("{{Name}}", "MyCharm");
    let readme = read("README.md");
    let shown = readme
        .split("```rust\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    assert_eq!(shown, template);
}

#[test]
fn every_folder_that_the_readme_names_is_there() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let folders = readme.lines().filter(|line| line.starts_with("| `"));
    let names = folders.flat_map(|line| line.split('`').skip(1).step_by(2).take(2));
    let mut seen = 0;
    for name in names.filter(|name| name.contains('/')) {
        assert!(root().join(name).is_dir(), "{name}");
        seen += 1;
    }
    assert!(seen > 10, "only {seen} folders are named");
}
