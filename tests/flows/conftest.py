"""Homes to run flows in, and one real Prefect server for the session."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows import cli
from flows.serve import _wait
from flows.setup import initialise
from storage.lake import Lake
from storage.views import ask, connect
from tests.ports import free_port

Home = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Makes a home with the given [[source]] tables; returns its headwater.toml."""

    def make(*sources: str, folder: str = "home", extra: str = "") -> Path:
        config = tmp_path / folder / "headwater.toml"
        list(initialise(config.parent, "Test House"))
        tables = "".join(f"\n[[source]]\n{source}\n" for source in sources)
        config.write_text(config.read_text() + tables + extra)
        return config

    return make


def numbers(name: str, **settings: object) -> str:
    """A [[source]] table for tests.flows.sources:Numbers."""
    uses = settings.pop("uses", "tests.flows.sources:Numbers")
    lines = [f'name = "{name}"', f'uses = "{uses}"']
    lines += [f"{k} = {v!r}".replace("'", '"') for k, v in settings.items()]
    return "\n".join(lines)


def rows(config: Path, sql: str) -> list[tuple[Any, ...]]:
    """What a question to the lake of a home finds."""
    lake = Lake.open(config.parent / "lake", clock=lambda: datetime.now(UTC))
    with connect(lake) as connection:
        return [tuple(row) for row in ask(connection, sql).rows]


def said(*words: object) -> subprocess.CompletedProcess[str]:
    """What `headwater WORDS` says and how it ends, of a verb that this process may run itself:
    what it read of the mapping is kept for the next."""
    out, err, code, given = io.StringIO(), io.StringIO(), 0, sys.argv
    sys.argv = ["headwater", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.argv = given
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def quiet_environment(folder: Path) -> dict[str, str]:
    """A process environment for Prefect that touches nothing outside `folder`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return kept | {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    }


@pytest.fixture(scope="session")
def prefect_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a process that talks to a real `prefect server start`."""
    folder = tmp_path_factory.mktemp("prefect")
    environment = quiet_environment(folder)
    port = free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--port", str(port)], stdout=log, stderr=log, env=environment,
            start_new_session=True,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}/api"
            _wait(server, url)
            yield environment | {"PREFECT_API_URL": url, "SERVER_LOG": str(folder / "server.log")}
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
