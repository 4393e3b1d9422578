# shellcheck shell=bash
# What every script of this folder needs: messages, versions, root. Sourced, never run; it does nothing by itself.

# Exit code for "a person must do something first": told apart from a failed build (1) by make, CI and the tests.
export EXIT_NEEDS_PERSON=3

REPO_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export REPO_DIR

# Tools compiled once per machine (cargo-deny): outside target/, so that a fresh clone finds them again.
export TOOLS_DIR=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/hawser

say() { printf '%s\n' "$*" >&2; }

# fail CODE MESSAGE: every script ends through here, so that the name of the script is always in the message.
fail() {
  local code=$1
  shift
  say "${0##*/}: $*"
  exit "$code"
}

have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least HAVE WANT: compares dotted numbers; an empty HAVE is older than everything.
version_at_least() {
  [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# Asked before anything is installed: whether root can be had without leaving a script waiting for a password that
# nobody types. A terminal may be asked, a pipe or CI may not.
can_be_root() {
  [ "$(id -u)" -eq 0 ] && return 0
  have sudo || return 1
  sudo -n true 2>/dev/null || [ -t 0 ]
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}
