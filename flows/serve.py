"""Keep all schedules on one machine: a Prefect server if none is there, and the served flows."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from evidence.errors import ConfigError
from flows.check import schedules
from flows.config import load
from flows.outlook import answering

START_SECONDS = 180
_IN_FILES = "prefect.server.concurrency.lease_storage.filesystem"
LEASES = {"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": _IN_FILES}
"""By default the server forgets with its process who holds a turn, and ends who then asks anew."""


def serve_all(file: Path) -> None:
    """Serve until stopped; every source has its own deployment and never overlaps itself."""
    config = load(file)
    if not config.sources:
        raise ConfigError(f"{config.file}: nothing to schedule: add a [[source]]")
    if lacking := [why for source in config.sources for why in source.lacking]:
        raise ConfigError(*(f"{config.file}: {why}" for why in lacking))
    schedules(config)
    with _server() as ours, answering(config) as url:
        from prefect.context import refresh_global_settings_context

        from flows.deployments import crash_leftovers, serve_deployments

        # Checking the schedules has loaded Prefect's settings, which did not know our server then.
        refresh_global_settings_context()
        if ours and (number := crash_leftovers()):
            print(f"{number} runs of a scheduler that was killed are marked as crashed", flush=True)
        if url:
            print(f"Whether it runs is told at {url}/heartbeat", flush=True)
        serve_deployments(config)


@contextlib.contextmanager
def _server() -> Iterator[bool]:
    """The Prefect server that PREFECT_API_URL names, or one of our own for as long as we run.

    Yields whether it is our own.
    """
    if os.environ.get("PREFECT_API_URL"):
        yield False
        return
    port = free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    server = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, env=os.environ | LEASES
    )
    try:
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
        _wait(server, os.environ["PREFECT_API_URL"])
        yield True
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        server.kill()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise ConfigError(f"the Prefect server ended at once (exit code {server.returncode})")
        # The address is our own server on the loopback interface.
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=2):  # noqa: S310
            return
        time.sleep(0.3)
    raise ConfigError(f"the Prefect server did not answer within {START_SECONDS} s")
