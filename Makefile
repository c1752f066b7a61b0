# Entry points for people and CI. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# One directory for all builds, also of the tests' guests.
export CARGO_TARGET_DIR := $(CURDIR)/target
TOOLS := $(CURDIR)/target/tools

MACHINE := $(shell uname -m)
MUSL := $(MACHINE)-unknown-linux-musl
# Output of `cargo build` for this machine: .cargo/config.toml sets a target.
RELEASE := target/$(shell rustc --print host-tuple 2>/dev/null)/release
# Programs that run on units are static and small, and have other features.
BUILD_DIST := cargo build --release --config host/dispatch/dist.toml --target $(MUSL)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 20

.PHONY: demo
demo: dist ## Set up, build, and run a charm through the lifecycle of a unit (about 9 minutes the first time)
	@scripts/say "running charms/web under the simulated agent"
	dist/charmhost sim charms/web --scenario charms/web/scenario.yaml

.PHONY: test
test: setup-tests dist test-rust test-sdk test-suites differential test-crash test-escape test-files-tenth ## Set up and run all tests (about 40 minutes the first time)
	@scripts/say "all tests passed"

.PHONY: dist
dist: dist/dispatch dist/charmhost dist/pebble ## Build the programs that ship, and Pebble for sim, to dist/

.PHONY: dist/dispatch
dist/dispatch: setup-rust
	@scripts/say "building dispatch, static and without a compiler (about 4 minutes the first time)"
	$(BUILD_DIST) -p charmhost-dispatch -p charmhost-hook-tool -p charmhost-isolation \
	  --bin dispatch --bin hook-tool --bin confine
	@mkdir -p dist
	install -m 0755 $(addprefix target/$(MUSL)/release/,dispatch hook-tool confine) dist/

.PHONY: dist/charmhost
dist/charmhost: setup-rust
	@scripts/say "building charmhost, with the compiler (about 5 minutes the first time)"
	cargo build --release -p charmhost-cli
	@mkdir -p dist
	strip -o dist/charmhost.partial $(RELEASE)/charmhost && mv dist/charmhost.partial dist/charmhost

.PHONY: dist/pebble
dist/pebble:
	@scripts/setup pebble
	@mkdir -p dist
	install -m 0755 $(TOOLS)/pebble dist/

.PHONY: setup-rust
setup-rust:
	@scripts/setup rust

.PHONY: setup-tests
setup-tests:
	@scripts/setup tests

.PHONY: test-rust
test-rust: setup-tests dist lint ## Run the tests of the host's crates
	@scripts/say "testing the host's crates (about 4 minutes the first time)"
	cargo test --release --workspace --exclude charmhost-tests

.PHONY: lint
lint: setup-rust ## Check formatting, lints and documentation
	@scripts/say "checking format, lints and documentation (about 3 minutes the first time)"
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps

.PHONY: test-sdk
test-sdk: setup-rust ## Test and lint the guest SDK
	@scripts/say "testing the Rust SDK (about 1 minute the first time)"
	cd guest-sdk/rust && cargo fmt --check && cargo clippy --all-targets -- -D warnings && cargo test

.PHONY: test-suites
test-suites: setup-tests dist ## Run the black-box suites over the programs that ship
	@scripts/say "running the black-box suites (about 3 minutes the first time)"
	PATH="$(TOOLS):$$PATH" cargo test --release -p charmhost-tests

.PHONY: differential
differential: setup-tests dist ## Compare charms with their references on Python ops, scenario by scenario
	@scripts/say "running the scenarios through both (about 2 minutes)"
	cargo build --release -p charmhost-differential
	$(RELEASE)/charmhost-differential

.PHONY: test-crash
test-crash: setup-tests dist ## Kill dispatches at every change that they make, and check the state
	@scripts/say "killing dispatches (about 2 minutes)"
	cargo build --release -p charmhost-crash
	$(RELEASE)/charmhost-crash
	KILLS=$${KILLS:-200} $(RELEASE)/charmhost-crash random

.PHONY: test-kills
test-kills: setup-tests dist ## Kill 4,500 dispatches at random times (KILLS and SEED repeat a run)
	@scripts/say "killing dispatches at random times (about 10 minutes)"
	cargo build --release -p charmhost-crash
	$(RELEASE)/charmhost-crash random

.PHONY: test-escape
test-escape: setup-tests dist ## Run a guest that tries to leave the sandbox, and a program that tries to leave the kernel's
	@scripts/say "trying to escape (about 3 minutes)"
	cargo build --release -p charmhost-escape
	$(RELEASE)/probe
	$(RELEASE)/charmhost-escape

.PHONY: escape-control
escape-control: setup-tests dist ## Remove guards of the sandbox, and check that every escape then succeeds
	@scripts/say "removing guards (about 10 minutes)"
	cargo build --release -p charmhost-escape
	scripts/escape-control

.PHONY: test-files
test-files: files-runner ## Compare 100,000 random file operations of a guest with the kernel's
	@scripts/say "100,000 file operations (about 2 minutes)"
	$(RELEASE)/charmhost-files 100000

.PHONY: test-files-tenth
test-files-tenth: files-runner
	@scripts/say "10,000 file operations (about 15 seconds)"
	$(RELEASE)/charmhost-files 10000

.PHONY: test-files-mutant
test-files-mutant: files-runner ## Build hosts with faults in file access, and check that the random operations find them
	scripts/files-mutant

.PHONY: files-runner
files-runner: setup-tests dist
	cargo build --release -p charmhost-files

.PHONY: soak
soak: setup-rust dist ## Run 20,000 dispatches of a unit that defers, and check that nothing grows
	@scripts/say "20,000 dispatches (about 2 minutes)"
	cargo build --release -p charmhost-soak
	$(RELEASE)/charmhost-soak

.PHONY: mutants
mutants: setup-tests dist ## Break rules of the host, and check that a scenario fails for each
	@scripts/say "breaking rules (about 5 minutes)"
	cargo build --release -p charmhost-differential
	scripts/mutants

.PHONY: coverage-map
coverage-map: setup-tests dist ## Print which features of ops the Rust SDK has, each with the test that shows it
	@scripts/say "running the tests of all features (about 3 minutes)"
	cargo build --release -p charmhost-coverage
	PATH="$(TOOLS):$$PATH" $(RELEASE)/charmhost-coverage

.PHONY: bench
bench: dist setup-bench ## Measure dispatches against Python ops, bare wasmtime and a native program
	@scripts/say "building the baselines (about 2 minutes the first time)"
	$(BUILD_DIST) -p charmhost-baselines
	@mkdir -p target/bench-programs
	install -m 0755 target/$(MUSL)/release/bare target/$(MUSL)/release/native target/bench-programs/
	cargo build --release -p charmhost-bench
	@scripts/say "measuring on a machine that has nothing else to do (about 5 minutes)"
	$(RELEASE)/charmhost-bench

.PHONY: bench-readme
bench-readme: ## Write the figures of the last `make bench` into the README
	cargo run --release -p charmhost-bench -- readme

.PHONY: setup-bench
setup-bench: setup-rust
	@scripts/setup bench

.PHONY: deny
deny: ## Check dependencies: bans, licences, sources (builds cargo-deny the first time, about 5 minutes)
	@scripts/setup deny
	$(TOOLS)/cargo-deny --log-level error check bans licenses sources

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf target dist
