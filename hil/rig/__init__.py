"""What the tests of the whole box stand on: drivers for labgrid, named states of the machine, and what is around it.

    qmp, qemu, board   the machine: emulated by os/image/machine.py, or a real one on a bench
    console, strategy  what it says, and the states that a test asks for
    provision          what its owner has put on /data before the first start
    around             the vessel's instruments, the shore, a server of bundles: all on the host
    gateway            what the gateway says and takes, over its own API and over ssh

It decides nothing about pass or fail: that is in the tests beside this folder.
"""
