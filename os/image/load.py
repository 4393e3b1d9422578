"""How much of an update a box loads: the image that was built, updated over a network to one with another program.

The new bundle differs by what a small release differs by: a line of Rust, and the version. It is loaded by a booted box
from a server on this machine that counts what it sends. That a break costs little is for hil/ to show.
"""

import contextlib
import http.server
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import boot, compare
from .build import BUNDLE_NAME, DISK_NAME
from .tools import Tools

# What the second release changes: file, line, what stands there then. One more thing said, and a limit moved.
CHANGES = (
    ("Cargo.toml", re.compile(r'^version = "(\d+)\.(\d+)\.\d+"$', re.MULTILINE), r'version = "\1.\2.999"'),
    ("Cargo.lock", re.compile(r'^(name = "hawser"\nversion = )"(\d+)\.(\d+)\.\d+"$', re.MULTILINE), r'\1"\2.\3.999"'),
    (
        "src/gateway/maintenance.rs",
        re.compile(r'tracing::info!\(\?report, "pruned"\)'),
        'tracing::info!(?report, files = report.files + 1, "pruned old day files")',
    ),
)
HOST_OF_GUEST = "10.0.2.2"
PIECE_BYTES = 65536
INSTALL_SECONDS_MAX = 600
SHELL_SECONDS_MAX = 60


class LoadError(Exception):
    """The update could not be measured. The message says what failed."""


@dataclass
class Counter:
    """What a server has sent."""

    content: bytes
    sent: int = 0
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        """So many bytes more are sent."""
        with self.lock:
            self.sent += count


def parse_range(header: str | None, size: int) -> tuple[int, int]:
    """First byte and the one behind the last that a request asks for (RFC 9110, section 14.2; one range only)."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", header or "bytes=0-")
    if not match or int(match[1]) >= size:
        raise ValueError(f"range '{header}' of {size} bytes")
    return int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)


def serve(counter: Counter) -> http.server.ThreadingHTTPServer:
    """A server for one file on a free port of the loopback; the caller shuts it down."""

    class Handler(http.server.BaseHTTPRequestHandler):
        """Ranges, and connections that stay."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the name is http.server's
            """Sends what is asked for."""
            try:
                first, end = parse_range(self.headers["Range"], len(counter.content))
            except ValueError as error:
                return self.send_error(416, str(error))
            counter.requests += 1
            self.send_response(206 if self.headers["Range"] else 200)
            self.send_header("Content-Length", str(end - first))
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(counter.content)}")
            self.end_headers()
            for at in range(first, end, PIECE_BYTES):
                piece = counter.content[at : min(at + PIECE_BYTES, end)]
                if self.command == "GET":
                    counter.add(len(piece))
                    self.wfile.write(piece)
            return None

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """The count is enough."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def change(tree: Path) -> None:
    """Makes the second release of a copy of the sources."""
    for name, pattern, replacement in CHANGES:
        text, count = pattern.subn(replacement, (tree / name).read_text())
        if count != 1:
            raise LoadError(f"{name} has no line {pattern.pattern} to change")
        (tree / name).write_text(text)


def build_second(repository: Path, out: Path, profile: str) -> Path:
    """The bundle of the second release, with a delta from the first; what is compiled already is not compiled again."""
    tree = repository / "target/load/tree"
    compare.copy_sources(repository, tree)
    change(tree)
    shared = {"CARGO_TARGET_DIR": str(repository / "target")}
    compare.build_in(tree, profile, shared, "--delta-from", out / BUNDLE_NAME)
    return tree / "target/image" / BUNDLE_NAME


@dataclass
class Box:
    """A running box that lets us in by ssh."""

    key: Path

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess:
        """Runs a command on it."""
        options = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
        command = ["ssh", "-i", self.key, "-p", str(boot.HOST_SSH_PORT), *options, "root@127.0.0.1", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX)
        if check and done.returncode != 0:
            raise LoadError(f"{' '.join(words)} failed on the box: {done.stderr}{done.stdout}")
        return done

    def await_shell(self) -> None:
        """It records before it lets anybody in."""
        deadline = time.monotonic() + SHELL_SECONDS_MAX
        while self.run("true", check=False).returncode != 0:
            if time.monotonic() > deadline:
                raise LoadError(f"no ssh to the box within {SHELL_SECONDS_MAX} s")
            time.sleep(0.5)

    def install(self, port: int) -> None:
        """Loads the update from this machine."""
        self.run("rauc", "install", f"http://{HOST_OF_GUEST}:{port}/{BUNDLE_NAME}")


@contextlib.contextmanager
def new_box(repository: Path, out: Path, tools: Tools, seconds_max: float) -> Iterator[Box]:
    """The image of `out`, booted; gone afterwards."""
    folder = out / "run"
    key = out / "key"
    key.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    machine = boot.new_board(out / DISK_NAME, folder, repository / "os/common/repart.d", tools, key.with_suffix(".pub"))
    process, console = boot.start(machine, tools, seconds_max)
    try:
        box = Box(key)
        box.await_shell()
        yield box
    finally:
        process.kill()
        process.wait()
        console.close()


def measure(repository: Path, out: Path, bundle: Path, tools: Tools, seconds_max: float) -> None:
    """Loads the update, and prints what it has cost."""
    counter = Counter(bundle.read_bytes())
    with new_box(repository, out, tools, seconds_max) as box, serve(counter) as server:
        box.install(server.server_port)
        server.shutdown()
    size = len(counter.content)
    print(f"image: {counter.sent} of {size} bytes loaded in {counter.requests} requests: {counter.sent / size:.2%}")
