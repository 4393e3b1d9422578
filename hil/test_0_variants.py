"""What the updates are made of: a variant without a change is the build itself, byte for byte."""

from pathlib import Path

from image import disk, variant
from rig.provision import LAYOUT, REPOSITORY, locked_tools


def test_a_variant_of_nothing_is_the_build(env):
    """So what a variant does otherwise comes from its change, and from nothing else."""
    built, tools = Path(env.config.get_image_path("disk")), locked_tools()
    read = variant.read(built.parent, REPOSITORY, tools)
    boot, root, hashes = variant.slot(read, variant.version_of(read), tools)
    partitions = {part.label: part for part in disk.layout(LAYOUT)}
    with built.open("rb") as image:
        for label, content in (("boot-a", boot), ("rootfs-a", root + hashes.tree)):
            image.seek(partitions[label].start)
            assert image.read(len(content)) == content, label
