"""The hash tree by which dm-verity checks a device: sha256 over salt and block, in blocks of 4096 bytes.

The kernel's documentation (admin-guide/device-mapper/verity.rst) defines it; there is no superblock, for the numbers
stand on the kernel's command line.
"""

import hashlib
from dataclasses import dataclass

BLOCK_BYTES = 4096
# One salt for all versions: blocks that did not change keep their hash, and an update need not load those again. The
# salt's use is against tables of ready-made collisions, of which sha256 has none.
SALT = hashlib.sha256(b"hawser root").digest()


@dataclass(frozen=True)
class Verity:
    """The hash of the whole, and the tree to append to the data."""

    root: str
    blocks: int
    tree: bytes
    # Where in the tree the hashes of the data begin; those of hashes stand before them.
    leaves_at: int = 0


def hash_blocks(data: bytes) -> bytes:
    """The hashes of each block, one after the other, filled up to whole blocks."""
    view = memoryview(data)
    salted = hashlib.sha256(SALT)
    hashes = bytearray()
    for at in range(0, len(data), BLOCK_BYTES):
        state = salted.copy()
        state.update(view[at : at + BLOCK_BYTES])
        hashes += state.digest()
    return bytes(hashes) + bytes(-len(hashes) % BLOCK_BYTES)


def verity(data: bytes) -> Verity:
    """Hashes of hashes, until they fit one block. The kernel wants the top of the tree first."""
    if not data or len(data) % BLOCK_BYTES:
        raise ValueError(f"{len(data)} bytes are not a whole number of blocks")
    levels = [hash_blocks(data)]
    while len(levels[-1]) > BLOCK_BYTES:
        levels.append(hash_blocks(levels[-1]))
    root = hashlib.sha256(SALT + levels[-1]).hexdigest()
    tree = b"".join(reversed(levels))
    return Verity(root, len(data) // BLOCK_BYTES, tree, len(tree) - len(levels[0]))
