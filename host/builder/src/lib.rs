//! Builds a charm project: guest to component to code for one architecture.
