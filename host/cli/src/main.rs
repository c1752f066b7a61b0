//! The charmhost command.
fn main() {}
