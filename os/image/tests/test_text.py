"""The files that people write: packages, modules, accounts, units, patterns, partitions."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from .. import accounts, boot, compare, disk, kernel, lock, rootfs, schema, units
from ..tree import Tree, file, link

REPOSITORY = Path(__file__).resolve().parents[3]
COMMON = REPOSITORY / "os/common"


class Console(unittest.TestCase):
    """What the box says of itself."""

    def test_a_start_that_takes_long_is_no_start(self):
        self.assertIsNone(boot.RECORDING.search(b"Hawser 0.1.0, hawser-a: not recording after 60 s"))
        found = boot.RECORDING.search(b"Hawser 0.1.0, hawser-a, data ok: recording after 9.10 s")
        self.assertEqual(found[1], b"9.10")


class Sample(unittest.TestCase):
    """The first configuration of a box."""

    def test_the_page_is_open_to_the_vessel(self):
        aboard = rootfs.for_the_vessel((REPOSITORY / "configs/gateway.toml").read_text())
        self.assertIn('\nlisten = "0.0.0.0:8080"\n', aboard)

    def test_a_sample_without_that_line_is_refused(self):
        with self.assertRaisesRegex(ValueError, "not one line"):
            rootfs.for_the_vessel("listen = 1")


class Lock(unittest.TestCase):
    """packages.txt and packages.lock."""

    def test_wanted_has_sets_names_and_refusals(self):
        wanted = lock.parse_wanted("[root]\na b # why\n-c\n[tools]\nd\n")
        self.assertEqual(wanted["root"], lock.Wanted(("a", "b"), frozenset({"c"})))
        self.assertEqual(wanted["tools"].names, ("d",))

    def test_a_package_before_any_set_is_refused_by_line(self):
        with self.assertRaisesRegex(lock.LockError, "line 2"):
            lock.parse_wanted("# head\nsystemd\n")

    def test_what_was_rendered_is_read_again(self):
        second = lock.Package("root", "b", "1:2-3", "arm64", "0" * 64, 7)
        packages = [second, lock.Package("root", "a", "1", "all", "f" * 64, 8)]
        self.assertEqual(lock.parse_lock(lock.render_lock(packages)), sorted(packages))

    def test_a_cut_line_is_refused(self):
        with self.assertRaisesRegex(lock.LockError, "line 1"):
            lock.parse_lock("root bash 5.2 arm64 abc 12\n")

    def test_an_empty_set_is_refused(self):
        with self.assertRaisesRegex(lock.LockError, "tools"):
            lock.of_set([lock.Package("root", "a", "1", "all", "f" * 64, 8)], "tools")

    def test_the_lock_of_the_tree_is_whole(self):
        packages = lock.parse_lock((REPOSITORY / "os/image/packages.lock").read_text())
        self.assertEqual({p.set for p in packages}, {"root", "tools-amd64", "tools-arm64"})
        names = {p.name for p in lock.of_set(packages, "root")}
        self.assertLessEqual({"systemd", "rauc", "mosquitto", "systemd-boot-efi", "nftables"}, names)

    def test_no_file_of_the_tree_names_a_registrys_host(self):
        hosts = ("deb." + "debian", "snapshot." + "debian", "archive." + "ubuntu", "crates" + ".io/api")
        for path in sorted((REPOSITORY / "os").rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                text = path.read_bytes().decode(errors="replace")
                self.assertFalse([host for host in hosts if host in text], path)


class Accounts(unittest.TestCase):
    """sysusers.d and the table of numbers."""

    def apply(self, *lines: str, pins: dict[str, int] | None = None) -> accounts.Accounts:
        found = accounts.Accounts(groups={"nogroup": 65534})
        for line in lines:
            accounts.apply_line(found, line, pins or {})
        return found

    def test_a_user_brings_a_group_of_its_number(self):
        found = self.apply('u! hawser - "The gateway" /var/lib/hawser', pins={"hawser": 950})
        self.assertEqual(found.passwd(), "hawser:x:950:950:The gateway:/var/lib/hawser:/usr/sbin/nologin\n")
        self.assertIn("hawser:x:950:\n", found.group())

    def test_a_named_group_is_taken(self):
        found = self.apply('u sshd -:nogroup "sshd user" /run/sshd', pins={"sshd": 994})
        self.assertIn("sshd:x:994:65534:", found.passwd())

    def test_without_a_number_it_is_refused(self):
        with self.assertRaisesRegex(accounts.AccountError, "newcomer"):
            self.apply("u newcomer -")

    def test_members_are_listed_once(self):
        found = self.apply("g dialout 20", "m hawser dialout", "m hawser dialout")
        self.assertIn("dialout:x:20:hawser\n", found.group())

    def test_numbers_are_given_once(self):
        pins = accounts.parse_pins((COMMON / "numbers.txt").read_text())
        self.assertEqual(len(set(pins.values())), len(pins))


class Units(unittest.TestCase):
    """Enabling by a preset."""

    def tree(self, preset: str, **more: str) -> Tree:
        tree = Tree()
        tree.add(units.PRESET, file(preset))
        for name, text in more.items():
            tree.add(f"usr/lib/systemd/system/{name.replace('__', '@')}.service", file(text))
        return tree

    def test_links_are_made_for_wanted_and_also(self):
        tree = self.tree("enable a.service\ndisable *\n", a="[Install]\nWantedBy=x.target\nAlso=b.service\n",
                         b="[Install]\nAlias=c.service\n")  # fmt: skip
        units.apply_preset(tree)
        made = tree.nodes["etc/systemd/system/x.target.wants/a.service"]
        self.assertEqual(made.target, "/usr/lib/systemd/system/a.service")
        self.assertIn("etc/systemd/system/c.service", tree.nodes)

    def test_also_does_not_reach_what_is_disabled(self):
        tree = self.tree("enable a.service\ndisable b.service\n", a="[Install]\nAlso=b.service\n",
                         b="[Install]\nWantedBy=x.target\n")  # fmt: skip
        units.apply_preset(tree)
        self.assertNotIn("etc/systemd/system/x.target.wants/b.service", tree.nodes)

    def test_links_of_packages_go_but_masks_stay(self):
        tree = self.tree("disable *\n")
        tree.add("etc/systemd/system/x.target.wants/d.service", link("/usr/lib/systemd/system/d.service"))
        tree.add("etc/systemd/system/e.service", link("/dev/null"))
        units.apply_preset(tree)
        self.assertNotIn("etc/systemd/system/x.target.wants/d.service", tree.nodes)
        self.assertIn("etc/systemd/system/e.service", tree.nodes)

    def test_a_unit_that_is_not_there_is_refused(self):
        with self.assertRaisesRegex(units.UnitError, "ghost"):
            units.apply_preset(self.tree("enable ghost.service\n"))


class Lists(unittest.TestCase):
    """Modules, patterns, partitions."""

    def test_modules_of_sections(self):
        self.assertEqual(kernel.parse_list("[a]\nx y # why\n[b]\n[ z\n"), {"a": ["x", "y"], "b": ["[", "z"]})

    def test_a_pattern_matches_whole_paths(self):
        patterns = rootfs.parse_patterns("# head\nusr/share/doc/*\nusr/bin/su\n")
        self.assertTrue(patterns.match("usr/share/doc/a/b"))
        self.assertTrue(patterns.match("usr/bin/su"))
        self.assertFalse(patterns.match("usr/bin/sum"))

    def test_the_partitions_lie_one_behind_the_other(self):
        parts = disk.layout(COMMON / "repart.d")
        self.assertEqual([p.label for p in parts], ["boot-a", "boot-b", "rootfs-a", "rootfs-b", "data"])
        for first, second in zip(parts, parts[1:]):
            self.assertEqual(first.start + first.size, second.start)

    def test_initrd_and_partitions_agree_on_the_slots(self):
        source = (COMMON / "init/init.c").read_text()
        for part in disk.layout(COMMON / "repart.d")[:2]:
            self.assertIn(f'{{\'{part.label[-1]}\', "{part.uuid}"', source)


class Compare(unittest.TestCase):
    """What two builds have in common."""

    def test_what_differs_or_is_missing_is_named(self):
        first, second = compare.parse("1  a\n2  b\n3  c\n"), compare.parse("1  a\n9  b\n")
        self.assertEqual(compare.differences(first, second), ["b", "c"])

    def test_sources_replace_older_ones_and_what_was_built_stays(self):
        with tempfile.TemporaryDirectory() as scratch:
            first, second = Path(scratch) / "first", Path(scratch) / "second"
            (first / "a").mkdir(parents=True)
            (first / "a/new").write_text("1")
            (first / "link").symlink_to("/nowhere")
            subprocess.run(["git", "init", "--quiet", first], check=True)
            for name in ("target/kept", "a/old", "link"):
                (second / name).parent.mkdir(parents=True, exist_ok=True)
                (second / name).write_text("0")
            compare.copy_sources(first, second)
            found = {path.relative_to(second).as_posix() for path in second.rglob("*") if not path.is_dir()}
            self.assertEqual(found, {"a/new", "link", "target/kept"})


class Schema(unittest.TestCase):
    """The number of the data's schema: in the manifest, and as the box compares it."""

    def refused(self, data: str | None, bundle: str | None) -> bool:
        """Whether the box's handler refuses a bundle of this schema for data of that one."""
        with tempfile.TemporaryDirectory() as scratch:
            stored = Path(scratch) / "schema"
            if data is not None:
                stored.write_text(data)
            environment = os.environ | {"HAWSER_SCHEMA_FILE": str(stored)}
            if bundle is not None:
                environment["RAUC_META_HAWSER_SCHEMA"] = bundle
            handler = COMMON / "root/usr/lib/hawser/check-install"
            return subprocess.run([handler], env=environment, stderr=subprocess.DEVNULL).returncode != 0

    def test_steps_are_counted_not_words(self):
        steps = 'pub const MIGRATIONS: &[Migration] = &[Migration(V1), Migration(\n "a")];'
        source = f"use Migration;\n{steps}\nMigration(V3)\n"
        self.assertEqual(schema.count_steps(source), 2)

    def test_sources_of_another_form_are_refused(self):
        head = "pub const MIGRATIONS: &"
        for source in ("", f"{head}[Migration] = &[];\n", f"{head}[Step] = &[Step(V1)];\n"):
            with self.assertRaises(schema.SchemaError):
                schema.count_steps(source)

    def test_the_programs_own_number_is_known(self):
        self.assertGreaterEqual(schema.of_sources(REPOSITORY), 2)

    def test_only_an_older_program_is_refused(self):
        self.assertTrue(self.refused("3\n", "2"))
        self.assertTrue(self.refused("1\n", None))
        self.assertFalse(self.refused("3\n", "3"))
        self.assertFalse(self.refused("3\n", "10"))

    def test_data_that_says_nothing_takes_any_bundle(self):
        self.assertFalse(self.refused(None, None))
        self.assertFalse(self.refused("", "0"))
        self.assertFalse(self.refused("torn\n", "0"))
