"""Make .venv from the hash-locked requirements, with the standard library alone.

Usage: python3 bootstrap/setup.py runtime|dev. Needs Python 3.11 or later and a package index that
pip or uv is configured for (theirs by default). Does nothing when the lock has not changed.
HEADWATER_SPARK=1 makes .spark as well, as CI does: Spark (half a gigabyte; needs Java 17) in an
environment of its own, for libraries behave otherwise where they find it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SPARK = ROOT / ".spark"
TOOLS = ROOT / ".uv"
UV_LOCK = ROOT / "bootstrap" / "uv.lock.txt"


def main(flavour: str) -> None:
    """Set up `flavour` (the name of a lock), or say what to do and exit with 1."""
    if sys.version_info < (3, 11):
        sys.exit(f"Headwater needs Python 3.11 or later; this is {sys.version.split()[0]}")
    _project(flavour)
    if flavour == "dev" and os.environ.get("HEADWATER_SPARK"):
        _spark()


def _project(flavour: str) -> None:
    stamp, wanted = VENV / "headwater.lock", _wanted(flavour)
    if stamp.exists() and stamp.read_text().split() in (wanted, ["dev", wanted[1]]):
        return
    uv = _uv()
    python = _locked(uv, VENV, flavour)
    _run(
        [
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            python,
            "--no-deps",
            "--no-build-isolation",
            "--offline",
            "-e",
            str(ROOT),
        ]
    )
    stamp.write_text(" ".join(wanted))


def _spark() -> None:
    stamp, wanted = SPARK / "headwater.lock", _wanted("spark")
    if stamp.exists() and stamp.read_text().split() == wanted:
        return
    _locked(_uv(), SPARK, "spark")
    stamp.write_text(" ".join(wanted))


def _locked(uv: str, venv: Path, lock: str) -> str:
    """Put just what a lock names into an environment, made if need be; its Python."""
    python = venv / "bin" / "python"
    if not python.exists():
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)])
    print(f"Installing the {lock} requirements, checked against their hashes …", flush=True)
    _run(
        [
            uv,
            "pip",
            "sync",
            "--quiet",
            "--compile-bytecode",
            "--require-hashes",
            "--python",
            str(python),
            str(ROOT / "requirements" / f"{lock}.lock"),
        ]
    )
    return str(python)


def _wanted(flavour: str) -> list[str]:
    """The flavour and a digest of everything the environment is made from."""
    parts = [*sorted((ROOT / "requirements").glob("*.lock")), ROOT / "pyproject.toml"]
    return [flavour, hashlib.sha256(b"".join(p.read_bytes() for p in parts)).hexdigest()]


def _uv() -> str:
    """uv of the locked version, from .uv; fetched once by pip and checked against its hash."""
    own = TOOLS / "bin" / "uv"
    if own.exists():
        return str(own)
    fetch = [
        "install",
        "--quiet",
        "--require-hashes",
        "--no-deps",
        "--target",
        str(TOOLS),
        "-r",
        str(UV_LOCK),
    ]
    if found := shutil.which("uv"):
        _run([found, "pip", *fetch])
    elif find_spec("pip"):
        _run([sys.executable, "-m", "pip", "--disable-pip-version-check", *fetch])
    else:  # Debian's python3 brings neither pip nor ensurepip: run pip out of its wheel
        wheel = next((ROOT / "bootstrap").glob("pip-*.whl"))
        _run([sys.executable, str(wheel / "pip"), "--disable-pip-version-check", *fetch])
    return str(own)


def _run(command: list[str]) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    environment |= {"PIP_ROOT_USER_ACTION": "ignore"}
    if any(Path("/etc/ssl/certs").glob("*.pem")):  # an organisation's own authority is found there
        environment.setdefault("UV_SYSTEM_CERTS", "true")
    result = subprocess.run(command, check=False, env=environment)
    if result.returncode:
        sys.exit(
            f"set-up stopped at: {' '.join(command)}\nIs the package index reachable? Run it again."
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runtime")
