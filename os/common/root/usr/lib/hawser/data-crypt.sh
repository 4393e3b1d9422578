# shellcheck shell=sh
# Encryption of /data, for data-mount: LUKS2, opened by 64 random bytes in the file hawser-data.key of a USB stick.
#
# Asked for by a file /data/encrypt on a partition that was never used, or beside /data/factory-reset; so a stick alone
# never does anything, and a box that was not asked waits for none. Whoever asked gets no plain text: without the stick
# the box is locked and goes on in memory.
#
# The header's UUID is the machine id, which the initrd reads there. Its label is the key's name, the begin of its
# sha256, for the operator; it is written last, so that one without it was interrupted.

readonly KEY=hawser-data.key KEY_BYTES=64
readonly MAPPED=hawser-data
# Nobody else can look into it.
readonly STICKS=/run/hawser/sticks
readonly CARRIED=/run/hawser/carried CARRIED_KIB_MAX=16384
# From here, not from power on; a stick behind a hub shows up after five. Where there is one, slow ones are waited for.
readonly STICK_SECONDS=20 SLOW_STICK_SECONDS=40
# For passwords a key is made expensive to try; 64 random bytes need no such thing.
readonly ITERATIONS=1000

# Without udev's rules for the device mapper, which the image lacks, cryptsetup would wait for udev for ever.
luks() { DM_DISABLE_UDEV=1 timeout "$TOOL_SECONDS_MAX" cryptsetup --batch-mode "$@"; }

uptime_seconds() { cut -d. -f1 /proc/uptime; }

# File systems on USB, without the box's own disk.
sticks() {
  own=$(readlink -f "/sys/class/block/${DEVICE#/dev/}/..")
  for block in /sys/class/block/sd*; do
    path=$(readlink -f "$block")
    case $path in
      "$own" | "$own"/*) ;;
      */usb[0-9]*) echo "${block##*/}" ;;
    esac
  done
}

# by_any_key COMMAND...: with each key that is plugged in as its last word, until one does.
by_any_key() {
  [ -d "$STICKS" ] || mkdir -m 0700 "$STICKS"
  for name in $(sticks); do
    /usr/lib/hawser/usb-mount "$name" "$STICKS/key" 2>/dev/null || continue
    key=$STICKS/key/$KEY
    done=no
    if [ -f "$key" ] && [ "$(stat -c %s "$key")" -eq "$KEY_BYTES" ] && "$@" "$key"; then done=yes; fi
    umount "$STICKS/key"
    [ "$done" = no ] || return 0
  done
  return 1
}

# The same, until a stick has had its time.
await_key() {
  begun=$(uptime_seconds)
  until by_any_key "$@"; do
    seconds_max=$STICK_SECONDS
    if grep -qsx 08 /sys/bus/usb/devices/*/bInterfaceClass; then seconds_max=$SLOW_STICK_SECONDS; fi
    [ $(($(uptime_seconds) - begun)) -lt "$seconds_max" ] || return 1
    sleep 0.25
  done
}

name_of_key() { sha256sum "$1" | cut -c1-8; }

# Grown before it is mapped: the mapping has the size of the partition then. Not without a key that fits, for the file
# system could not follow.
unlock() {
  luks open --test-passphrase --key-file "$1" "$DEVICE" 2>/dev/null || return
  grow || say "could not grow"
  luks open --key-file "$1" "$DEVICE" "$MAPPED" || return
  # shellcheck disable=SC2034 # data-mount's
  file_system=/dev/mapper/$MAPPED
}

open_encrypted() {
  wanted=$(blkid -p -o value -s LABEL "$DEVICE") || true
  if [ -z "$wanted" ]; then
    lock "encrypting it was interrupted: flash the disk again"
  elif await_key unlock; then
    # shellcheck disable=SC2034 # data-mount's
    state=encrypted
  else
    lock "plug in the stick with key $wanted, or its spare, and start again"
  fi
}

is_used() { [ -e /data/identity/complete ] || [ -e /data/var/lib/hawser ]; }

# What the owner has put there before the first start. Its plain text is overwritten where it lies; that of years, which
# a factory reset gives up, would take hours.
carry() {
  mkdir -m 0700 "$CARRIED"
  [ "$(du -sk /data | cut -f1)" -le "$CARRIED_KIB_MAX" ] && cp -a /data/. "$CARRIED" || return
  rm -rf "$CARRIED/encrypt" "$CARRIED/lost+found"
}
overwrite() {
  find /data -xdev -type f ! -path /data/encrypt -size +0 | while read -r path; do
    dd if=/dev/zero of="$path" bs="$(stat -c %s "$path")" count=1 conv=notrunc,fsync 2>/dev/null || return
  done
}

# encrypt_with KEY: from here on a power cut means to flash again, which /data/encrypt says, and then the header.
encrypt_with() {
  uuid=$(sed 's/^\(.\{8\}\)\(.\{4\}\)\(.\{4\}\)\(.\{4\}\)/\1-\2-\3-\4-/' /etc/machine-id)
  echo begun >/data/encrypt && sync /data/encrypt || return
  if [ -d "$CARRIED" ]; then overwrite || return; fi
  umount /data || return
  # mke2fs tells the disk first that nothing on it counts any more.
  mke2fs -q -t ext4 -F "$DEVICE" || return
  luks luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations "$ITERATIONS" --sector-size 4096 \
    --uuid "$uuid" --key-file "$1" "$DEVICE" || return
  unlock "$1" && empty || return
  # With the mode that /data had.
  if [ -d "$CARRIED" ]; then cp -a "$CARRIED/." /data || return; fi
  sync
  luks config --label "$(name_of_key "$1")" "$DEVICE"
}

encrypt_data() {
  if [ -s /data/encrypt ]; then
    refuse "encrypting it was interrupted: flash the disk again"
  elif [ -e /data/factory-reset ]; then
    encrypt_now
  elif is_used; then
    say "in use, so it is not encrypted without a factory reset"
  elif carry; then
    encrypt_now
  else
    refuse "more than $((CARRIED_KIB_MAX / 1024)) MiB on it: too much to encrypt it"
  fi
}

encrypt_now() {
  if await_key encrypt_with; then
    # shellcheck disable=SC2034 # data-mount's
    state=encrypted
  elif mountpoint -q /data && [ ! -s /data/encrypt ]; then
    refuse "plug in a stick with $KEY, $KEY_BYTES random bytes, and start again"
  else
    return 1
  fi
  rm -rf "$CARRIED"
}

refuse() {
  umount /data && lock "$1"
}
