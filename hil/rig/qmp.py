"""QEMU's control socket (QMP): commands and their answers, and the events in between, of which none is lost."""

import json
import socket
import time
from typing import Any

ANSWER_SECONDS_MAX = 30.0


class QmpError(Exception):
    """QEMU refused a command, or is gone."""


class Monitor:
    """A connection to a running QEMU."""

    def __init__(self, link: socket.socket):
        self._link = link
        self._rest = b""
        self.events: list[dict[str, Any]] = []
        self._read(ANSWER_SECONDS_MAX)  # the greeting
        self.execute("qmp_capabilities")

    def close(self) -> None:
        """Lets go of it."""
        self._link.close()

    def execute(self, command: str, **arguments: Any) -> Any:
        """Runs a command; underscores of arguments stand for dashes."""
        words = {name.replace("_", "-"): value for name, value in arguments.items()}
        self._link.sendall(json.dumps({"execute": command, "arguments": words}).encode() + b"\n")
        while True:
            message = self._read(ANSWER_SECONDS_MAX)
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise QmpError(f"{command}: {message['error']['desc']}")
            self.events.append(message)

    def human(self, line: str) -> str:
        """A command that only the monitor for people has."""
        return self.execute("human-monitor-command", command_line=line)

    def wait_event(self, name: str, seconds_max: float, **data: Any) -> dict[str, Any]:
        """The first event of this name and data that nobody has taken yet, or the next to come."""
        deadline = time.monotonic() + seconds_max
        while True:
            for event in self.events:
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    self.events.remove(event)
                    return event.get("data", {})
            self.events.append(self._read(deadline - time.monotonic()))

    def _read(self, seconds_max: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds_max
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"QEMU said nothing for {seconds_max:.0f} s")
            self._link.settimeout(left)
            piece = self._link.recv(65536)
            if not piece:
                raise QmpError("QEMU has gone")
            self._rest += piece
        line, self._rest = self._rest.split(b"\n", 1)
        return json.loads(line)
