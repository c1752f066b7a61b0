//! The charm executable.
fn main() {}
