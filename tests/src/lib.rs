//! Black-box suites over the programs that ship: see `tests/suite`.
