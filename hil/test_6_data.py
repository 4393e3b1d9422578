"""The data partition goes bad: what os/common/root/usr/lib/hawser/data-mount promises. The last: the disk is no more.

A file system that the kernel has made read-only is repaired in one reboot. One that cannot be mounted twice in a row is
replaced by memory, so that the gateway serves in any case, and the console says so.
"""

RESET = "/sys/firmware/efi/efivars/HawserDataReset-68617773-6572-4000-8000-000000000000"
# ext4's own way to find itself damaged: remount-ro.
DAMAGE = "echo damaged by a test >/sys/fs/ext4/{device}/trigger_fs_error"


def test_a_data_partition_that_turned_read_only_is_repaired_in_one_reboot(box):
    """The timer that looks each minute is there; here it is not waited for."""
    order = box.api.write_order("Before the damage")
    device = box.run("findmnt --noheadings --output SOURCE /data").rsplit("/", 1)[1]
    assert box.run("systemctl is-active hawser-data-watch.timer") == "active"
    box.run(DAMAGE.format(device=device))
    # Not by findmnt: the kernel of 6.12 says rw of what it writes to no more.
    assert box.run("touch /data/.rig 2>/dev/null || echo refused") == "refused"
    box.strategy.listen()
    box.run("systemctl --no-block start hawser-data-watch.service")
    boot = box.strategy.await_recording()
    assert boot.data == "ok"
    assert box.run("touch /data/.rig && rm /data/.rig") == ""
    assert order in box.api.orders()


def test_a_factory_reset_that_a_power_cut_has_ended_is_finished(box):
    """The firmware remembers that it was begun; what is left of the partition is not mended, nor given up."""
    old = box.api.write_order("Before the reset")
    device = box.run("findmnt --noheadings --output SOURCE /data")
    box.run(f"printf '\\007\\000\\000\\000\\001' >{RESET} && dd if=/dev/zero of={device} bs=1M count=64 conv=fsync "
            "2>/dev/null", timeout=60)  # fmt: skip
    box.strategy.cut()
    box.strategy.transition("booting")
    assert box.strategy.await_console().data == "ok"
    assert old not in box.api.orders()
    # Its owner's key for ssh went with the rest.
    box.strategy.forget()


def test_without_a_data_partition_it_serves_out_of_memory(box):
    """Overwritten from begin to end of its metadata, and the power cut: one reboot to try again, then it goes on."""
    device = box.run("findmnt --noheadings --output SOURCE /data")
    box.run(f"dd if=/dev/zero of={device} bs=1M conv=fsync count=$(($(cat /sys/class/block/{device[5:]}/size) / 2048)) "
            "2>/dev/null || true", timeout=240)  # fmt: skip
    box.strategy.cut()
    box.strategy.transition("booting")
    boot = box.strategy.await_console()
    assert boot.data == "degraded"
    assert any("/data is degraded" in alarm for alarm in box.api.status()["alarms"])
