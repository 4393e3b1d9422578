"""The signed update: RAUC's bundle of both images of a slot, of which a box loads only the blocks it does not have."""

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .images import BOOT_SECTOR_BYTES
from .tools import Tools

COMPATIBLE = "hawser-aarch64-efi"
# Small blocks: a box that needs one page of a file loads a block of it. Large ones compress better.
SQUASHFS_OPTIONS = "-comp xz -b 256K -no-xattrs -all-root -noappend"
HOOK = "hook"
BOOT_SECTOR = "boot-sector"

MANIFEST = """\
[update]
compatible={compatible}
version={version}

[bundle]
format=verity

[hooks]
filename={hook}

[meta.hawser]
schema={schema}

[image.boot]
filename=boot.img
adaptive=block-hash-index
hooks=pre-install;post-install

[image.rootfs]
filename=rootfs.img
adaptive=block-hash-index
"""

# What the box checks a signature for, said to the tool that makes one: it verifies its own work.
SETTINGS = """\
[system]
compatible={compatible}
bootloader=noop

[keyring]
path={authority}
check-purpose=codesign
"""


@dataclass(frozen=True)
class Release:
    """What the manifest says of the bundle."""

    version: str
    schema: int


def make(boot: bytes, rootfs: bytes, release: Release, signer: tuple[Path, Path, Path], tools: Tools, out: Path,
         squashfs_options: str = SQUASHFS_OPTIONS) -> dict[str, str]:  # fmt: skip
    """Writes the bundle and returns the hashes of its files, which is what two builds have in common.

    The boot image goes without its first sector: the hook writes that last, from a file. RAUC adds the salt of the
    bundle's own hash tree and the time of signing, so that the bundle as a whole differs each time.
    """
    key, certificate, authority = signer
    with tempfile.TemporaryDirectory() as scratch:
        content = Path(scratch) / "content"
        content.mkdir()
        (content / "boot.img").write_bytes(bytes(BOOT_SECTOR_BYTES) + boot[BOOT_SECTOR_BYTES:])
        (content / BOOT_SECTOR).write_bytes(boot[:BOOT_SECTOR_BYTES])
        (content / "rootfs.img").write_bytes(rootfs)
        shutil.copy(Path(__file__).parent / "bundle-hook", content / HOOK)
        (content / HOOK).chmod(0o755)
        text = MANIFEST.format(compatible=COMPATIBLE, version=release.version, schema=release.schema, hook=HOOK)
        (content / "manifest.raucm").write_text(text)
        made, settings = Path(scratch) / "bundle", Path(scratch) / "settings"
        settings.write_text(SETTINGS.format(compatible=COMPATIBLE, authority=authority))
        tools.path("mksquashfs")  # rauc calls it
        tools.run(
            "rauc", "bundle", f"--cert={certificate}", f"--key={key}", f"--conf={settings}",
            f"--mksquashfs-args={squashfs_options}", content, made,
        )  # fmt: skip
        shutil.move(made, out)
        names = ("manifest.raucm", HOOK, BOOT_SECTOR, "boot.img", "rootfs.img")
        return {name: hashlib.sha256((content / name).read_bytes()).hexdigest() for name in names}
