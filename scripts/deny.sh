#!/usr/bin/env bash
# Checks the dependency tree against deny.toml, and against the advisories if they can be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH=$PATH:${CARGO_TARGET_DIR:-$PWD/target}/tools/bin

# cargo-deny reads the sources of every platform, more than a build for this one fetches.
cargo fetch --locked
cargo deny --locked --offline check licenses bans sources

# Without a network that is no fault of the sources; a stalled one must not stall us.
if timeout 120 cargo deny --locked fetch db >/dev/null 2>&1 </dev/null; then
    cargo deny --locked --offline check advisories
else
    echo 'advisories NOT checked: their database cannot be fetched from here'
fi
