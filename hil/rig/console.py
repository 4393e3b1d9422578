"""The serial console: read by a thread all the time, kept in a file, and searched by whoever waits for a line.

labgrid's own reporter keeps only what a test happens to read; here everything is kept, whatever the console is.
"""

import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pexpect

# What hawser-console writes when the gateway records, os/common/root/usr/lib/hawser/console.
RECORDING = re.compile(
    r"Hawser (?P<version>\S+), (?P<slot>hawser-[ab]), data (?P<data>\w+): recording after (?P<seconds>[0-9.]+) s"
)
READ_SECONDS = 0.2


@dataclass(frozen=True)
class Recording:
    """That line: which version from which slot, how its data is, how long after the kernel's start."""

    version: str
    slot: str
    data: str
    seconds: float

    @classmethod
    def of(cls, found: re.Match) -> "Recording":
        """Of a match of RECORDING."""
        return cls(found["version"], found["slot"], found["data"], float(found["seconds"]))


class SilentError(Exception):
    """The console did not say what was waited for. The message has its end."""


class Tap:
    """Reads a ConsoleProtocol of labgrid as long as it is open."""

    def __init__(self, log: Path):
        self._log = log
        self._text = ""
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")

    def open(self, console) -> None:
        """Begins to read. By the driver's inner method: labgrid's log of steps is for one thread."""
        self.close()
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(console,), daemon=True, name="console")
        self._thread.start()

    def close(self) -> None:
        """Ends reading; what was read stays."""
        if self._thread:
            self._stop.set()
            self._thread.join()
            self._thread = None

    def _run(self, console) -> None:
        with self._log.open("ab", buffering=0) as log:
            while not self._stop.is_set():
                try:
                    piece = console._read(size=1, timeout=READ_SECONDS)
                except pexpect.TIMEOUT:
                    continue
                except (OSError, pexpect.EOF):
                    return
                log.write(piece)
                self.take(piece)

    def take(self, piece: bytes) -> None:
        """Adds what was read."""
        with self._news:
            self._text += piece.decode(errors="replace")
            self._news.notify_all()

    def mark(self) -> int:
        """Where it is now, for `wait` and `since`."""
        return len(self._text)

    def since(self, mark: int) -> str:
        """All that came after a mark."""
        return self._text[mark:]

    def wait(self, wanted: re.Pattern | str, mark: int, seconds_max: float) -> re.Match:
        """The first match after a mark, now or later."""
        wanted = re.compile(wanted)
        deadline = time.monotonic() + seconds_max
        with self._news:
            while True:
                found = wanted.search(self._text, mark)
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    end = self._text[mark:][-1500:]
                    raise SilentError(f"the console did not say /{wanted.pattern}/ within {seconds_max:.0f} s: {end}")
