# shellcheck shell=bash
# Which Rust compiler to use. Sourced after common.sh; it only looks and never installs (scripts/setup does).
#
# One compiler for make and CI alike, in this order:
#   path    cargo and rustc of PATH (a system's or rustup's) at RUST_WANTED or newer
#   debian  Debian's rustc-web and cargo-web in /usr/bin, which an older rustup in PATH hides
#   older   cargo and rustc of PATH at RUST_TOLERATED or newer, told to ignore the manifest's rust-version
#   none    nothing that serves
# All share one target folder: the compiler's version is part of every file name that cargo makes there.

readonly RUST_WANTED=1.96
readonly RUST_TOLERATED=1.95
# Named by the tests, which have a Debian of their own.
readonly DEBIAN_BIN=${HAWSER_DEBIAN_BIN:-/usr/bin}

# version_of PROGRAM: "1.96.0", or nothing. A rustup shim must not download a toolchain just to answer this.
version_of() { RUSTUP_AUTO_INSTALL=0 "$1" --version 2>/dev/null | awk 'NR == 1 { print $2 }' || true; }

# The older of cargo and rustc decides: the two can come from different places.
older_version() {
  local cargo_version rustc_version
  cargo_version=$(version_of "$1")
  rustc_version=$(version_of "$2")
  if [ -z "$cargo_version" ] || [ -z "$rustc_version" ]; then return; fi
  printf '%s\n%s\n' "$cargo_version" "$rustc_version" | sort -V | head -n 1
}

# Sets TOOLCHAIN (see the head of this file) and TOOLCHAIN_VERSION.
# shellcheck disable=SC2034 # both are for the script that sources this one
find_toolchain() {
  local from_path from_debian
  from_path=$(older_version cargo "${RUSTC:-rustc}")
  TOOLCHAIN=path TOOLCHAIN_VERSION=$from_path
  if version_at_least "$from_path" "$RUST_WANTED"; then return; fi
  from_debian=$(older_version "$DEBIAN_BIN/cargo" "$DEBIAN_BIN/rustc")
  TOOLCHAIN=debian TOOLCHAIN_VERSION=$from_debian
  if version_at_least "$from_debian" "$RUST_WANTED"; then return; fi
  TOOLCHAIN=older TOOLCHAIN_VERSION=$from_path
  if version_at_least "$from_path" "$RUST_TOLERATED"; then return; fi
  TOOLCHAIN=none TOOLCHAIN_VERSION=''
}

# Puts the found compiler in front of whatever else PATH holds.
enter_toolchain() {
  find_toolchain
  case $TOOLCHAIN in
    path | older) ;;
    debian)
      # cargo looks for cargo-clippy and cargo-fmt in its own home first, unless PATH names that folder somewhere.
      export PATH="$DEBIAN_BIN:$PATH:${CARGO_HOME:-${HOME:-/nonexistent}/.cargo}/bin"
      export RUSTC=$DEBIAN_BIN/rustc RUSTDOC=$DEBIAN_BIN/rustdoc
      ;;
    none) fail "$EXIT_NEEDS_PERSON" "$(no_toolchain_advice)" ;;
  esac
}

# The compiler of a distribution's package, whose components are packages too, whatever cargo PATH names it by.
is_packaged_toolchain() { [ "$("${RUSTC:-rustc}" --print sysroot)" = /usr ]; }

no_toolchain_advice() {
  printf '%s\n' "no Rust $RUST_WANTED found (cargo and rustc). Do one of these, then try again:
  Debian 12 or 13:  sudo apt-get update && sudo apt-get install -y cargo-web rustc-web
  with rustup:      rustup toolchain install $RUST_WANTED && rustup override set $RUST_WANTED
  neither:          install rustup (Debian 13, Ubuntu 24.04 and newer: sudo apt-get install -y rustup; elsewhere see
                    the installation page of the Rust language), then the line above"
}
