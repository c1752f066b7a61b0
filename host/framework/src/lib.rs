//! The event semantics of ops: observers, deliveries, and the order of one dispatch.
