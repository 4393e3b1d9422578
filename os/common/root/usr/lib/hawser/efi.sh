# shellcheck shell=sh
# What the firmware's variables say about slots, for the scripts beside this file. Sourced; it reads and writes nothing.

export EFI_VARIABLES=/sys/firmware/efi/efivars
export EFI_GLOBAL=8be4df61-93ca-11d2-aa0d-00e098032b8c

# boot_numbers NAME: the entries that a variable names, "000A 000B ", or nothing when the firmware has no such variable.
# After four bytes of attributes two bytes each, the low one first.
boot_numbers() {
  [ -e "$EFI_VARIABLES/$1-$EFI_GLOBAL" ] || return 0
  od -An -v -tx1 -w2 -j4 "$EFI_VARIABLES/$1-$EFI_GLOBAL" | tr a-f A-F |
    while read -r low high; do printf '%s ' "$high$low"; done
}

# running_entry: the number of the running slot's own entry.
running_entry() { case $HAWSER_SLOT in hawser-a) echo 000A ;; *) echo 000B ;; esac; }

# Only a slot that was started by its own entry while the order lacks that entry, and has the other's to go back to.
on_trial() {
  own=$(running_entry)
  [ "$(boot_numbers BootCurrent)" = "$own " ] || return 1
  case " $(boot_numbers BootOrder)" in
    *" $own "*) return 1 ;;
    *' 000A '* | *' 000B '*) return 0 ;;
    *) return 1 ;;
  esac
}
