#!/bin/sh
# Checks the shell scripts, the Dockerfile and docker-compose.yml.
#
# The linters of lint.txt come from PyPI, once, into the cache of the user. A machine without
# Python's venv module goes without them, unless CI is set.
set -eu

tools=$(cd "$(dirname "$0")" && pwd)
cd "$tools/.."

case ${XDG_CACHE_HOME:-} in
    /*) cache=$XDG_CACHE_HOME ;;
    *) cache=$HOME/.cache ;;
esac
linters=$cache/roost/lint/$(cksum <tools/lint.txt | cut -d' ' -f1)

# Installs under a temporary name; of two at once the first one to finish stays.
install() {
    mkdir -p "$cache/roost/lint"
    work=$(mktemp -d "$cache/roost/lint/.install.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work" &&
        "$work/bin/python" -m pip install --quiet --disable-pip-version-check -r tools/lint.txt &&
        python3 -c 'import os, sys; os.path.isdir(sys.argv[2]) or os.rename(*sys.argv[1:])' "$work" "$linters"
}

if [ ! -d "$linters" ] && ! install >&2; then
    echo "lint: the linters of tools/lint.txt cannot be installed: Python 3 with venv and the network are needed" >&2
    [ -z "${CI:-}" ] || exit 1
    echo "lint: shell scripts, Dockerfile and docker-compose.yml stay unchecked" >&2
    exit 0
fi

"$linters/bin/shellcheck" tools/*.sh tests/packaging/*.sh .ci/run
"$linters/bin/hadolint" Dockerfile
"$linters/bin/python" -m check_jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
