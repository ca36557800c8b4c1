# Sourced by the scripts: programs of the system, installed by apt where that is allowed without asking.
# shellcheck shell=bash

_as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# install_packages PACKAGE...: 0 when they are installed now; 1 when this user may not, or there is no apt.
install_packages() {
  command -v apt-get > /dev/null && _as_root true 2> /dev/null || return 1
  echo "installing $* by apt ..." >&2
  _as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -c '
    apt-get install -qq -y --no-install-recommends "$@" > /dev/null 2>&1 ||
      { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@" > /dev/null; }' sh "$@" >&2
}

# need COMMAND PACKAGE: the command is there, if need be after installing its package. Broker daemons live in sbin.
need() {
  PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$1" > /dev/null || install_packages "$2"
}
