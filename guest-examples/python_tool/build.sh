#!/bin/sh
# Builds python_tool.wasm with componentize-py, in a virtual environment of its own.
# All that it makes goes to `guest-examples/target/python_tool`, or the folder in $1.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-"$here/../target/python_tool"}
mkdir -p "$out"
out=$(cd "$out" && pwd)
if [ ! -x "$out/venv/bin/componentize-py" ]; then
    python3 -m venv "$out/venv"
    "$out/venv/bin/pip" install --quiet componentize-py==0.25.1
fi
cd "$here"
export PYTHONDONTWRITEBYTECODE=1
"$out/venv/bin/componentize-py" --wit-path ../../wit --world tool \
    componentize app --output "$out/python_tool.wasm"
echo "$out/python_tool.wasm"
