#!/bin/sh
# Makes sure that the engine library is on this machine and prints its absolute path.
#
# The library, libchdb.so, comes from the npm package @chdb/lib-<platform> in the version of
# engine.version. It lies in a cache of the user that all checkouts share:
#   ${XDG_CACHE_HOME:-~/.cache}/roost/engine/<version>-<platform>/libchdb.so
# Only tarballs that engine.sha256 lists are taken. ROOST_ENGINE_LIB=<path> fetches nothing.
set -eu

needed_megabytes=800 # the tarball and the library next to each other
packed_megabytes=178

say() { printf 'engine: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

tools=$(cd "$(dirname "$0")" && pwd)
version=$(cat "$tools/engine.version")

main() {
    if [ -n "${ROOST_ENGINE_LIB:-}" ]; then
        given_library
        return
    fi
    platform=$(platform)
    store=$(cache_directory)/roost/engine
    library=$store/$version-$platform/libchdb.so
    if [ ! -r "$library" ]; then
        { mkdir -p "$store" && [ -w "$store" ]; } ||
            fail "$store is not writable: set XDG_CACHE_HOME to a directory that is"
        lock
        # Another process may have fetched it while this one waited for the lock.
        [ -r "$library" ] || fetch
    fi
    printf '%s\n' "$library"
}

given_library() {
    [ -f "$ROOST_ENGINE_LIB" ] && [ -r "$ROOST_ENGINE_LIB" ] ||
        fail "ROOST_ENGINE_LIB is $ROOST_ENGINE_LIB, which is not a readable file: correct it, or unset it to fetch the library"
    case $ROOST_ENGINE_LIB in
        /*) printf '%s\n' "$ROOST_ENGINE_LIB" ;;
        *) printf '%s\n' "$PWD/$ROOST_ENGINE_LIB" ;;
    esac
}

platform() {
    machine=$(uname -s)-$(uname -m)
    case $machine in
        Linux-x86_64) echo linux-x64-gnu ;;
        Linux-aarch64 | Linux-arm64) echo linux-arm64-gnu ;;
        Darwin-x86_64) echo darwin-x64 ;;
        Darwin-arm64) echo darwin-arm64 ;;
        *) fail "there is no engine library for $machine: set [engine] url to a ClickHouse server, or ROOST_ENGINE_LIB to a library of your own" ;;
    esac
}

# As the XDG rules have it, a relative XDG_CACHE_HOME does not count.
cache_directory() {
    case ${XDG_CACHE_HOME:-} in
        /*) echo "$XDG_CACHE_HOME" ;;
        *) echo "${HOME:?is not set, so there is no cache: set XDG_CACHE_HOME or ROOST_ENGINE_LIB}/.cache" ;;
    esac
}

# Lets one process at a time fetch. The lock saves a second download and nothing else: everybody
# works in a directory of their own and renames the finished file.
lock() {
    waiting="waiting for another process that fetches the library"
    if command -v flock >/dev/null; then
        exec 9>"$store/.lock"
        flock -n 9 || { say "$waiting"; flock 9; }
    else
        lock_without_flock
    fi
}

# The symbolic link names its owner and appears in one step; an owner that is gone loses it.
lock_without_flock() {
    link=$store/.lock.owner
    until ln -s "process-$$" "$link" 2>/dev/null; do
        owner=$(readlink "$link" || true)
        if [ -n "$owner" ] && ! kill -0 "${owner#process-}" 2>/dev/null; then
            rm -f "$link"
        else
            say "$waiting"
            sleep 2
        fi
    done
    trap 'rm -f "$link"' EXIT
    trap 'exit 1' HUP INT TERM
}

fetch() {
    tarball=chdb-lib-$platform-$version.tgz
    package=@chdb/lib-$platform@$version
    by_hand="unpack package/libchdb.so from $package and set ROOST_ENGINE_LIB to it"
    expected=$(awk -v name="$tarball" '$2 == name { print $1 }' "$tools/engine.sha256")
    [ -n "$expected" ] || fail "no checksum is known for $tarball: $by_hand"
    command -v npm >/dev/null ||
        fail "npm is needed to fetch the library: install Node.js with npm, or $by_hand"
    check_space
    rm -rf "$store"/.fetch.*
    work=$(mktemp -d "$store/.fetch.XXXXXX")
    npm=
    trap '[ -z "$npm" ] || kill "$npm" 2>/dev/null; rm -rf "$work"; rm -f "${link:-}"' EXIT
    trap 'exit 1' HUP INT TERM
    download
    found=$(checksum "$work/$tarball")
    [ "$found" = "$expected" ] ||
        fail "the SHA-256 of $tarball is $found, but $expected is expected: nothing was installed; try again, and do not use the file if it stays so"
    say "unpacking into $store"
    tar -xzf "$work/$tarball" -C "$work" package/libchdb.so
    mkdir -p "$(dirname "$library")"
    mv "$work/package/libchdb.so" "$library"
}

check_space() {
    free=$(df -Pk "$store" | awk 'NR == 2 { print int($4 * 1024 / 1000000) }')
    [ "$free" -ge "$needed_megabytes" ] ||
        fail "$store has $free MB free, but $needed_megabytes MB are needed: free $((needed_megabytes - free)) MB, or set XDG_CACHE_HOME to a larger disk"
}

download() {
    say "fetching $package ($packed_megabytes MB)"
    (cd "$work" && exec npm pack --loglevel=error --cache="$work/npm" "$package" >/dev/null 9>&-) &
    npm=$!
    while [ -t 2 ] && kill -0 "$npm" 2>/dev/null; do
        printf '\rengine: %s MB ' "$(($(du -sk "$work" | cut -f1) * 1024 / 1000000))" >&2
        sleep 1
    done
    wait "$npm" || {
        npm=
        fail "npm could not fetch $package: check the network and try again, or $by_hand"
    }
    npm=
    rm -rf "$work/npm"
}

checksum() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1" | cut -d' ' -f1
    else
        shasum -a 256 "$1" | cut -d' ' -f1
    fi
}

main
