"""Variants: what is read back of a build is what had been put into it, and a change is in the tree."""

import struct
import unittest
from pathlib import Path

from .. import build, uki, variant
from ..tree import Node, Tree, file, folder, link

REPOSITORY = Path(__file__).resolve().parents[3]


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
