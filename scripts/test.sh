#!/usr/bin/env bash
# Every check that a change must pass. Runs all sections, then says which failed and how many
# Rust tests passed; exits non-zero if any section failed.
#
#   scripts/test.sh            everything
#   scripts/test.sh rust spec  only the named sections: format lint deny loom rust spec faults demo oracles
set -uo pipefail
cd "$(dirname "$0")/.."

FAILED=()
LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT

section() { printf '\n=== %s\n' "$1"; }
wanted() { [ ${#WANTED[@]} -eq 0 ] || printf '%s\n' "${WANTED[@]}" | grep -qx "$1"; }

# Runs a section's function under its title and remembers a failure.
run() {
    wanted "$1" || return 0
    section "$1: $2"
    local begun=$SECONDS
    if ("check_$1"); then   # in a subshell, so that a fault of the script fails the section too
        echo "--- $1: ok ($((SECONDS - begun)) s)"
    else
        echo "--- $1: FAILED ($((SECONDS - begun)) s)"
        FAILED+=("$1")
    fi
}

check_format() { cargo fmt --all --check; }

# All that clippy knows, and a sentence of safety before every unsafe block; of what stands apart, too.
check_lint() {
    cargo clippy --workspace --all-targets --locked -- -D warnings &&
        cargo clippy --manifest-path tests/loom/Cargo.toml --locked -- -D warnings
}

# Faults and licences of the dependencies (deny.toml). It takes a network and, to build cargo-deny, some ten minutes, so it runs
# where `cargo deny` is there already: `cargo install --locked cargo-deny`.
check_deny() {
    if ! cargo deny --version >/dev/null 2>&1; then
        echo "note: cargo-deny is not installed, so the dependencies are not looked up here"
        return 0
    fi
    cargo deny --locked check
}

# The thread pool under every interleaving (tests/loom/README.md).
check_loom() { cargo run -q --release --locked --manifest-path tests/loom/Cargo.toml; }

check_rust() {
    if ! cargo tree --locked --workspace >/dev/null; then
        echo "Cargo.lock does not agree with the manifests: run cargo tree and commit Cargo.lock"
        return 1
    fi
    local toolkit
    if [ -z "${SEQC_CUDA_TOOLKIT:-}" ]; then
        if toolkit=$(scripts/ptxas.sh); then
            export SEQC_CUDA_TOOLKIT=$toolkit
        else
            echo "note: ptxas could not be fetched, so the tests that assemble PTX skip that step"
        fi
    fi
    cargo test --workspace --locked --no-fail-fast 2>&1 | tee "$LOG"
}

# The language's own files: formatted, and without a diagnostic.
check_spec() {
    shopt -s globstar nullglob
    local files=(stdlib/**/*.seq examples/**/*.seq tests/outside/*.seq)
    if [ ${#files[@]} -eq 0 ]; then
        echo "no .seq files"
        return 0
    fi
    echo "${#files[@]} files"
    local status=0
    cargo build -q --release --locked -p seqc || return 1
    target/release/seqc fmt --check "${files[@]}" || status=1
    target/release/seqc check "${files[@]}" || status=1
    return $status
}

# What was wrong once, each kind with right values that NumPy works out (tests/faults/README.md).
check_faults() {
    local python status=0
    if ! python=$(scripts/python.sh -r tests/faults/requirements.txt); then
        echo "note: NumPy could not be installed, so the faults are not tried here"
        return 0
    fi
    cargo build -q --release --locked -p seqc || return 1
    "$python" tests/faults/see.py target/release/seqc || status=1
    bash tests/faults/depth.sh target/release/seqc || status=1
    bash tests/faults/run_folder.sh target/release/seqc || status=1
    return $status
}

# The README's first command, with a short training.
check_demo() { scripts/demo.sh gla steps=60 eval_every=30; }

# The committed fixtures are what the plain NumPy references give.
check_oracles() {
    local python
    if ! python=$(scripts/python.sh -r tests/oracles/requirements.txt); then
        echo "note: NumPy could not be installed, so the fixtures are not made anew here"
        return 0
    fi
    "$python" tests/oracles/make_fixtures.py --check
}

# The sum over all "test result:" lines, so that one last line tells what ran.
tests_line() {
    sed -nE 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed; ([0-9]+) ignored.*/\1 \2 \3/p' "$LOG" |
        awk '{ p += $1; f += $2; s += $3 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s }'
}

WANTED=("$@")
run format "the Rust sources are formatted"
run lint "clippy finds nothing"
run deny "the dependencies are sound and free"
run loom "the thread pool under a model checker"
run rust "cargo test, the whole workspace"
run spec "every .seq file is formatted and checks"
run faults "what was wrong once is right"
run demo "the README's first command, in short"
run oracles "the fixtures agree with their references"

section "result"
if [ ${#FAILED[@]} -gt 0 ]; then echo "failed sections: ${FAILED[*]}"; else echo "all sections passed"; fi
if wanted rust; then tests_line; fi
[ ${#FAILED[@]} -eq 0 ]
