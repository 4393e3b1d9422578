"""The tree of the root: packages without what leave-out.txt names, what their installers would do, os/common on top."""

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

from . import accounts, elf, units
from .kernel import Kernel, parse_list
from .tools import Tools
from .tree import Tree, file, folder, link

NAME_SERVICES = "passwd: files\ngroup: files\nshadow: files\nhosts: files resolve [!UNAVAIL=return] dns\n"
CA_FOLDER = "usr/share/ca-certificates/mozilla/"
LISTENS_HERE, LISTENS_ABOARD = 'listen = "127.0.0.1:8080"', 'listen = "0.0.0.0:8080"'
PROGRAM_STEP_BYTES = 1 << 20
# Mount points, and folders of packages that others expect.
FOLDERS = {"data": 0o755, "dev": 0o755, "proc": 0o555, "sys": 0o555, "run": 0o755, "tmp": 0o1777, "var": 0o755,
           "root": 0o700, "home": 0o755, "mnt": 0o755}  # fmt: skip


@dataclass(frozen=True)
class Parts:
    """What a root is made of, beside the packages."""

    repository: Path
    program: bytes
    keyring: bytes
    version: str

    @property
    def common(self) -> Path:
        """What other builders of an image use too."""
        return self.repository / "os/common"


def parse_patterns(text: str) -> re.Pattern:
    """One expression of all the patterns of leave-out.txt."""
    lines = (line.strip() for line in text.splitlines())
    return re.compile("|".join(fnmatch.translate(line) for line in lines if line and not line.startswith("#")))


def unpack(packages: dict[str, Path], left_out: re.Pattern) -> Tree:
    """The packages one over the other: base-files first, for it has the links of the merged /usr."""
    tree = Tree()
    for name in ["base-files", *sorted(set(packages) - {"base-files"})]:
        if not name.startswith("linux-image"):
            tree.unpack(packages[name], lambda path: not left_out.match(path))
    return tree


def configure(tree: Tree, parts: Parts) -> None:
    """What maintainer scripts do on a machine of Debian's, as far as the image needs it."""
    for path, mode in FOLDERS.items():
        tree.nodes[path] = folder(mode)
    certificates = [node.data for path, node in tree.files(CA_FOLDER)]
    tree.remove("usr/share/ca-certificates")
    tree.add("etc/ssl/certs/ca-certificates.crt", file(b"".join(certificates)))
    tree.add("etc/nsswitch.conf", file(NAME_SERVICES))
    tree.add("etc/hostname", file("hawser\n"))
    tree.add("etc/hosts", file("127.0.0.1 localhost hawser\n::1 localhost hawser\n"))
    tree.add("etc/machine-id", file(""))
    tree.add("etc/fstab", file("# hawser-data.service mounts /data\n"))
    tree.add("etc/resolv.conf", link("../run/systemd/resolve/stub-resolv.conf"))
    tree.add("etc/localtime", link("/usr/share/zoneinfo/Etc/UTC"))
    tree.add("etc/systemd/system/default.target", link("/usr/lib/systemd/system/multi-user.target"))
    tree.add("etc/mtab", link("../proc/self/mounts"))
    tree.add("usr/bin/awk", link("mawk"))
    tree.add("usr/bin/sh", link("dash"))


def prune(tree: Tree, text: str) -> None:
    """Leaves the commands of programs.txt, the libraries that they need, and no link that leads nowhere."""
    lists = parse_list("[kept]\n" + text)
    kept = set(lists["kept"])
    for path in [path for path in tree.nodes if path.startswith(("usr/bin/", "usr/sbin/"))]:
        if path.rsplit("/", 1)[1] not in kept:
            del tree.nodes[path]
    for path in elf.unused(tree, frozenset(lists["loaded"])):
        del tree.nodes[path]
    for path in [path for path, node in tree.nodes.items() if node.kind == "link" and leads_nowhere(tree, path)]:
        del tree.nodes[path]


def leads_nowhere(tree: Tree, path: str) -> bool:
    """Whether a link into /usr has lost what it names; those to /proc, /run and /data exist only on the box."""
    target = tree.resolve(path)
    return target.startswith("usr/") and target not in tree.nodes


def install_hawser(tree: Tree, parts: Parts) -> None:
    """The program, its unit and account, its sample as the first configuration; the image's own release file."""
    common = parts.common
    tree.overlay(common / "root")
    tree.add("usr/bin/hawser", file(filled_up(parts.program), 0o755))
    tree.add("usr/lib/systemd/system/hawser.service", file((common / "hawser.service").read_bytes()))
    tree.add("usr/lib/sysusers.d/hawser.conf", file((common / "hawser.sysusers").read_bytes()))
    tree.add("etc/mosquitto/mosquitto.conf", file((parts.repository / "configs/mosquitto.conf").read_bytes()))
    sample = (parts.repository / "configs/gateway.toml").read_text()
    tree.add("usr/share/hawser/gateway.toml", file(for_the_vessel(sample)))
    tree.add("etc/rauc/keyring.pem", file(parts.keyring))
    for path in sorted((common / "repart.d").iterdir()):
        tree.add(f"usr/lib/hawser/repart.d/{path.name}", file(path.read_bytes()))
    tree.add("usr/lib/os-release", file(os_release(parts.version)))
    tree.add("etc/os-release", link("../usr/lib/os-release"))


def for_the_vessel(sample: str) -> str:
    """The sample, but for who reaches the page: a box has no screen of its own, and a firewall."""
    if sample.count(LISTENS_HERE) != 1:
        raise ValueError(f"configs/gateway.toml: not one line {LISTENS_HERE!r}")
    return sample.replace(LISTENS_HERE, LISTENS_ABOARD)


def filled_up(program: bytes) -> bytes:
    """The program with room behind it, so that no other file moves when it grows a little.

    The loader reads only what the headers name. Not filled with zeros, of which mke2fs makes a hole.
    """
    return program + b"\xff" * (-len(program) % PROGRAM_STEP_BYTES)


def os_release(version: str) -> str:
    """The image says whose it is: a fault report begins with this file."""
    lines = ("ID=hawser", "ID_LIKE=debian", 'NAME="Hawser"', f'PRETTY_NAME="Hawser {version}"', f"VERSION_ID={version}",
             "IMAGE_ID=hawser-aarch64-efi", f"IMAGE_VERSION={version}")  # fmt: skip
    return "\n".join(lines) + "\n"


def build(packages: dict[str, Path], parts: Parts, kernel: Kernel, modules: list[str], tools: Tools) -> Tree:
    """The whole root."""
    tree = unpack(packages, parse_patterns((Path(__file__).parent / "leave-out.txt").read_text()))
    configure(tree, parts)
    prune(tree, (Path(__file__).parent / "programs.txt").read_text())
    install_hawser(tree, parts)
    kernel.install(tree, modules, tools)
    pins = accounts.parse_pins((parts.common / "numbers.txt").read_text())
    accounts.install(tree, accounts.collect(tree, pins))
    tree.remove("usr/share/base-passwd")
    tree.remove("usr/share/base-files")
    units.apply_preset(tree)
    return tree
