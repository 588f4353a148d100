#!/usr/bin/env bash
# From nothing to generated text: installs what is missing, builds seqc, trains a byte-level language model on
# Shakespeare for a few minutes on the CPU, and lets it write.
#
#   scripts/demo.sh                      the example examples/gla.seq
#   scripts/demo.sh attention            another one
#   scripts/demo.sh gla steps=300        any setting of `seqc train --set`
set -euo pipefail
cd "$(dirname "$0")/.."

MODEL=${1:-gla}
[ $# -eq 0 ] || shift
SET=()
for setting in "$@"; do SET+=(--set "$setting"); done
[ -f "examples/$MODEL.seq" ] || { echo "there is no examples/$MODEL.seq" >&2; exit 1; }

scripts/setup.sh
# A toolchain that setup has just installed may not be on this shell's PATH yet.
[ ! -d "$HOME/.cargo/bin" ] || export PATH="$HOME/.cargo/bin:$PATH"
hash -r
cargo build --release --locked -p seqc

SEQC=target/release/seqc
RUN=runs/$MODEL
rm -rf "$RUN"
"$SEQC" train "examples/$MODEL.seq" --data examples/data/shakespeare.txt -o "$RUN" "${SET[@]}"
echo
"$SEQC" generate "$RUN" --prompt "ROMEO:" -n 400 --temperature 0.8 --seed 1
