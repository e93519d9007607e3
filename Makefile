# What cargo alone cannot do. `make help` lists the targets.

# Extra flags of `roost serve`, as in: make run ARGS="--port 8080"
ARGS ?=

# How long each fuzz target runs.
SECONDS ?= 240

# A recipe that needs the engine library starts with this; the first time it is fetched.
WITH_ENGINE = ROOST_ENGINE_LIB=$$(tools/engine.sh) && export ROOST_ENGINE_LIB

.PHONY: help engine run test torture lint bench fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' Makefile

engine: ## fetch the engine library, once per user, and print its path
	@tools/engine.sh

run: ## build in release mode and serve the project in this directory on port 7181
	@$(WITH_ENGINE) && cargo build --release && exec "$${CARGO_TARGET_DIR:-target}/release/roost" serve $(ARGS)

test: lint ## all checks, the integration tests against both kinds of engine
	tests/packaging/engine.sh
	$(WITH_ENGINE) && cargo test
	$(WITH_ENGINE) && ROOST_TEST_ENGINE=remote cargo test --test it

torture: ## hostile SQL, kills, losses of power and damaged logs, fifty times as much as in `make test`
	ROOST_TORTURE=50 cargo test --lib wal::
	$(WITH_ENGINE) && ROOST_TORTURE=50 cargo test --test it gate:: -- --nocapture
	$(WITH_ENGINE) && ROOST_TORTURE=50 cargo test --test it torture:: -- --nocapture --test-threads 1

lint: ## format, clippy, documentation, scripts, Dockerfile, docker-compose.yml
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
	cargo check --manifest-path fuzz/Cargo.toml --target-dir "$${CARGO_TARGET_DIR:-target}" --locked --no-default-features
	tools/lint.sh

bench: ## what the language, the endpoints, the way in and delivery cost, beside work that everybody knows
	cargo bench --bench language
	$(WITH_ENGINE) && cargo bench --bench server

fuzz: ## run each fuzz target for SECONDS (240); wants a nightly compiler and cargo-fuzz
	@for target in datafile template sql events bodies headers; do \
		mkdir -p fuzz/corpus/$$target && \
		cargo +nightly fuzz run --sanitizer none $$target fuzz/corpus/$$target tests/seeds/$$target -- -max_total_time=$(SECONDS) || exit 1; \
	done

clean: ## remove what cargo built; the data directory and the cache stay
	cargo clean
