#!/usr/bin/env bash
# Makes target/python, the virtual environment of the project's own Python tools, and installs
# into it what the arguments say (as `pip install` takes them). Prints the interpreter's path.
set -euo pipefail
cd "$(dirname "$0")/.."

ENV=target/python
[ -x $ENV/bin/pip ] || python3 -m venv $ENV >&2
[ $# -eq 0 ] || $ENV/bin/python -m pip install -q --disable-pip-version-check "$@" >&2
echo "$PWD/$ENV/bin/python"
