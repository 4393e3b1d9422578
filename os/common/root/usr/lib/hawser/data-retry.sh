# shellcheck shell=sh
# What the firmware remembers of trouble with /data, for data-mount and data-watch. Sourced.
#
#   none    nothing
#   once    the box has been started again because of it
#   memory  and it failed again: the next start is to go on in memory
#
# On the disk it could not be kept: that is what fails.
readonly RETRY=/sys/firmware/efi/efivars/HawserDataRetry-68617773-6572-4000-8000-000000000000
# shellcheck disable=SC2034 # data-mount's
# While it is there, a factory reset was begun and is not finished.
readonly RESET=/sys/firmware/efi/efivars/HawserDataReset-68617773-6572-4000-8000-000000000000

# After four bytes of attributes the value, a byte.
retry() {
  case $(od -An -v -tu1 -j4 "$RETRY" 2>/dev/null) in
    *1) echo once ;;
    *2) echo memory ;;
    *) echo none ;;
  esac
}

# Variables are immutable files.
forget() { [ ! -e "$1" ] || { chattr -i "$1" && rm "$1"; }; }
forget_retry() { forget "$RETRY"; }

# set_retry once|memory
set_retry() {
  forget_retry
  case $1 in
    once) printf '\007\000\000\000\001' >"$RETRY" ;;
    memory) printf '\007\000\000\000\002' >"$RETRY" ;;
  esac
}
