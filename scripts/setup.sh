#!/usr/bin/env bash
# Makes a Debian or Ubuntu machine able to build and test seqc, as root or with sudo.
#
#   scripts/setup.sh           install what is missing
#   scripts/setup.sh --check   only say what is missing; exit 1 if anything is
#
# It may be run again at any time: where everything is there it only looks, and ends in under a second.
# On Debian 12 the stock sources suffice: LLVM 22 and a Rust new enough come from its security archive.
# On another system it installs nothing and lists what to install by hand.
set -euo pipefail

LLVM=22             # the major version that the pinned melior and inkwell bind to
RUST_MINOR=95       # Rust 1.95: edition 2024 and what the workspace's rust-version says

# A file (or pattern) that shows that the package is there : the package. Looking at files is fast, and right
# for an LLVM that was installed without apt too.
PREFIX=${LLVM_SYS_221_PREFIX:-/usr/lib/llvm-$LLVM}
FILES=(
    "/usr/include/stdlib.h:build-essential"
    "/etc/ssl/certs/ca-certificates.crt:ca-certificates"
    "$PREFIX/bin/llvm-config:llvm-$LLVM-dev"
    "$PREFIX/include/mlir-c/IR.h:libmlir-$LLVM-dev"
    "$PREFIX/bin/mlir-opt:mlir-$LLVM-tools"
    "$PREFIX/lib/libPolly.a:libpolly-$LLVM-dev"
    "$PREFIX/lib/libclang-*.so*:libclang1-$LLVM"
    "$PREFIX/lib/clang/$LLVM/include/stdbool.h:libclang-common-$LLVM-dev"
    "/usr/include/zstd.h:libzstd-dev"
    "/usr/include/zlib.h:zlib1g-dev"
    "/usr/include/libxml2/libxml/parser.h:libxml2-dev"
)
COMMANDS=("curl:curl" "git:git" "cc:build-essential" "c++:build-essential" "python3:python3")

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Prints the packages whose files or commands are not there, each once.
missing_packages() {
    local entry
    {
        for entry in "${FILES[@]}"; do compgen -G "${entry%:*}" >/dev/null || echo "${entry##*:}"; done
        for entry in "${COMMANDS[@]}"; do have "${entry%:*}" || echo "${entry##*:}"; done
        # python3 without ensurepip cannot make a virtual environment.
        if have python3; then python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv; else echo python3-venv; fi
    } | sort -u
}

# True if `rustc` on PATH is new enough and `cargo` is beside it.
rust_ok() {
    have cargo && have rustc || return 1
    local version
    version=$(rustc --version 2>/dev/null | sed -nE 's/^rustc 1\.([0-9]+)\..*/\1/p')
    [ -n "$version" ] && [ "$version" -ge "$RUST_MINOR" ]
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo; then sudo "$@"; else fail "root or sudo is needed to run: $*"; fi
}

apt_install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; }

# The version that apt would install of a package, or nothing.
candidate() { apt-cache policy "$1" 2>/dev/null | sed -nE 's/^ +Candidate: ([^(].*)/\1/p'; }

refresh_lists() { [ -n "${REFRESHED:-}" ] || { as_root apt-get update -q; REFRESHED=1; }; }

install_packages() {
    say "installing: $*"
    refresh_lists
    local package
    for package in "$@"; do
        [ -n "$(candidate "$package")" ] || no_candidate "$package"
    done
    apt_install "$@"
}

no_candidate() {
    fail "apt knows no package $1.
  Debian 12 and later have LLVM $LLVM in their own archives: check that the security suite
  (for example bookworm-security) is among the sources in /etc/apt.
  Elsewhere, add the LLVM project's own apt repository for your release, or install LLVM and MLIR
  $LLVM by hand and set LLVM_SYS_221_PREFIX, MLIR_SYS_220_PREFIX and TABLEGEN_220_PREFIX to its folder."
}

# In order of preference: a rustup that is there, the system's rustup, the system's newest Rust.
install_rust() {
    if have rustup && rustup toolchain install "1.$RUST_MINOR.0" --profile minimal -c rustfmt -c clippy; then
        rustup default "1.$RUST_MINOR.0"
        rust_ok && return
    fi
    refresh_lists
    if [ -n "$(candidate rustup)" ] && apt_install rustup && rustup default "1.$RUST_MINOR.0"; then
        rust_ok && return
    fi
    # Debian keeps a recent Rust for its browsers, in packages of another name.
    local minor
    minor=$(candidate rustc-web | sed -nE 's/^1\.([0-9]+)\..*/\1/p')
    if [ -n "$minor" ] && [ "$minor" -ge "$RUST_MINOR" ]; then
        apt_install cargo-web rustc-web rustfmt-web rust-web-clippy
        hash -r
        rust_ok && return
    fi
    fail "no Rust 1.$RUST_MINOR or newer could be installed: install rustup (rustup.rs) and run this again"
}

main() {
    local packages
    packages=$(missing_packages)
    if [ -z "$packages" ] && rust_ok; then
        say "everything is there ($(rustc --version), LLVM $("$PREFIX/bin/llvm-config" --version))"
        return
    fi
    local rust=""
    rust_ok || rust="Rust 1.$RUST_MINOR or newer (cargo, rustc, rustfmt)"
    if [ "${1:-}" = --check ] || ! have apt-get; then
        say "missing:"
        printf '  %s\n' $packages ${rust:+"$rust"}
        have apt-get || say "this system has no apt-get: install these (by their Debian names) with its own tools"
        exit 1
    fi
    # shellcheck disable=SC2086  # one word a package
    [ -z "$packages" ] || install_packages $packages
    [ -z "$rust" ] || install_rust
    packages=$(missing_packages)
    [ -z "$packages" ] || fail "installed, but still not found: $(echo "$packages" | tr '\n' ' ')"
    say "done ($(rustc --version), LLVM $("$PREFIX/bin/llvm-config" --version))"
}

main "$@"
