"""Which sockets wait for somebody, from the kernel's own tables (/proc/net/tcp and its like)."""

import ipaddress
import struct
from dataclasses import dataclass

LISTENING, UNCONNECTED = 0x0A, 0x07


@dataclass(frozen=True, order=True)
class Port:
    """One of them. `address` is `*` for all, `lo` for a loopback, else the number."""

    protocol: str
    address: str
    number: int


def parse_address(text: str) -> str:
    """The kernel's hexadecimal: words of four bytes, each in the order of a little-endian machine."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    address = ipaddress.ip_address(struct.pack(f"<{len(words)}I", *words))
    if address == ipaddress.ip_address(bytes(len(words) * 4)):
        return "*"
    return "lo" if address.is_loopback else str(address)


def parse(table: str, protocol: str) -> set[Port]:
    """The open ones of a table; connections are none."""
    found = set()
    for line in table.splitlines()[1:]:
        local, remote, state = line.split()[1:4]
        address, number = local.split(":")
        wanted = LISTENING if protocol == "tcp" else UNCONNECTED
        if int(state, 16) == wanted and remote.endswith(":0000"):
            found.add(Port(protocol, parse_address(address), int(number, 16)))
    return found


def of_gateway(run) -> set[Port]:
    """Of the machine on which `run` runs a command."""
    found = set()
    for protocol in ("tcp", "udp"):
        for table in (protocol, f"{protocol}6"):
            found |= parse(run(f"cat /proc/net/{table}"), protocol)
    return found
