# Sourced by the scripts that build a server of somebody else's from its Go module, once, and keep it in the cache.
# shellcheck shell=bash

# need_to_build NAME COMMAND:PACKAGE...: exits 3 with one line when a command is missing and cannot be installed.
need_to_build() {
  local name=$1 pair
  shift
  for pair in "$@"; do
    if ! need "${pair%%:*}" "${pair##*:}"; then
      echo "$name cannot be built: ${pair%%:*} is missing; install it, for instance: apt install ${pair##*:}" >&2
      exit 3
    fi
  done
}

# need_go NAME: Go 1.21 or newer, which fetches the one that the module asks for.
need_go() {
  local minor
  need_to_build "$1" go:golang
  minor=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  if [ "${minor:-0}" -lt 21 ]; then
    echo "$1 cannot be built: $(go env GOVERSION) is too old; install Go 1.21 or newer" >&2
    exit 3
  fi
}

# build_once NAME VERSION FUNCTION: runs `FUNCTION DIR WORK`, which puts the program into DIR, and keeps DIR as
# ${RESILIAN_CACHE:-~/.cache/resilian}/NAME-VERSION; returns at once when DIR/NAME is there already.
build_once() {
  local name=$1 version=$2 make=$3 cache target
  cache=${RESILIAN_CACHE:-$HOME/.cache/resilian}
  target=$cache/$name-$version
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/$name-building.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  exec 9> "$cache/.$name.lock"
  if command -v flock > /dev/null; then flock 9; fi
  [ -x "$target/$name" ] && return # another process built it while this one waited
  echo "building $name $version into $target, once; this takes minutes ..." >&2
  mkdir "$work/built" "$work/module"
  "$make" "$work/built" "$work"
  # Moved whole: a build that was interrupted is never taken for one that was finished.
  rm -rf "$target"
  mv "$work/built" "$target"
}

is_built() {
  [ -x "${RESILIAN_CACHE:-$HOME/.cache/resilian}/$1-$2/$1" ]
}
