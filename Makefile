# The commands a person needs. `make help` lists them.

WHAT ?= build
TIME ?= 600
FUZZ ?=
TARGET := $(or $(CARGO_TARGET_DIR),target)

# What `make test` builds and runs: everything, real servers included.
TESTED := --workspace --features weir-tests/real-servers,weir/real-servers

.PHONY: help deps build demo test soak bench lint dashboards fmt clean
.DEFAULT_GOAL := help

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

deps: ## install what Weir needs besides Rust (WHAT=build|test|lint|bench|soak)
	@scripts/deps.sh $(WHAT)

build: ## build target/release/weir
	@scripts/deps.sh build
	cargo build --locked --release -p weir

demo: build ## run the gateway with upstreams of its own, and things to try
	@$(TARGET)/release/weir demo

test: ## run every test, with a real Kafka, Redis and Prometheus
	@scripts/deps.sh test
	cargo build --locked $(TESTED) --bins --tests
	cargo test --locked --no-fail-fast $(TESTED)

soak: ## fuzz and run the long tests for TIME seconds in all (FUZZ=600: each target ten minutes)
	@scripts/deps.sh soak
	@scripts/soak.sh $(TIME) $(FUZZ)

bench: ## measure beside nginx, Envoy, a bare Pingora proxy, LiteLLM and Portkey, and with a real Kafka
	@scripts/deps.sh bench
	cargo build --locked --profile dist -p weir -p weir-bench
	$(TARGET)/dist/weir-bench run --out bench/README.md
	$(TARGET)/dist/weir-bench protocols --out bench/README.md
	$(TARGET)/dist/weir-bench llm --out bench/README.md
	$(TARGET)/dist/weir-bench hostile
	$(TARGET)/dist/weir-bench documents
	$(TARGET)/dist/weir-bench scrape --rounds 10
	ulimit -n $$(ulimit -Hn) && $(TARGET)/dist/weir-bench idle --out bench/README.md
	ulimit -n $$(ulimit -Hn) && $(TARGET)/dist/weir-bench kafka --out bench/README.md
	cargo bench --locked --profile dist -p weir-bench --bench ledger

lint: ## check format, lints, licences, sources and advisories
	@scripts/deps.sh lint
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	@scripts/deny.sh

dashboards: ## make the dashboards and the rules of objectives from the catalogue of metrics
	@scripts/deps.sh test
	WEIR_UPDATE=1 cargo test --locked --quiet -p weir-telemetry --test contract_docs the_catalogue
	$(TARGET)/servers/python/bin/python dashboards/generate.py dashboards
	$(TARGET)/servers/python/bin/python dashboards/generate.py rules

fmt: ## format the sources
	cargo fmt --all

clean: ## remove all that was built or fetched
	cargo clean
