#!/usr/bin/env bash
# Fuzzes every target for an equal share of half the time, and soaks for the other half:
# scripts/soak.sh SECONDS [EACH]
# Given EACH, every target gets so many seconds instead, however many that makes in all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PATH=$PATH:${CARGO_TARGET_DIR:-$PWD/target}/tools/bin
total=${1:?usage: scripts/soak.sh SECONDS [EACH]}
each=${2:-}
if ! [ "$total" -ge 20 ] 2>/dev/null; then
    echo "soak: TIME is a number of seconds, at least 20, not \"$total\"" >&2
    exit 2
fi
if [ -n "$each" ] && ! [ "$each" -ge 1 ] 2>/dev/null; then
    echo "soak: FUZZ is a number of seconds for each target, not \"$each\"" >&2
    exit 2
fi

# cargo-fuzz needs flags that stable Rust has, but hides.
export RUSTC_BOOTSTRAP=1
mapfile -t targets < <(cd protocols && cargo fuzz list)
if [ ${#targets[@]} -eq 0 ]; then
    echo 'soak: protocols/fuzz has no fuzz targets' >&2
    exit 1
fi
share=${each:-$((total / 2 / ${#targets[@]}))}
[ "$share" -ge 1 ] || share=1
echo "fuzzing ${#targets[@]} targets for $((share * ${#targets[@]})) s in all"
for target in "${targets[@]}"; do
    echo "fuzzing $target for $share s"
    # What is found goes to the first directory; the seeds in the second stay as they are.
    found=${CARGO_TARGET_DIR:-$PWD/target}/fuzz/$target
    mkdir -p "$found"
    (cd protocols && cargo fuzz run --sanitizer none "$target" "$found" "fuzz/corpus/$target" -- \
        -max_total_time="$share" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0)
done
unset RUSTC_BOOTSTRAP

# The tests in tests/tests/soak_*.rs read how long each of those files may take.
mapfile -t files < <(compgen -G 'tests/tests/soak_*.rs')
if [ ${#files[@]} -eq 0 ]; then
    echo 'soak: there is no tests/tests/soak_*.rs' >&2
    exit 1
fi
export WEIR_SOAK_SECONDS=$((total / 2 / ${#files[@]}))
echo "soaking for $((total / 2)) s"
cargo test --locked --workspace --features weir-tests/soak,weir-tests/real-servers \
    --test 'soak_*' -- --test-threads=1

# Takes as long as its faults take, a good five minutes.
echo "publishing 100,000 records while brokers and gateways fail"
WEIR_FAULT_RECORDS=100000 cargo test --locked --workspace --features weir-tests/real-servers \
    --test real_faults -- --nocapture
