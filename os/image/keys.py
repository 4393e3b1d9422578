"""Makes the keys that sign updates, once, outside the tree. Whoever has them can update every box they made."""

import os
import subprocess
from pathlib import Path

# A box is not touched for decades; RAUC checks the time of signing, so the signer too may run out and be replaced.
AUTHORITY_DAYS = 30 * 365
SIGNER_DAYS = 10 * 365
AUTHORITY, SIGNER = "authority", "signer"


class KeyringError(Exception):
    """Keys that are missing, or that would have been overwritten."""


def keys_dir() -> Path:
    """HAWSER_KEYS, or the person's own configuration folder."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(os.environ.get("HAWSER_KEYS") or Path(home) / "hawser/keys")


def make(folder: Path) -> None:
    """An authority that the image trusts, and a signer that it vouches for. Refuses a folder that has either."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    present = [path.name for path in folder.iterdir() if path.suffix in (".key", ".crt")]
    if present:
        names = ", ".join(sorted(present))
        raise KeyringError(f"{folder} has {names} already: boxes trust them, and what they trust is never overwritten")
    scratch = folder / ".making"
    scratch.mkdir(mode=0o700, exist_ok=True)
    _openssl(
        "req", "-x509", *_new_key(scratch, AUTHORITY), "-out", scratch / f"{AUTHORITY}.crt", "-days",
        str(AUTHORITY_DAYS), "-subj", "/O=Hawser/CN=Hawser update authority", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    extensions = scratch / "extensions"
    extensions.write_text("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                          "extendedKeyUsage=critical,codeSigning\n")  # fmt: skip
    request = scratch / "request"
    _openssl("req", *_new_key(scratch, SIGNER), "-out", request, "-subj", "/O=Hawser/CN=Hawser update signer")
    _openssl(
        "x509", "-req", "-in", request, "-CA", scratch / f"{AUTHORITY}.crt", "-CAkey", scratch / f"{AUTHORITY}.key",
        "-out", scratch / f"{SIGNER}.crt", "-days", str(SIGNER_DAYS), "-extfile", extensions,
    )  # fmt: skip
    for name in (AUTHORITY, SIGNER):
        for suffix in (".key", ".crt"):
            (scratch / f"{name}{suffix}").rename(folder / f"{name}{suffix}")
    extensions.unlink()
    request.unlink()
    for path in scratch.iterdir():
        path.unlink()
    scratch.rmdir()


def find(folder: Path, name: str, suffix: str) -> Path:
    """The file of a key or certificate."""
    path = folder / f"{name}{suffix}"
    if not path.exists():
        raise KeyringError(f"{path} is missing: `make keys` makes keys, HAWSER_KEYS names the folder of others")
    return path


def signer() -> tuple[Path, Path, Path]:
    """What a bundle is signed with: the signer's key and certificate, and the authority's."""
    names = ((SIGNER, ".key"), (SIGNER, ".crt"), (AUTHORITY, ".crt"))
    return tuple(find(keys_dir(), *name) for name in names)


def _new_key(folder: Path, name: str) -> list:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", folder / f"{name}.key"]


def _openssl(*arguments) -> None:
    # /dev/null: nothing of the machine's openssl.cnf gets into a certificate.
    command = ["openssl", *map(str, arguments), *(["-config", "/dev/null"] if arguments[0] == "req" else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise KeyringError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
