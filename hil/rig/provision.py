"""What the owner of a box puts on its data partition before the first start: key, configuration, who is believed.

Pure but for the tools that make the file system: the same for the emulated board and for a card of a real one.
"""

from dataclasses import dataclass
from pathlib import Path

from image import disk, images, lock
from image.tools import Tools
from image.tree import Tree, file

from . import exfat

REPOSITORY = Path(__file__).resolve().parents[2]
LAYOUT = REPOSITORY / "os/common/repart.d"
# More than the tables of a FAT of a few hundred MiB.
FAT_BYTES = 8 << 20
STICK_LABEL = "STICK"
VESSEL = "hil-vessel"
ACTIVE_CAN = "[CAN]\nListenOnly=no\n"
AUTHORITY = "/data/etc/hawser/rig.pem"

CONFIGURATION = """\
[vessel]
id = "{vessel}"

[http]
listen = "0.0.0.0:8080"

[[bus]]
name = "gps"
protocol = "nmea0183"
address = "serial://{gps_port}"
baud = 4800

[[bus]]
name = "backbone"
protocol = "nmea2000"
address = "can://{can}"

[[bus]]
name = "switchboard"
protocol = "modbus"
address = "tcp://{lan_host}:{modbus_port}"

[[device]]
bus = "switchboard"
unit = 100
map = "victron-gx-system"
instance = "house"

[[bus]]
name = "generator"
protocol = "modbus"
address = "serial://{meter_port}"

[[device]]
bus = "generator"
unit = 1
map = "eastron-sdm630"
instance = "generator"

[shore]
url = "https://{uplink_host}:{shore_port}"
interval_s = 5
ca_cert = "{authority}"

# The vessel of the simulator never lies still: each start is ordered.
[update]
trial_minutes = 1
"""


@dataclass(frozen=True)
class Owner:
    """What the owner knows."""

    public_key: str
    authority: str
    shore_token: str
    modbus_port: int
    shore_port: int


def configuration(bench, owner: Owner) -> str:
    """gateway.toml: one bus of each kind, and the shore."""
    return CONFIGURATION.format(
        vessel=VESSEL, gps_port=bench.gps_port, meter_port=bench.meter_port, can=bench.can_listens,
        lan_host=bench.lan_host, uplink_host=bench.uplink_host, modbus_port=owner.modbus_port,
        shore_port=owner.shore_port, authority=AUTHORITY,
    )  # fmt: skip


def data(bench, owner: Owner) -> Tree:
    """The data partition."""
    tree = Tree()
    tree.add("etc/ssh/authorized_keys", file(owner.public_key, 0o600))
    tree.add("etc/hawser/gateway.toml", file(configuration(bench, owner)))
    secrets = f"SHORE_TOKEN={owner.shore_token}\n"
    tree.add("etc/hawser/secrets.env", file(secrets, 0o600))
    tree.add(AUTHORITY.removeprefix("/data/"), file(owner.authority))
    tree.add("etc/network/30-can.network.d/active.conf", file(ACTIVE_CAN))
    return tree


def image(built: Path, target: Path, layout: Path, tree: Tree, tools: Tools) -> None:
    """The image that was built, with this in its data partition."""
    part = next(p for p in disk.layout(layout) if p.label == "data")
    content = images.ext4(tree, tools, part.size, images.DATA_UUID, "-L", "data")
    copy_sparse(built, target)
    with target.open("r+b") as out:
        disk.write_sparse(out, part.start, content)


def locked_tools() -> Tools:
    """The tools of the image's builder."""
    return Tools(lock.parse_lock((REPOSITORY / "os/image/packages.lock").read_text()))


def stick(image: Path, file: Path, tools: Tools, file_system: str) -> None:
    """What a stick has on it: one file, in a FAT or an exFAT."""
    if file_system == "exfat":
        exfat.write(image, file)
    else:
        fat(image, file, tools)


def fat(image: Path, file: Path, tools: Tools) -> None:
    """A FAT with one file."""
    with image.open("wb") as out:
        out.truncate(file.stat().st_size + FAT_BYTES)
    tools.run("mkfs.vfat", "-F", "32", "-n", STICK_LABEL, image)
    tools.run("mcopy", "-i", image, file, f"::/{file.name}")


def copy_sparse(source: Path, target: Path) -> None:
    """A copy that leaves out what is empty."""
    with source.open("rb") as read, target.open("wb") as out:
        out.truncate(source.stat().st_size)
        while piece := read.read(1 << 20):
            if piece.count(0) != len(piece):
                out.write(piece)
            else:
                out.seek(len(piece), 1)
