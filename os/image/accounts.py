"""Makes passwd, group and their shadows from the sysusers.d files of the tree, which stays the only source of accounts.

What systemd-sysusers would do on first boot, at build time: the root is read-only. Numbers come from the pinned table
only, for the files on /data keep them from one version of the image to the next.
"""

import shlex
from dataclasses import dataclass, field

from .tree import Tree, file

SHADOW_GROUP = 42
NO_LOGIN = "/usr/sbin/nologin"


class AccountError(Exception):
    """An account without a number in the table, or a line that is not understood."""


@dataclass
class Accounts:
    """Users and groups by name, and the members of the groups."""

    users: dict[str, str] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)

    def passwd(self) -> str:
        """The text of /etc/passwd."""
        return "".join(f"{name}:x:{rest}\n" for name, rest in self.users.items())

    def group(self) -> str:
        """The text of /etc/group."""
        lines = (f"{name}:x:{gid}:{','.join(self.members.get(name, []))}\n" for name, gid in self.groups.items())
        return "".join(lines)


def parse_pins(text: str) -> dict[str, int]:
    """The table of numbers: `name number` a line."""
    lines = (line.split("#", 1)[0].split() for line in text.splitlines())
    return {words[0]: int(words[1]) for words in lines if words}


def apply_line(accounts: Accounts, line: str, pins: dict[str, int]) -> None:
    """One line of sysusers.d(5): u, u!, g, m and r, with the defaults of that page."""
    words = shlex.split(line, comments=True)
    if not words:
        return
    kind, name, number, *rest = words + ["-"] * 4
    if kind == "m":
        add_member(accounts, name, number)
    elif kind in ("u", "u!", "g"):
        if name in (accounts.groups if kind == "g" else accounts.users):
            return
        uid, gid = numbers(name, number, accounts, pins)
        if gid not in accounts.groups.values():
            accounts.groups[name] = gid
        if kind != "g":
            comment, home, shell = (value if value != "-" else "" for value in rest[:3])
            accounts.users[name] = f"{uid}:{gid}:{comment}:{home or '/'}:{shell or NO_LOGIN}"
    elif kind != "r":
        raise AccountError(f"sysusers: '{line}' is not understood")


def numbers(name: str, number: str, accounts: Accounts, pins: dict[str, int]) -> tuple[int, int]:
    """User and group number: the line's own, `number:group` too, else the table's."""
    user, _, group = number.partition(":")
    if user in ("-", ""):
        if name in accounts.groups and not group:
            return accounts.groups[name], accounts.groups[name]
        if name not in pins:
            raise AccountError(f"the account '{name}' has no number: give it one in os/common/numbers.txt")
        user = str(pins[name])
    gid = int(user) if not group else int(group) if group.isdigit() else accounts.groups[group]
    return int(user), gid


def add_member(accounts: Accounts, user: str, group: str) -> None:
    """Makes the user a member of the group; sysusers lets the group be defined later."""
    names = accounts.members.setdefault(group, [])
    if user not in names:
        names.append(user)


def collect(tree: Tree, pins: dict[str, int]) -> Accounts:
    """Every account that the tree's packages and overlay ask for, on top of Debian's fixed ones."""
    accounts = Accounts()
    for line in tree.text("usr/share/base-passwd/passwd.master").splitlines():
        name, _, rest = line.split(":", 2)
        accounts.users[name] = rest.replace("/bin/bash", "/bin/sh")
    for line in tree.text("usr/share/base-passwd/group.master").splitlines():
        name, _, gid, _ = line.split(":")
        accounts.groups[name] = int(gid)
    lines = [line for path, node in tree.files("usr/lib/sysusers.d/") for line in node.data.decode().splitlines()]
    # Groups first: a user may name one that a later file defines.
    for line in sorted(lines, key=lambda line: not line.startswith("g")):
        apply_line(accounts, line, pins)
    for group in accounts.members:
        if group not in accounts.groups:
            raise AccountError(f"a member of the group '{group}', which nobody defines")
    return accounts


def install(tree: Tree, accounts: Accounts) -> None:
    """Writes the four files. No account has a password, root included: `*` is the hash of none."""
    tree.add("etc/passwd", file(accounts.passwd()))
    tree.add("etc/group", file(accounts.group()))
    shadow = "".join(f"{name}:*:20000:0:99999:7:::\n" for name in accounts.users)
    tree.add("etc/shadow", file(shadow, 0o640, gid=SHADOW_GROUP))
    shadow = "".join(f"{name}:*::\n" for name in accounts.groups)
    tree.add("etc/gshadow", file(shadow, 0o640, gid=SHADOW_GROUP))
