"""What holds no machine: tables of sockets, the console, the configuration."""

import re
import tempfile
import threading
import tomllib
import unittest
from pathlib import Path
from types import SimpleNamespace

from rig import around, console, exfat, ports, provision, wait
from rig.ports import Port

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 3500007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000   997        0 5 1 0 100 0 0 10 5
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 6 1 0 100 0 0 10 0
   2: 0F02000A:0016 0202000A:D3C4 01 00000000:00000000 02:00000000 00000000     0        0 7 2 0 20 4 30 10 -1
"""
UDP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   9: 000080FE00000000FF005450563412FE:0222 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000
"""
OWNER = provision.Owner("ssh-ed25519 AAAA rig\n", "PEM", "token", 5020, 8443)
BENCH = SimpleNamespace(lan_host="10.0.2.2", uplink_host="10.0.3.2", gps_port="/dev/gps", meter_port="/dev/meter",
                        can_listens="can0")  # fmt: skip


class Sockets(unittest.TestCase):
    """/proc/net."""

    def test_who_waits_is_told_from_who_talks(self):
        self.assertEqual(ports.parse(TCP, "tcp"), {Port("tcp", "lo", 53), Port("tcp", "*", 22)})

    def test_an_address_of_six_is_read_in_words(self):
        self.assertEqual(ports.parse(UDP6, "udp"), {Port("udp", "fe80::5054:ff:fe12:3456", 546)})


class Console(unittest.TestCase):
    """What the box says of itself."""

    def test_the_line_is_read(self):
        found = console.RECORDING.search("\r\nHawser 0.1.0, hawser-b, data ok: recording after 9.10 s\r\n")
        self.assertEqual(console.Recording.of(found), console.Recording("0.1.0", "hawser-b", "ok", 9.1))

    def test_a_wait_sees_what_was_said_after_its_mark_only(self):
        with tempfile.TemporaryDirectory() as scratch:
            tap = console.Tap(Path(scratch) / "log")
            tap.take(b"one two")
            mark = tap.mark()
            threading.Timer(0.05, tap.take, (b" two and thr",)).start()
            threading.Timer(0.10, tap.take, (b"ee",)).start()
            self.assertEqual(tap.wait("three", mark, 5.0).start(), len("one two two and "))
            with self.assertRaisesRegex(console.SilentError, "/one/.* two and three"):
                tap.wait("one", mark, 0.05)

    def test_the_image_says_it_in_these_words(self):
        script = Path(__file__).resolve().parents[3] / "os/common/root/usr/lib/hawser/console"
        self.assertIsNotNone(
            re.search(r"\$PRETTY_NAME, \$\{HAWSER_SLOT\}, data .*: recording after \$", script.read_text())
        )


class Waiting(unittest.TestCase):
    """For what has no event."""

    def test_the_first_true_answer_counts_and_an_expected_error_does_not(self):
        answers = iter([0, OSError("away"), 7])

        def look():
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.assertEqual(wait.eventually("seven", 5.0, look, (OSError,)), 7)

    def test_the_deadline_tells_what_was_seen(self):
        with self.assertRaisesRegex(AssertionError, "a pigeon; last seen: ''"):
            wait.eventually("a pigeon", 0.0, lambda: "")


class Owner(unittest.TestCase):
    """What is put on /data."""

    def test_the_configuration_is_one_and_names_the_bench(self):
        buses = {bus["name"]: bus["address"] for bus in tomllib.loads(provision.configuration(BENCH, OWNER))["bus"]}
        self.assertEqual(buses["switchboard"], "tcp://10.0.2.2:5020")
        self.assertEqual(buses["gps"], "serial:///dev/gps")

    def test_secrets_are_for_root_only(self):
        tree = provision.data(BENCH, OWNER)
        self.assertEqual(tree.nodes["etc/hawser/secrets.env"].mode, 0o600)
        self.assertEqual(tree.nodes["etc/ssh/authorized_keys"].mode, 0o600)

    def test_a_copy_of_a_disk_is_the_same_and_as_sparse(self):
        with tempfile.TemporaryDirectory() as scratch:
            source, target = Path(scratch) / "a", Path(scratch) / "b"
            source.write_bytes(b"x" * 10 + bytes(8 << 20) + b"y")
            provision.copy_sparse(source, target)
            self.assertEqual(source.read_bytes(), target.read_bytes())
            self.assertLess(target.stat().st_blocks, source.stat().st_blocks)


class Exfat(unittest.TestCase):
    """A stick with one file; that a kernel reads it is for the box to show."""

    def test_the_file_lies_where_its_entry_says(self):
        with tempfile.TemporaryDirectory() as scratch:
            source, target = Path(scratch) / "a-name-of-more-than-fifteen.raucb", Path(scratch) / "stick"
            source.write_bytes(b"begin" + bytes(100000) + b"end")
            exfat.write(target, source)
            image = target.read_bytes()
            self.assertEqual(image[3:11], b"EXFAT   ")
            heap = int.from_bytes(image[88:92], "little") * exfat.SECTOR_BYTES
            root = heap + (int.from_bytes(image[96:100], "little") - 2) * exfat.CLUSTER_BYTES
            stream = image[root + 96 : root + 128]
            begin = heap + (int.from_bytes(stream[20:24], "little") - 2) * exfat.CLUSTER_BYTES
            size = int.from_bytes(stream[24:32], "little")
            self.assertEqual(image[begin : begin + size], source.read_bytes())

    def test_the_sum_of_letters_is_that_of_the_specification(self):
        self.assertEqual(exfat.rotating_sum(b"\x01\x02", 16), 0x8002)
        self.assertEqual(exfat.rotating_sum(b"\x01\xff\x02", 32, left_out=(1,)), 0x80000002)
