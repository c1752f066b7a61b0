//! The charm in the README.

use crate::support::root;

#[test]
fn the_charm_in_the_readme_is_the_one_that_new_creates() {
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
