"""The builder of the reference image: Debian's arm64 packages in, a disk image and a signed update bundle out.

It runs as whoever calls it: no root, no mount, no loop device, no maintainer script, nothing of the target is executed.
What the image shares with other builders (units, networks, partitions, accounts) lies in os/common and is only read.

The way of a build, one module each:

    lock, apt      which packages, and their files in the cache
    archive, tree  a .deb becomes entries of a tree that is kept in memory, with owners and modes
    rootfs         the tree of the root: packages, os/common, the program; accounts, units, kernel serve it
    elf            every program of the tree finds its libraries there
    images         tree -> ext4 with its verity hashes, initrd, UKI, boot partition
    disk, bundle   the two things that leave the yard; sbom and manifest say what is in them

Same lock, same sources, same keyring: the same bytes, wherever the checkout lies.
"""
