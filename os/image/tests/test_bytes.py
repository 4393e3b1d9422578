"""The formats that are written here: tar and tree, ext's hash tree, cpio, PE, GPT; and ELF, which is read."""

import hashlib
import http.client
import io
import shutil
import struct
import tarfile
import tempfile
import unittest
import uuid
import zlib
from pathlib import Path

from .. import archive, disk, elf, images, kernel, load, sbom, uki
from ..lock import Package
from ..tree import Tree, file, folder, link
from ..verity import BLOCK_BYTES, SALT, verity

REPOSITORY = Path(__file__).resolve().parents[3]


def deb(entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A package with these entries."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:xz") as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    out = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0"), ("data.tar.xz", inner.getvalue())):
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        out += head.encode() + content + b"\n" * (len(content) % 2)
    return out


class Trees(unittest.TestCase):
    """A tree and the packages that it takes in."""

    def test_a_package_keeps_owners_modes_and_merged_paths(self):
        entry = tarfile.TarInfo("./sbin/tool")
        entry.mode, entry.uid, entry.gid = 0o2755, 0, 42
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "a.deb"
            path.write_bytes(deb([(entry, b"x"), (tarfile.TarInfo("./usr/share/doc/a"), b"y")]))
            tree = Tree()
            tree.unpack(path, lambda name: "/doc/" not in name)
        node = tree.nodes["usr/sbin/tool"]
        self.assertEqual((node.mode, node.gid, node.data), (0o2755, 42, b"x"))
        self.assertNotIn("usr/share/doc/a", tree.nodes)

    def test_what_is_no_package_is_refused(self):
        with self.assertRaises(archive.ArchiveError):
            archive.open_data(io.BytesIO(b"PK\3\4"), "x")

    def test_links_are_followed_and_circles_end(self):
        tree = Tree()
        tree.add("usr/lib/a", file("x"))
        tree.add("lib", link("usr/lib"))
        tree.add("etc/b", link("/lib/a"))
        tree.add("loop", link("loop"))
        self.assertEqual(tree.text("etc/b"), "x")
        tree.add("lib/c", file("y"))
        self.assertIn("usr/lib/c", tree.nodes)
        with self.assertRaises(ValueError):
            tree.get("loop")

    def test_a_tar_is_the_same_whatever_the_order_of_adding(self):
        first, second = Tree(), Tree()
        for tree, names in ((first, "ab"), (second, "ba")):
            for name in names:
                tree.add(name, file(name))
        self.assertEqual(first.tar(), second.tar())


class HashTree(unittest.TestCase):
    """dm-verity."""

    def test_one_block(self):
        block = b"x" * BLOCK_BYTES
        leaf = hashlib.sha256(SALT + block).digest().ljust(BLOCK_BYTES, b"\0")
        found = verity(block)
        self.assertEqual(found.tree, leaf)
        self.assertEqual(found.root, hashlib.sha256(SALT + leaf).hexdigest())

    def test_the_top_comes_first(self):
        found = verity(bytes(BLOCK_BYTES * 129))
        self.assertEqual(len(found.tree), 3 * BLOCK_BYTES)
        self.assertEqual(found.root, hashlib.sha256(SALT + found.tree[:BLOCK_BYTES]).hexdigest())

    def test_a_part_of_a_block_is_refused(self):
        with self.assertRaises(ValueError):
            verity(b"x")


class Initrd(unittest.TestCase):
    """cpio, newc."""

    def test_entries_are_aligned_and_end_with_the_trailer(self):
        tree = Tree()
        tree.add("init", file("abc", 0o755))
        tree.add("dir", folder())
        data = images.cpio(tree)
        self.assertEqual(data[:6], b"070701")
        self.assertEqual(len(data) % 512, 0)
        self.assertLess(data.index(b"dir\0"), data.index(b"init\0"))
        self.assertIn(b"TRAILER!!!\0", data)
        self.assertIn(b"000081ed", data)


def pe(sections_room: int = 8) -> bytes:
    """The least of a PE file: one section, and room for more."""
    head = bytearray(1024)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 64)
    head[64:68] = b"PE\0\0"
    struct.pack_into("<HH", head, 68, 0xAA64, 1)
    struct.pack_into("<H", head, 68 + 16, 112)
    struct.pack_into("<H", head, 88, uki.OPTIONAL_MAGIC_64)
    header_bytes = 88 + 112 + 40 * sections_room
    struct.pack_into("<II", head, 88 + 32, 4096, 512)
    struct.pack_into("<II", head, 88 + 56, 8192, header_bytes)
    struct.pack_into("<8sII", head, 200, b".text", 100, 4096)
    return bytes(head)


class UnifiedKernel(unittest.TestCase):
    """Sections of a PE file."""

    def test_sections_follow_each_other_in_memory_and_file(self):
        built = uki.build(pe(), pe(), b"i" * 700, "quiet", "6.12", "ID=hawser\n")
        head = uki.parse(built)
        self.assertEqual(head.count, 6)
        found = {}
        end = 8192
        for number in range(1, head.count):
            name, size, address, raw, at = struct.unpack_from("<8sIIII", built, head.sections + 40 * number)
            self.assertEqual(address, end)
            end = uki.up(address + size, 4096)
            found[name.rstrip(b"\0").decode()] = built[at : at + min(size, raw)]
        self.assertEqual(list(found), [".osrel", ".cmdline", ".uname", ".initrd", ".linux"])
        self.assertEqual(found[".cmdline"], b"quiet\0")
        self.assertEqual(found[".initrd"], b"i" * 700)
        self.assertEqual(head.image_bytes, end)

    def test_no_room_is_refused(self):
        with self.assertRaisesRegex(uki.PeError, "no room"):
            uki.build(pe(3), pe(), b"", "", "", "")

    def test_other_files_are_refused(self):
        with self.assertRaises(uki.PeError):
            uki.parse(bytes(512))


class PartitionTable(unittest.TestCase):
    """GPT."""

    def test_both_headers_are_right(self):
        parts = [disk.Partition("data", "linux-generic", "68617773-6572-4000-8000-00000000000d", 1 << 20, 1 << 20)]
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "disk"
            disk.write(path, parts, {"data": b"\0" * 70000 + b"end"})
            image = path.read_bytes()
        self.assertEqual(len(image), 3 << 20)
        self.assertEqual(image[510:512], b"\x55\xaa")
        for at, other in ((512, len(image) // 512 - 1), (len(image) - 512, 1)):
            head = bytearray(image[at : at + 92])
            self.assertEqual(head[:8], b"EFI PART")
            check, = struct.unpack_from("<I", head, 16)
            struct.pack_into("<I", head, 16, 0)
            self.assertEqual(check, zlib.crc32(head))
            self.assertEqual(struct.unpack_from("<Q", head, 32)[0], other)
            entries = struct.unpack_from("<Q", head, 72)[0] * 512
            self.assertEqual(struct.unpack_from("<I", head, 88)[0], zlib.crc32(image[entries : entries + 16384]))
        self.assertEqual(image[1024 + 16 : 1024 + 32], uuid.UUID(parts[0].uuid).bytes_le)
        self.assertEqual(image[(1 << 20) + 70000 : (1 << 20) + 70003], b"end")

    def test_what_does_not_fit_is_refused(self):
        parts = [disk.Partition("data", "esp", str(uuid.UUID(int=1)), 1 << 20, 1 << 20)]
        with tempfile.TemporaryDirectory() as scratch, self.assertRaisesRegex(ValueError, "data"):
            disk.write(Path(scratch) / "disk", parts, {"data": b"x" * ((1 << 20) + 1)})


def program(needed: list[str], interpreter: str = "") -> bytes:
    """The least of an ELF file that has a dynamic section."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    offsets, at = [], 1
    for name in needed:
        offsets.append(at)
        at += len(name) + 1
    entries = b"".join(struct.pack("<QQ", elf.DT_NEEDED, offset) for offset in offsets)
    entries += struct.pack("<QQ", elf.DT_STRTAB, 1000)
    loader = interpreter.encode() + b"\0"
    body = strings.ljust(1000, b"\0") + entries
    fields = (3, elf.MACHINE_AARCH64, 1, 0, 64, 0, 0, 64, 56, 3, 0, 0, 0)
    head = elf.MAGIC + bytes([2, 1, 1]) + bytes(9) + struct.pack("<HHIQQQIHHHHHH", *fields)
    start = 64 + 3 * 56
    # The strings lie at address 1000, which is this file's offset `start`.
    table = struct.pack("<IIQQQQQQ", elf.PT_LOAD, 4, start, 1000, 1000, len(body), len(body), 1)
    table += struct.pack("<IIQQQQQQ", elf.PT_DYNAMIC, 4, start + 1000, 2000, 2000, len(entries), len(entries), 1)
    table += struct.pack("<IIQQQQQQ", elf.PT_INTERP, 4, start + len(body), 0, 0, len(loader), len(loader), 1)
    return head + table + body + loader


class Closure(unittest.TestCase):
    """ELF."""

    def tree(self) -> Tree:
        tree = Tree()
        tree.add("usr/lib/ld.so", file(b""))
        tree.add("usr/bin/a", file(program(["libb.so.1"], "/usr/lib/ld.so")))
        return tree

    def test_a_missing_library_is_named(self):
        self.assertEqual(elf.missing(self.tree()), ["usr/bin/a needs libb.so.1"])

    def test_a_missing_loader_is_named(self):
        tree = self.tree()
        tree.remove("usr/lib/ld.so")
        self.assertIn("usr/bin/a needs /usr/lib/ld.so", elf.missing(tree))

    def test_libraries_through_links_are_found_and_the_rest_is_unused(self):
        tree = self.tree()
        home = elf.LIBRARY_FOLDERS[0]
        tree.add(f"{home}/libb.so.1.2", file(program([])))
        tree.add(f"{home}/libb.so.1", link("libb.so.1.2"))
        tree.add(f"{home}/libdead.so.1", file(program([])))
        tree.add(f"{home}/libopened.so.1", file(program([])))
        self.assertEqual(elf.missing(tree), [])
        self.assertEqual(elf.unused(tree, frozenset({"libopened.so.1"})), [f"{home}/libdead.so.1"])

    def test_another_machines_program_is_refused(self):
        data = bytearray(program([]))
        struct.pack_into("<H", data, 18, 62)
        with self.assertRaises(elf.ElfError):
            elf.parse(bytes(data), "x")


class Modules(unittest.TestCase):
    """Modules and what they need."""

    def kernel(self) -> kernel.Kernel:
        packed = {
            "a": ("kernel/a.ko", b"\0depends=b-c,in\0"),
            "b_c": ("kernel/b-c.ko", b"\0depends=\0softdep=pre: d\0"),
            "d": ("kernel/d.ko", b"\0depends=\0"),
        }
        return kernel.Kernel("6", b"", packed, frozenset({"in"}))

    def test_what_is_needed_comes_first(self):
        self.assertEqual(list(self.kernel().closure(["a"])), ["kernel/d.ko", "kernel/b-c.ko", "kernel/a.ko"])

    def test_an_unknown_module_is_refused(self):
        with self.assertRaisesRegex(kernel.KernelError, "ghost"):
            self.kernel().closure(["ghost"])


class Bill(unittest.TestCase):
    """The SBOM."""

    def test_only_linked_crates_are_listed(self):
        names = ("hawser", "used", "tested")
        graph = {
            "packages": [{"id": name, "name": name, "version": "1.0.0"} for name in names],
            "resolve": {
                "root": "hawser",
                "nodes": [
                    {"id": "hawser", "deps": [{"pkg": "used", "dep_kinds": [{"kind": None}]},
                                              {"pkg": "tested", "dep_kinds": [{"kind": "dev"}]}]},
                    {"id": "used", "deps": []},
                    {"id": "tested", "deps": []},
                ],
            },
        }  # fmt: skip
        text = "".join(f'[[package]]\nname = "{n}"\nversion = "1.0.0"\nchecksum = "c"\n' for n in names[1:])
        self.assertEqual([c["name"] for c in sbom.crates(text, graph)], ["used"])

    def test_a_version_is_quoted_in_its_purl(self):
        found = sbom.of_package(Package("root", "dbus", "1:2+deb13", "arm64", "0" * 64, 1))
        self.assertEqual(found["purl"], "pkg:deb/debian/dbus@1%3A2%2Bdeb13?arch=arm64")


class Load(unittest.TestCase):
    """The server that counts, and the second release."""

    def test_a_range_ends_where_the_file_ends(self):
        self.assertEqual(load.parse_range("bytes=4-7", 10), (4, 8))
        self.assertEqual(load.parse_range("bytes=4-99", 10), (4, 10))
        self.assertEqual(load.parse_range(None, 10), (0, 10))

    def test_a_range_behind_the_end_is_refused(self):
        for header in ("bytes=10-", "bytes=-5", "bytes=0-1,4-5"):
            with self.assertRaises(ValueError):
                load.parse_range(header, 10)

    def test_what_is_sent_is_counted(self):
        counter = load.Counter(bytes(100))
        with load.serve(counter) as server:
            link = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
            for wanted, count in (("bytes=0-59", 60), ("bytes=60-99", 40)):
                link.request("GET", "/x", headers={"Range": wanted})
                self.assertEqual(len(link.getresponse().read()), count)
            link.close()
            server.shutdown()
        self.assertEqual((counter.sent, counter.requests), (100, 2))

    def test_the_second_release_changes_each_place_once(self):
        with tempfile.TemporaryDirectory() as scratch:
            for name, _, _ in load.CHANGES:
                (Path(scratch) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / name, Path(scratch) / name)
            load.change(Path(scratch))
            for name, _, _ in load.CHANGES:
                self.assertNotEqual((REPOSITORY / name).read_text(), (Path(scratch) / name).read_text())
            with self.assertRaises(load.LoadError):
                load.change(Path(scratch))
