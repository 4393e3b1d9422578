"""The command line: `scripts/image VERB`."""

import argparse
import sys
from pathlib import Path

from . import apt, boot, compare, delta, keys, load, lock, variant
from .archive import ArchiveError
from .build import BuildError, Options, build
from .accounts import AccountError
from .kernel import KernelError
from .schema import SchemaError
from .tools import Tools
from .units import UnitError

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
# What a person can act on; everything else is a fault of the builder and shows where.
EXPECTED = (lock.LockError, ArchiveError, BuildError, AccountError, KernelError, UnitError, keys.KeyringError,
            SchemaError, delta.DeltaError, boot.BootError, compare.CompareError, load.LoadError, variant.VariantError,
            RuntimeError)  # fmt: skip
PROFILES = ("release", "ci", "dev")
SETS = (("root", "arm64", "root"), ("tools-amd64", "amd64", "tools"), ("tools-arm64", "arm64", "tools"))


def refresh_lock(_: argparse.Namespace) -> None:
    """Resolves packages.txt anew."""
    wanted = lock.parse_wanted((HERE / "packages.txt").read_text())
    packages = []
    for name, architecture, section in SETS:
        source = apt.Apt(architecture)
        source.refresh()
        packages += source.resolve(name, wanted[section])
    (HERE / "packages.lock").write_text(lock.render_lock(packages))
    print(f"image: {len(packages)} packages locked")


def make_keys(_: argparse.Namespace) -> None:
    """Makes the keys of updates."""
    keys.make(keys.keys_dir())
    print(f"image: keys in {keys.keys_dir()}: keep a copy where no machine reaches it")


def build_image(arguments: argparse.Namespace) -> None:
    """Builds everything."""
    bases = tuple(path.resolve() for path in arguments.delta_from)
    out, bundle = arguments.out.resolve(), not arguments.disk_only
    build(Options(REPOSITORY, out, arguments.profile, keys.keys_dir(), bundle, bases))


def boot_image(arguments: argparse.Namespace) -> None:
    """Boots the disk image of a build in QEMU."""
    tools = Tools(lock.parse_lock((HERE / "packages.lock").read_text()))
    folder, layout = arguments.out / "run", REPOSITORY / "os/common/repart.d"
    image = arguments.out.resolve() / "hawser.img"
    machine = boot.new_board(image, folder.resolve(), layout, tools, arguments.key)
    try:
        boot.boot(machine, tools, arguments.cycles, arguments.seconds, arguments.stay)
    except KeyboardInterrupt:
        print()


def compare_builds(arguments: argparse.Namespace) -> None:
    """Builds again elsewhere."""
    second = arguments.second or REPOSITORY / "target/second/of/this/tree"
    same = compare.compare(REPOSITORY, arguments.out.resolve(), second.resolve(), arguments.profile)
    print(f"image: the same bytes from both places: {', '.join(same)}")


def make_variant(arguments: argparse.Namespace) -> None:
    """Makes a bundle of a version that differs a little."""
    tools = Tools(lock.parse_lock((HERE / "packages.lock").read_text()))
    out, target = arguments.out.resolve(), arguments.target.resolve()
    variant.make(out, REPOSITORY, arguments.change, arguments.version, keys.signer(), tools, target)
    print(f"image: {target}: {arguments.change}, version {arguments.version}")


def measure_load(arguments: argparse.Namespace) -> None:
    """Updates the image of a build over a network that counts."""
    tools = Tools(lock.parse_lock((HERE / "packages.lock").read_text()))
    bundle = arguments.bundle or load.build_second(REPOSITORY, arguments.out.resolve(), arguments.profile)
    load.measure(REPOSITORY, arguments.out.resolve(), bundle.resolve(), tools, arguments.seconds)


def parse(words: list[str]) -> argparse.Namespace:
    """The verbs and their options."""
    parser = argparse.ArgumentParser(prog="scripts/image", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("lock", help="resolve packages.txt into packages.lock").set_defaults(run=refresh_lock)
    verbs.add_parser("keys", help="make the keys that sign updates").set_defaults(run=make_keys)
    verb = verbs.add_parser("build", help="disk image, update bundle, SBOM, manifest")
    verb.add_argument("--out", type=Path, default=REPOSITORY / "target/image")
    verb.add_argument("--profile", choices=PROFILES, default="release")
    verb.add_argument("--disk-only", action="store_true", help="for a quick look: no bundle, no documents")
    verb.add_argument("--delta-from", type=Path, action="append", default=[], metavar="BUNDLE",
                      help="a version that boxes run: they load what differs in the program; may be repeated")  # fmt: skip
    verb.set_defaults(run=build_image)
    verb = verbs.add_parser("compare", help="build again from another path: the same bytes?")
    verb.add_argument("--out", type=Path, default=REPOSITORY / "target/image", help="the first build")
    verb.add_argument("--second", type=Path, help="where to build again")
    verb.add_argument("--profile", choices=PROFILES, default="release")
    verb.set_defaults(run=compare_builds)
    verb = verbs.add_parser("boot", help="boot the disk image in QEMU until it records")
    verb.add_argument("--out", type=Path, default=REPOSITORY / "target/image")
    verb.add_argument("--key", type=Path, help="public key to let in by ssh")
    verb.add_argument("--seconds", type=float, default=240.0, help="how long to wait")
    verb.add_argument("--cycles", type=int, default=2, help="how often its power is switched on")
    verb.add_argument("--stay", action="store_true", help="go on until Ctrl-C")
    verb.set_defaults(run=boot_image)
    verb = verbs.add_parser("variant", help="a bundle of the build with a small change, to try updates with")
    verb.add_argument("change", choices=sorted(variant.changes("")))
    verb.add_argument("version", help="as it calls itself: 0.2.0")
    verb.add_argument("target", type=Path, help="where to put the bundle")
    verb.add_argument("--out", type=Path, default=REPOSITORY / "target/image", help="the build")
    verb.set_defaults(run=make_variant)
    verb = verbs.add_parser("load", help="what a box loads of an update in which only the program changed")
    verb.add_argument("--out", type=Path, default=REPOSITORY / "target/image", help="the build that it runs")
    verb.add_argument("--bundle", type=Path, help="the update; without it one is built, with a line of Rust changed")
    verb.add_argument("--profile", choices=PROFILES, default="release")
    verb.add_argument("--seconds", type=float, default=240.0, help="how long to wait for a box")
    verb.set_defaults(run=measure_load)
    return parser.parse_args(words)


def main() -> int:
    """Runs a verb; a failure that a person can mend is one line."""
    arguments = parse(sys.argv[1:])
    try:
        arguments.run(arguments)
    except EXPECTED as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
