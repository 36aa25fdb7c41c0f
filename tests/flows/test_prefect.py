"""The flows on a real Prefect server: states, retries, artifacts, deployments, schedules."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.board_kept import kept
from flows.config import load
from tests.flows.conftest import Home, numbers, rows
from tests.flows.receiver import Receiver, listening

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect"), pytest.mark.timeout(400)]
ROOT = Path(__file__).resolve().parents[2]


def headwater(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *words], env=environment, cwd=ROOT, text=True,
        capture_output=True, check=False, timeout=300,
    )  # fmt: skip


def api(environment: dict[str, str], path: str, body: object) -> Any:
    request = urllib.request.Request(
        environment["PREFECT_API_URL"] + path, json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )  # fmt: skip
    return patient(request)


def patient(request: urllib.request.Request | str) -> Any:
    """What the server answers, asked again while it is busy (503, no answer) as clients do."""
    for _ in range(60):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
        except TimeoutError:
            continue
        time.sleep(0.5)
    raise AssertionError("the server stays busy")


def until(ask: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.5)
    return found


@contextmanager
def running(
    environment: dict[str, str], *command: str, errors: Path = Path(os.devnull), cwd: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    with errors.open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=cwd, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_one_dead_source_stops_nobody_and_shows(
    prefect_environment: dict[str, str], home: Home, tmp_path: Path
) -> None:
    config = home(
        numbers("good"),
        numbers("dead", trouble="busy", asked=str(tmp_path / "busy")),
        numbers("closed", trouble="refused", asked=str(tmp_path / "refused")),
        extra='[collect]\npatience = 1\nwait = "PT1S"\n',
    )
    environment = prefect_environment
    done = headwater(environment | {"PREFECT_LOGGING_LEVEL": "INFO"}, "collect", "-c", str(config))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 of 3 sources not complete" in done.stdout
    assert "good: complete; 3 pages, 10 of 10 received, 10 new" in done.stderr, "the log tells"
    closed = next(line for line in done.stdout.splitlines() if "closed" in line)
    cells = [cell.strip() for cell in re.split("[│┃|]", closed)]
    assert cells[1:6] == ["closed", "refused", "10", "0", "3"], "what it had brought landed"
    assert (tmp_path / "busy").read_text() == "xx", "busy is tried again"
    assert (tmp_path / "refused").read_text() == "x", "refused is not"
    told = [("closed", "refused", 1), ("dead", "busy", 2), ("good", "complete", 1)]
    assert rows(config, OUTCOMES) == told
    runs = api(environment, "/flow_runs/filter", {"flows": {"name": {"any_": ["collect"]}}})
    (run,) = (run for run in runs if run["parameters"].get("config") == str(config))
    assert run["state_type"] == "FAILED"
    assert "closed: wrong key" in run["state"]["message"]
    bars = api(environment, "/artifacts/filter", {"artifacts": {"key": {"any_": [BAR]}}})
    (bar,) = (bar for bar in bars if bar["flow_run_id"] == run["id"])
    assert (bar["type"], bar["data"]) == ("progress", 100.0)


BAR = "headwater-collecting"
OUTCOMES = "select source, outcome, count(*) as n from pulls group by all order by source"


def test_artifacts_and_judgement(prefect_environment: dict[str, str], home: Home) -> None:
    with listening(Receiver()) as chat:
        prefect_environment = prefect_environment | {"CHAT": chat.url}
        board = '\n[alerts]\nboard = "https://board.example.org"\n'
        config = home(numbers("good"), extra=CHAT + board)
        assert headwater(prefect_environment, "collect", "-c", str(config)).returncode == 0
        judged = headwater(prefect_environment, "freshness", "-c", str(config))
    assert judged.returncode == 0, judged.stderr
    assert "Of 70 clauses and controls" in judged.stdout
    assert len(chat.got) == 1, "one message tells of what the judgement found"
    keys = {row["key"] for row in api(prefect_environment, "/artifacts/filter", {})}
    assert {"headwater-collected", "headwater-freshness", "headwater-board"} <= keys
    assert rows(config, "select count(*) from verdicts")[0][0] > 0
    board = kept(load(config, {"CHAT": "https://chat.example.org"}))
    assert board is not None, "the server that starts next begins with what was judged"
    assert board.board.past is not None


CHAT = '[[alert]]\nname = "chat"\nkind = "slack"\nurl = "env:CHAT"\n'


def later() -> str:
    """A daily schedule that does not come due during a test, at whatever hour it runs."""
    return f"0 {(datetime.now(UTC).hour + 12) % 24} * * *"


def resting(config: Path) -> Path:
    """The same home, none of whose own flows comes due."""
    text = config.read_text().replace('schedule = "*/30 * * * *"', f'schedule = "{later()}"')
    own = ("maintain", "verify", "watch", "alerts")
    tables = (f'\n[{name}]\nschedule = "{later()}"\n' for name in own)
    config.write_text(text + "".join(tables))
    return config


def test_served_schedules_are_planned_until_it_is_told_to_end(
    prefect_environment: dict[str, str], home: Home, tmp_path: Path
) -> None:
    config = resting(home(numbers("good", schedule=later()), extra=CHAT))
    prefect_environment = prefect_environment | {"CHAT": "http://127.0.0.1:9"}
    command = (sys.executable, "-m", "flows.cli", "serve", "-c", str(config))
    names = {"good", "freshness", "maintain", "verification", "watch", "alert"}
    with running(prefect_environment, *command, errors=tmp_path / "log") as process:
        until(lambda: scheduled(prefect_environment, names) == names)
        process.terminate()
        assert process.wait(120) == 0
    told = (tmp_path / "log").read_text()
    assert "never awaited" not in told
    assert "Traceback" not in told
    assert "Starting temporary server" not in told


def test_what_was_deployed_for_workers_is_served_from_here_afterwards(
    prefect_environment: dict[str, str], home: Home, tmp_path: Path
) -> None:
    """From another folder than the flows' own; the run is one that a schedule plans."""
    config = resting(home(numbers("moved", schedule="* * * * *")))
    pool = (sys.executable, "-m", "prefect", "work-pool", "create", "left", "--type", "process")
    subprocess.run(pool, env=prefect_environment, check=True, capture_output=True, timeout=200)
    told = headwater(prefect_environment, "deploy", "--pool", "left", "-c", str(config))
    assert told.returncode == 0, told.stderr
    environment = prefect_environment | {"PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "flows.cli", "serve", "-c", str(config))
    with running(environment, *command, errors=tmp_path / "log", cwd=tmp_path):
        until(lambda: _landed(config) > 0, 300)
        # Not afterwards: the run of the next minute may be cut short.
        assert "Traceback" not in (tmp_path / "log").read_text()
    wanted = {"work_pools": {"name": {"any_": ["left"]}}}
    assert api(prefect_environment, "/deployments/filter", wanted) == []


def scheduled(environment: dict[str, str], names: set[str]) -> set[str]:
    rows = api(
        environment,
        "/flow_runs/filter",
        {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}},
    )
    ids = {row["deployment_id"] for row in rows if row["deployment_id"]}
    found = api(environment, "/deployments/filter", {})
    return {row["name"] for row in found if row["id"] in ids} & names


def test_deployments_of_the_repository_run_in_a_worker(
    prefect_environment: dict[str, str], home: Home
) -> None:
    config = home(numbers("good"))
    prefect = (sys.executable, "-m", "prefect")
    for words in (
        ("work-pool", "create", "headwater", "--type", "process", "--overwrite"),
        ("--no-prompt", "deploy", "--all"),
        ("deployment", "run", "collect/collect", "--param", f"config={config}"),
    ):
        done = subprocess.run(
            [*prefect, *words], env=prefect_environment | {"PWD": str(ROOT)}, cwd=ROOT,
            text=True, capture_output=True, check=False, timeout=200,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    with running(prefect_environment, *prefect, "worker", "start", "--pool", "headwater"):
        until(lambda: _landed(config) == 1, 150)


def _landed(config: Path) -> int:
    """How many pulls are complete by now."""
    return int(rows(config, "select count(*) from pulls where outcome = 'complete'")[0][0])
