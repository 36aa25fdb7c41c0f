"""The Prism proxy, which compares requests and answers with a vendor's API description."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

SPECS = Path(__file__).parent / "specs"

asked = pytest.mark.skipif(
    os.environ.get("HEADWATER_PRISM") != "1" or shutil.which("npx") is None,
    reason="set HEADWATER_PRISM=1 (needs npx, fetches the Prism proxy) to compare with the vendor",
)


@contextmanager
def proxy(vendor: str, upstream: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The address of the proxy before `upstream`, and its log; a mismatch is answered with 500."""
    port = free_port()
    log = folder / "prism.log"
    with log.open("wb") as out, _started(vendor, upstream, port, out) as process:
        try:
            _wait_for(process, log)
            yield f"http://127.0.0.1:{port}", log
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)  # npx leaves its child behind


def _started(vendor: str, upstream: str, port: int, log: Any) -> subprocess.Popen[bytes]:
    spec = str(SPECS / f"{vendor}.openapi.json")
    # Debian's Node.js is too old for it: the registry has one that is not.
    fetched = ["npx", "--yes", "-p", "node@24", "-p", "@stoplight/prism-cli@5.16.0", "--"]
    command = [*fetched, "prism", "proxy", spec, upstream, "--errors"]
    settings = ["-h", "127.0.0.1", "-p", str(port)]
    where = tempfile.gettempdir()
    return subprocess.Popen(
        command + settings, cwd=where, stdout=log, stderr=log, start_new_session=True
    )


def _wait_for(process: subprocess.Popen[bytes], log: Path) -> None:
    while "Prism is listening" not in log.read_text():
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"prism ended: {log.read_text()}")
