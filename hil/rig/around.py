"""What is around the vessel, on the host: her instruments, the shore behind its TLS terminator."""

import hashlib
import json
import re
import secrets
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

START_SECONDS_MAX = 30.0
PIECE_BYTES = 65536
CERTIFICATE_DAYS = 2


class AroundError(Exception):
    """A program of the host did not come up. The message has what it said."""


class Program:
    """A `hawser` of the host, started, with its log in a file."""

    def __init__(self, command: list[str], log: Path, seen: str):
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not re.search(seen, log.read_text(errors="replace")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AroundError(f"{' '.join(command)}: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        try:
            self._process.wait(START_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Certificates:
    """An authority of the rig, and a certificate for the addresses of the host as the gateway sees them."""

    def __init__(self, folder: Path, addresses: list[str]):
        folder.mkdir(parents=True, exist_ok=True)
        self.authority, self.key, self.certificate = (
            folder / name for name in ("authority.crt", "host.key", "host.crt")
        )
        extensions = folder / "extensions"
        names = ",".join(f"IP:{address}" for address in addresses)
        extensions.write_text(f"basicConstraints=CA:FALSE\nsubjectAltName={names}\n")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
        days = ["-days", str(CERTIFICATE_DAYS)]
        openssl("req", "-x509", *new_key, "-keyout", folder / "authority.key", "-out", self.authority, *days,
                "-subj", "/CN=Rig", "-addext", "basicConstraints=critical,CA:TRUE", "-config", "/dev/null")  # fmt: skip
        openssl("req", *new_key, "-keyout", self.key, "-out", folder / "request", "-subj", "/CN=Host",
                "-config", "/dev/null")  # fmt: skip
        openssl("x509", "-req", "-in", folder / "request", "-CA", self.authority, "-CAkey", folder / "authority.key",
                "-CAcreateserial", "-out", self.certificate, *days, "-extfile", extensions)  # fmt: skip

    def context(self) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def openssl(*words) -> None:
    """Runs it; its failure is an error."""
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise AroundError(f"openssl {words[0]}: {done.stderr}")


class Terminator:
    """TLS in front of a server of this host, as a shore has it."""

    def __init__(self, context: ssl.SSLContext, address: str, to_port: int):
        self._context, self._to_port = context, to_port
        # To the gateways, before encryption.
        self.bytes_sent = 0
        self._break_at: int | None = None
        # Set as soon as the way is broken; until then nothing is wrong.
        self.broken = threading.Event()
        # Connections that were tried while it is.
        self.refused = 0
        self._listener = socket.create_server((address, 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True, name="terminator").start()

    def close(self) -> None:
        """No new connections."""
        self._listener.close()

    def break_after(self, count: int) -> None:
        """The way breaks when so many more bytes have gone to the gateways, and stays broken until it is mended."""
        self._break_at = self.bytes_sent + count
        self.refused = 0

    def mend(self) -> None:
        """New connections are taken again."""
        self._break_at = None
        self.broken.clear()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        if self.broken.is_set():
            self.refused += 1
            link.close()
            return
        try:
            outside = self._context.wrap_socket(link, server_side=True)
            inside = socket.create_connection(("127.0.0.1", self._to_port))
        except OSError:
            link.close()
            return
        threading.Thread(target=carry, args=(inside, outside, self._count), daemon=True).start()
        carry(outside, inside)

    def _count(self, count: int) -> None:
        self.bytes_sent += count
        if self._break_at is not None and self.bytes_sent >= self._break_at:
            self.broken.set()
            raise BrokenPipeError("broken by the test")


def carry(source: socket.socket, target: socket.socket, count=lambda _: None) -> None:
    """Until one side ends."""
    try:
        while piece := source.recv(PIECE_BYTES):
            target.sendall(piece)
            count(len(piece))
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Shore:
    """`hawser shore` with one vessel."""

    def __init__(self, program: Path, folder: Path, vessel: str):
        folder.mkdir(parents=True, exist_ok=True)
        self.vessel, self.token = vessel, secrets.token_urlsafe(32)
        self._folder = folder
        self.updates = folder / "updates"
        self.updates.mkdir(exist_ok=True)
        digest = hashlib.sha256(self.token.encode()).hexdigest()
        config = folder / "shore.toml"
        config.write_text(
            f'[data]\ndir = "{folder / "data"}"\n[http]\nlisten = "127.0.0.1:0"\n'
            f'[updates]\ndir = "{self.updates}"\n'
            f'[[vessel]]\nid = "{vessel}"\nname = "In the loop"\ntoken_sha256 = "{digest}"\n'
        )
        log = folder / "shore.log"
        self._program = Program([str(program), "shore", "--config", str(config)], log, r"the shore listens")
        plain = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text())
        self.port = int(re.search(r"address=127\.0\.0\.1:(\d+)", plain)[1])

    def stop(self) -> None:
        """Ends it."""
        self._program.stop()

    def _get(self, path: str):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Authorization", f"Bearer {(self._folder / 'data/api_token').read_text().strip()}")
        with urllib.request.urlopen(request, timeout=START_SECONDS_MAX) as answer:
            return json.loads(answer.read())

    def readings(self) -> int:
        """How many it has of the vessel."""
        return self._get("/api/fleet")["vessels"][0]["readings"]

    def orders(self) -> dict[str, str]:
        """Id and title of the vessel's work orders."""
        page = self._get(f"/api/vessels/{self.vessel}/records/work_orders?limit=1000")
        return {record["id"]: record["fields"]["title"] for record in page}


def instruments(program: Path, feeds: dict[str, str], address: str, modbus_port: int, log: Path) -> Program:
    """One vessel on all wires: what she says over NMEA 0183 and Modbus is about the same voyage."""
    outputs = (f"nmea0183={feeds['gps']}", f"modbus={feeds['meter']}", f"modbus=tcp://{address}:{modbus_port}")
    command = [str(program), "sim"]
    for output in outputs:
        command += ["--output", output]
    return Program(command, log, r"modbus=tcp://")
