#!/bin/sh
# Tests tools/engine.sh with a small package and an npm that hands it out; no network is used.
set -eu

repository=$(cd "$(dirname "$0")/../.." && pwd)
root=$(mktemp -d "${TMPDIR:-/tmp}/roost-engine-test.XXXXXX")
trap 'rm -rf "$root"' EXIT
tarball=chdb-lib-linux-x64-gnu-1.0.0.tgz
failures=0

# A toolbox with only the programs that the script may count on, and stand-ins for the others.
mkdir -p "$root/tools" "$root/bin" "$root/package"
cp "$repository/tools/engine.sh" "$root/tools/"
for program in awk cat cut dirname du gzip ln mkdir mktemp mv readlink rm sh sha256sum sleep tar touch; do
    ln -s "$(command -v "$program")" "$root/bin/$program"
done
echo library >"$root/package/libchdb.so"
tar -czf "$root/$tarball" -C "$root" package/libchdb.so
(cd "$root" && sha256sum "$tarball") >"$root/tools/engine.sha256"
echo 1.0.0 >"$root/tools/engine.version"

stand_in() {
    rm -f "$root/bin/$1"
    { echo '#!/bin/sh'; cat; } >"$root/bin/$1"
    chmod +x "$root/bin/$1"
}

# Back to a machine where everything works and nothing is cached.
machine() {
    rm -rf "$root/cache" "$root/calls" "$root/bin/flock"
    stand_in uname <<'END'
case $1 in -s) echo Linux ;; *) echo x86_64 ;; esac
END
    stand_in df <<'END'
echo Filesystem Blocks Used Available
echo disk 9000000 0 8000000
END
    stand_in npm <<END
echo call >>"$root/calls"
sleep 1
cat "$root/$tarball" >$tarball
END
}

engine() { PATH=$root/bin XDG_CACHE_HOME=$root/cache ROOST_ENGINE_LIB=${given:-} "$root/bin/sh" "$root/tools/engine.sh"; }

# expect NAME STATUS TEXT: runs the script; TEXT must be in what it prints.
expect() {
    status=0
    engine >"$root/output" 2>&1 || status=$?
    if [ "$status" = "$2" ] && grep -qF "$3" "$root/output"; then
        echo "ok      $1"
    else
        echo "FAILED  $1: status $status, expected $2 and '$3' in:"
        cat "$root/output"
        failures=$((failures + 1))
    fi
    if [ -d "$root/cache" ] && find "$root/cache" -name '.fetch.*' -o -name .lock.owner | grep .; then
        echo "FAILED  $1: it left something behind"
        failures=$((failures + 1))
    fi
}

# expect_one_download NAME: two scripts at once share one download.
expect_one_download() {
    engine >"$root/one" 2>/dev/null &
    engine >"$root/two" 2>/dev/null
    wait $!
    if cmp -s "$root/one" "$root/two" && [ -r "$(cat "$root/one")" ] && [ "$(wc -l <"$root/calls")" -eq 1 ]; then
        echo "ok      $1"
    else
        echo "FAILED  $1: $(cat "$root/one" "$root/two" "$root/calls")"
        failures=$((failures + 1))
    fi
}

installed=$root/cache/roost/engine/1.0.0-linux-x64-gnu/libchdb.so

machine
expect "the library is fetched into the cache" 0 "$installed"
rm "$root/bin/npm"
expect "a cached library needs no npm" 0 "$installed"

machine
given=$root/package/libchdb.so
expect "a given library is used as it is" 0 "$given"
given=$root/missing.so
expect "a given library must exist" 1 "which is not a readable file"
given=

machine
: >"$root/cache"
expect "a cache that cannot be written is named" 1 "$root/cache/roost/engine is not writable"

machine
rm "$root/bin/npm"
expect "without npm the message says what to install" 1 "install Node.js with npm, or unpack package/libchdb.so"

machine
stand_in npm <<'END'
exit 1
END
expect "a failed download names the network" 1 "check the network and try again"

machine
stand_in npm <<END
echo other >$tarball
END
expect "another tarball is refused" 1 "nothing was installed"
[ ! -e "$installed" ] || failures=$((failures + 1))

machine
stand_in df <<'END'
echo Filesystem Blocks Used Available
echo disk 9000000 0 500000
END
expect "a full disk is named with the missing space" 1 "$root/cache/roost/engine has 512 MB free, but 800 MB are needed: free 288 MB"

machine
stand_in uname <<'END'
case $1 in -s) echo Plan9 ;; *) echo mips ;; esac
END
expect "an unknown platform is named" 1 "there is no engine library for Plan9-mips"

machine
stand_in uname <<'END'
case $1 in -s) echo Linux ;; *) echo aarch64 ;; esac
END
expect "a platform without a checksum is not fetched" 1 "no checksum is known for chdb-lib-linux-arm64-gnu-1.0.0.tgz"

machine
expect_one_download "two at once share a download, without flock"
if command -v flock >/dev/null; then
    machine
    ln -s "$(command -v flock)" "$root/bin/flock"
    expect_one_download "two at once share a download, with flock"
fi

machine
mkdir -p "$root/cache/roost/engine/.fetch.dead"
sh -c 'ln -s "process-$$" "$1"' sh "$root/cache/roost/engine/.lock.owner"
expect "what a killed process left behind is cleared away" 0 "$installed"

[ "$failures" -eq 0 ]
