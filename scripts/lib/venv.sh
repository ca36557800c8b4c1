# Sourced by the scripts: `ensure_venv runtime` or `ensure_venv dev` makes .venv with the pinned requirements and the
# project itself, and returns at once when that is already so. Prints nothing then; exits 3 with one line when it cannot.
# shellcheck shell=bash

give_up() {
  echo "$*" >&2
  exit 3
}

find_python() {
  local candidate
  for candidate in python3.13 python3.12 python3.11 python3 python3.14; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  give_up "Python 3.11 or newer is needed and none of python3.11 to python3.13 or python3 is one; install it, for instance: apt install python3 python3-venv"
}

# What the environment was made from: the pins, the project's own table of commands, the place (scripts name their Python).
_venv_stamp() {
  { pwd -P; cat "requirements/$1.txt" pyproject.toml; } | sha256sum | cut -d ' ' -f 1
}

_venv_is() {
  [ -x .venv/bin/python ] && [ "$(cat ".venv/.stamp-$1" 2>/dev/null)" = "$(_venv_stamp "$1")" ]
}

_make_venv() {
  local python
  .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
  python=$(find_python) || exit 3
  "$python" -c 'import venv, ensurepip' 2>/dev/null ||
    give_up "$python cannot make virtual environments; install them: apt install python3-venv"
  "$python" -m venv --clear .venv || give_up "no virtual environment could be made in $PWD/.venv"
}

# uv installs ten times faster than pip, which does it where uv cannot. uv does not read pip's settings: hand them over.
_find_uv() {
  command -v uv && return
  [ -x .venv/bin/uv ] ||
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt >&2 || return
  echo .venv/bin/uv
}

_uv_install() {
  local uv index links
  uv=$(_find_uv 2>/dev/null) || return
  index=${PIP_INDEX_URL:-$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)}
  links=${PIP_FIND_LINKS:-$(.venv/bin/python -m pip config get global.find-links 2>/dev/null || true)}
  UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index} UV_FIND_LINKS=${UV_FIND_LINKS:-${links// /,}} \
    SSL_CERT_FILE=${SSL_CERT_FILE:-${PIP_CERT:-}} \
    "$uv" pip install --quiet --python .venv/bin/python "$@" 2>/dev/null
}

_install() {
  _uv_install "$@" || .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
}

_fill_venv() {
  _venv_is "$1" && return # another process made it while this one waited
  _make_venv
  echo "installing the pinned requirements ($1) into .venv ..." >&2
  rm -f .venv/.stamp-*
  _install --require-hashes -r "requirements/$1.txt" ||
    give_up "the requirements could not be installed (see above); is the package index reachable?"
  # pip refuses an editable project together with hashes, hence the second step.
  _install --no-deps --no-build-isolation -e . || give_up "the project itself could not be installed into .venv (see above)"
  _venv_stamp "$1" > ".venv/.stamp-$1"
}

ensure_venv() {
  cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 3
  _venv_is "$1" && return
  [ "$1" = runtime ] && _venv_is dev && return # what development needs includes what running needs
  if command -v flock > /dev/null; then
    (flock 9 && _fill_venv "$1") 9< requirements || exit $?
  else
    (_fill_venv "$1") || exit $?
  fi
}
