//! Runs a compiled charm: the engine, the WIT bindings, limits, and the dispatch sequence.
