"""Variants: what is read back of a build is what had been put into it, and a change is in the tree."""

import json
import struct
import unittest
from pathlib import Path

from .. import build, delta, uki, variant
from ..lock import parse_lock
from ..tools import Tools
from ..tree import Node, Tree, file, folder, link

REPOSITORY = Path(__file__).resolve().parents[3]
LOCK = REPOSITORY / "os/image/packages.lock"


def stub() -> bytes:
    """The smallest 64-bit PE file with room for sections."""
    image = bytearray(1024)
    image[:2] = b"MZ"
    struct.pack_into("<I", image, uki.PE_OFFSET_AT, 64)
    image[64:68] = uki.PE_MAGIC
    struct.pack_into("<H", image, 68 + 16, 112)
    optional = 68 + 20
    struct.pack_into("<H", image, optional, uki.OPTIONAL_MAGIC_64)
    struct.pack_into("<II", image, optional + 32, 4096, 512)
    struct.pack_into("<II", image, optional + 56, 4096, 1024)
    return bytes(image)


class Manifest(unittest.TestCase):
    """manifest.txt."""

    def test_every_kind_of_entry_comes_back(self):
        tree = Tree()
        tree.add("etc", folder(0o755))
        tree.add("etc/secret file", file("x", 0o640, 0, 42))
        tree.add("etc/link", link("../a -> b"))
        found = variant.parse_manifest(build.manifest(tree))
        self.assertEqual(found["etc/secret file"], Node("file", 0o640, 0, 42))
        self.assertEqual(found["etc/link"], tree.nodes["etc/link"])
        self.assertEqual(found["etc"], tree.nodes["etc"])

    def test_another_form_is_refused(self):
        with self.assertRaises(variant.VariantError):
            variant.parse_manifest("0755 0:0 etc folder\n")


class Kernel(unittest.TestCase):
    """The unified kernel image."""

    def test_it_is_taken_apart_as_it_was_put_together(self):
        whole = uki.build(stub(), stub() + b"kernel", b"initrd", "hawser.root=1", "6.12", "ID=hawser\n")
        plain, found = variant.split(whole)
        self.assertEqual(found[".initrd"], b"initrd")
        self.assertEqual(found[".linux"][: len(stub()) + 6], stub() + b"kernel")
        again = uki.build(plain, stub() + b"kernel", b"initrd", "hawser.root=1", "6.12", "ID=hawser\n")
        self.assertEqual(again, whole)

    def test_one_with_other_sections_is_refused(self):
        image = bytearray(stub())
        for name in (".osrel", ".cmdline", ".uname", ".initrd", ".dtb"):
            uki.add_section(image, name, b"x", 1)
        with self.assertRaises(variant.VariantError):
            variant.split(bytes(image))


class Changes(unittest.TestCase):
    """What makes a variant one."""

    def test_the_unit_that_panics_is_enabled_and_no_other(self):
        files = variant.changes("1")["panic"].files
        wanted = files[f"{variant.UNITS}/multi-user.target.wants/panic.service"]
        self.assertEqual(wanted.target, "../panic.service")
        self.assertIn(f"{variant.UNITS}/panic.service", files)
        self.assertEqual(len(files), 2)

    def test_the_deaf_one_takes_away_what_the_service_allows(self):
        unit = (REPOSITORY / "os/common/hawser.service").read_text()
        self.assertIn("DeviceAllow=char-ttyUSB", unit)
        self.assertRegex(unit, "RestrictAddressFamilies=.*AF_CAN")
        deaf = variant.changes("1")["deaf"].files[f"{variant.UNITS}/hawser.service.d/90-deaf.conf"].data.decode()
        self.assertIn("\nDeviceAllow=\n", deaf)
        self.assertIn("\nRestrictAddressFamilies=~AF_CAN\n", deaf)


class Deltas(unittest.TestCase):
    """What a bundle has for boxes that run a known version, done as src/update/delta.rs does it."""

    BASE = bytes(number * number % 251 for number in range(20_000))

    def made(self, file_bytes: bytes) -> tuple[dict, bytes]:
        """The head, and what its pieces make of BASE."""
        head, body = file_bytes.split(b"\n", 1)
        made, old = b"", 0
        while body:
            adds, takes, skip = delta.NUMBERS.unpack_from(body)
            add, take = body[24 : 24 + adds], body[24 + adds : 24 + adds + takes]
            made += bytes((a + b) % 256 for a, b in zip(add, self.BASE[old:], strict=False)) + take
            old += adds + delta.signed(skip)
            body = body[24 + adds + takes :]
        return json.loads(head), made

    def test_what_bsdiff_finds_makes_the_new_program(self):
        program = self.BASE[:7000] + b"a line more" + self.BASE[6000:]
        pieces = delta.compare(self.BASE, program, Tools(parse_lock(LOCK.read_text())))
        root = bytes(8192) + program + bytes(-len(program) % 4096)
        head, made = self.made(delta.render(root, program, 100_000, pieces))
        self.assertEqual(made, program)
        self.assertEqual((head["at"], head["bytes"], head["hashes_at"]), (8192, len(program), 100_000 + 2 * 32))

    def test_a_variant_of_the_program_is_in_other_blocks(self):
        for size in (8192, 10_000, 12_287):
            program = self.BASE[:size]
            longer = variant.longer(program, 8192, "1")
            self.assertEqual(longer[:size], program)
            old = {program[at : at + 4096] for at in range(0, size, 4096)}
            new = [longer[at : at + 4096] for at in range(0, len(longer), 4096)]
            self.assertEqual(sum(block in old for block in new), size // 4096)

    def test_blocks_of_zeros_are_holes(self):
        self.assertEqual(delta.on_disk(b"a" * 4096 + bytes(8192) + b"b"), b"a" * 4096 + b"b" + bytes(4095))

    def test_a_program_in_two_pieces_is_refused(self):
        with self.assertRaises(delta.DeltaError):
            delta.render(b"\0" * 100 + self.BASE, self.BASE, 0, [])

    def test_numbers_have_a_sign_and_a_magnitude(self):
        for value in (0, 1, -1, 1 << 40, -(1 << 40)):
            self.assertEqual(delta.signed(delta.number(value)), value)
