"""What deploy/compose.yaml runs, run directly: Prefect's server on PostgreSQL, a worker, the board.

Asks for HEADWATER_POSTGRES=1 and Debian's postgresql.
With HEADWATER_WHEEL=1 (and uv) the same from the built wheel, the sources out of sight.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import yaml

from tests.flows.conftest import Home, numbers, quiet_environment
from tests.flows.test_prefect import ROOT, headwater, running, until
from tests.ports import free_port

COMPOSE = ROOT / "deploy/compose.yaml"
PREFECT = (sys.executable, "-m", "prefect")
SECRETS = {"POSTGRES_PASSWORD": "p4ss", "PREFECT_AUTH": "u:p", "HEADWATER_BOARD_TOKEN": "t0ken"}


def test_the_services_are_kept_in_and_their_flags_exist() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        if name != "postgres":
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
    secrets = [text for text in COMPOSE.read_text().splitlines() if "PASSWORD: " in text]
    assert all("${" in text for text in secrets)


def test_compose_takes_the_file(tmp_path: Path) -> None:
    """By the schema of Compose itself, as check-jsonschema carries it."""
    assert judged(COMPOSE) == ""
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text().replace("depends_on: {prefect:", "dependson: {prefect:"))
    assert "dependson" in judged(wrong)


def judged(file: Path) -> str:
    """What Compose's schema has against `file`; nothing, when it takes it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    told = subprocess.run(
        [*command, str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    return "" if told.returncode == 0 else told.stdout + told.stderr


@contextmanager
def postgres() -> Iterator[int]:
    """A PostgreSQL of its own; yields its port. As root it runs as the user postgres.

    Not under pytest's folders: they are closed to that user, and each session closes them anew.
    """
    tools = max(Path("/usr/lib/postgresql").iterdir(), key=lambda folder: int(folder.name)) / "bin"
    become = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="headwater-postgres-") as name:
        folder, data, log = Path(name), Path(name) / "data", Path(name) / "log"
        folder.chmod(0o755)
        data.mkdir()
        if become:
            shutil.chown(data, "postgres")
        (folder / "password").write_text(SECRETS["POSTGRES_PASSWORD"])
        (folder / "password").chmod(0o644)
        made = [f"{tools}/initdb", "-D", str(data), "-U", "prefect", "-A", "scram-sha-256"]
        made += ["--pwfile", str(folder / "password")]
        subprocess.run([*become, *made], check=True, capture_output=True, cwd="/")
        port = free_port()
        told = [f"{tools}/postgres", "-D", str(data), "-p", str(port), "-k", str(data)]
        with running(dict(os.environ), *become, *told, errors=log, cwd=Path("/")) as server:
            ask = [f"{tools}/pg_isready", "-h", "127.0.0.1", "-p", str(port)]
            while subprocess.run(ask, capture_output=True, check=False).returncode:
                assert server.poll() is None, log.read_text()
                time.sleep(0.2)
            yield port


@pytest.mark.skipif(not os.environ.get("HEADWATER_POSTGRES"), reason="HEADWATER_POSTGRES=1 not set")
@pytest.mark.timeout(500)
def test_the_processes_of_the_compose_file(home: Home) -> None:
    config = home(numbers("good"))
    folder = Path(config.parent.parent)
    port, board = free_port(), free_port()
    with postgres() as database:
        server = quiet_environment(folder / "prefect") | {
            "PREFECT_SERVER_DATABASE_DRIVER": "postgresql+asyncpg",
            "PREFECT_SERVER_DATABASE_HOST": "127.0.0.1",
            "PREFECT_SERVER_DATABASE_PORT": str(database),
            "PREFECT_SERVER_DATABASE_NAME": "postgres",
            "PREFECT_SERVER_DATABASE_USER": "prefect",
            "PREFECT_SERVER_DATABASE_PASSWORD": SECRETS["POSTGRES_PASSWORD"],
            "PREFECT_SERVER_API_AUTH_STRING": SECRETS["PREFECT_AUTH"],
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage"
            ".filesystem",
        }
        client = quiet_environment(folder / "client") | {
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_API_AUTH_STRING": SECRETS["PREFECT_AUTH"],
            "HEADWATER_BOARD_TOKEN": SECRETS["HEADWATER_BOARD_TOKEN"],
        }
        start = (*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port))
        with running(server, *start, errors=folder / "server.log"):
            until(lambda: _answers(f"http://127.0.0.1:{port}/api/health"))
            pool = ("work-pool", "create", "headwater", "--type", "process")
            template = ("--base-job-template", str(ROOT / "deploy/pools/process.json"))
            subprocess.run([*PREFECT, *pool, *template, "--overwrite"], env=client, check=True)
            assert headwater(client, "deploy", "-c", str(config)).returncode == 0
            worker = (*PREFECT, "worker", "start", "--pool", "headwater")
            asked = ("deployment", "run", "collect/good", "--watch")
            with running(client, *worker):
                done = subprocess.run([*PREFECT, *asked], env=client, check=False, timeout=200)
            assert done.returncode == 0
        show = (sys.executable, "-m", "flows.cli", "dashboard", "-c", str(config))
        with running(client, *show, "--host", "0.0.0.0", "--port", str(board), "--name", "board"):
            url = f"http://127.0.0.1:{board}"
            until(lambda: _answers(f"{url}/healthz"))
            bearer = {"Authorization": f"Bearer {SECRETS['HEADWATER_BOARD_TOKEN']}"}
            told = requests.get(f"{url}/metrics", headers=bearer, timeout=60).text
            assert 'headwater_source_well{source="good"} 1.0' in told


@pytest.mark.skipif(not os.environ.get("HEADWATER_WHEEL"), reason="HEADWATER_WHEEL=1 not set")
@pytest.mark.timeout(500)
def test_a_worker_runs_the_wheel(tmp_path: Path) -> None:
    venv, port = tmp_path / "venv", free_port()
    uv = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv/bin/uv")
    install = [uv, "pip", "install", "-q", "--python", str(venv / "bin/python")]
    locked = ["--require-hashes", "-r", str(ROOT / "requirements/runtime.lock")]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(venv)], check=True)
    subprocess.run([*install, *locked], check=True)
    subprocess.run([*install, "--no-deps", str(*tmp_path.glob("*.whl"))], check=True)
    environment = quiet_environment(tmp_path / "prefect") | {
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    environment.pop("PYTHONPATH", None)

    def there(*words: str) -> str:
        told = subprocess.run(
            words, env=environment, cwd=tmp_path, text=True, capture_output=True, check=False,
            timeout=200,
        )  # fmt: skip
        assert told.returncode == 0, told.stdout + told.stderr
        return told.stdout

    there("headwater", "init", "gov", "--registers", "regs")
    there("git", "init", "-q", "-b", "main", "regs")
    there("git", "-C", "regs", "add", "-A")
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    there("git", "-C", "regs", *who, "commit", "-qm", "first")
    start = (str(venv / "bin/prefect"), "server", "start", "--host", "127.0.0.1")
    with running(environment, *start, "--port", str(port)):
        until(lambda: _answers(f"http://127.0.0.1:{port}/api/health"))
        there("prefect", "work-pool", "create", "headwater", "--type", "process")
        there("headwater", "deploy", "-c", "gov/headwater.toml")
        worker = (str(venv / "bin/prefect"), "worker", "start", "--pool", "headwater")
        with running(environment, *worker):
            there("prefect", "deployment", "run", "collect/registers", "--watch")
    sql = "select outcome from pulls where source = 'registers'"
    told = there("headwater", "query", sql, "-c", "gov/headwater.toml", "--format", "json")
    assert '"complete"' in told


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False
