//! Rules for the code itself, checked on the files that git tracks.

mod architecture;
mod dependency_graph;
mod hook_tool_names;
mod process_globals;
mod source;
mod use_cycles;
mod vocabulary;
