"""MLflow with many runs, over HTTP and from its file: memory must not grow with their number.

Usage: python -m benchmarks.mlflow [RUNS]... (default 1,000 and 10,000). One real run (10 params, 10
metrics, 5 tags, a dataset) is made with MLflow's client and copied in the store's tables, each copy
a minute later; a real tracking server serves them. Each reader is a process of its own: what a pull
by pages takes, and what the pull after it takes, which reads the last week and sweeps all.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import peak, print_table

ROOT = Path(__file__).parent.parent
COPIED = {"runs": "run_uuid", "params": "run_uuid", "tags": "run_uuid", "metrics": "run_uuid",
          "latest_metrics": "run_uuid"}  # fmt: skip


def make_store(folder: Path, runs: int) -> str:
    """A SQLite store with so many ended runs; its address."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag

    address = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(address)
    end = int(time.time() * 1000) - 60_000
    run = client.create_run(client.create_experiment("credit"), start_time=end - 60_000)
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(f"m{n}", n / 7, end, 0) for n in range(10)],
        params=[Param(f"p{n}", f"value {n}") for n in range(10)],
        tags=[RunTag(f"t{n}", "x" * 40) for n in range(5)],
    )
    data = Dataset("loans", "d1g35t", "local", json.dumps({"uri": "loans.csv"}))
    client.log_inputs(run.info.run_id, [DatasetInput(data, [])])
    client.set_terminated(run.info.run_id, end_time=end)
    _copy(folder / "mlflow.db", run.info.run_id, runs - 1)
    return address


def _copy(file: Path, run_id: str, times: int) -> None:
    with closing(sqlite3.connect(file)) as store, store:
        store.row_factory = sqlite3.Row
        for table, key in {**COPIED, "inputs": "destination_id"}.items():
            rows = store.execute(f"SELECT * FROM {table} WHERE {key} = ?", [run_id]).fetchall()  # noqa: S608
            names = rows[0].keys()
            marks = ", ".join("?" * len(names))
            copies = (
                [_value(table, name, row, number) for name in names]
                for number in range(times)
                for row in rows
            )
            store.executemany(
                f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608
                ([_copied(value, run_id, number) for value in copy]
                 for number, copy in _numbered(copies, len(rows))),
            )  # fmt: skip


def _numbered(copies: Iterator[list[Any]], each: int) -> Iterator[tuple[int, list[Any]]]:
    """Each row with the number of the copy that it belongs to."""
    for place, copy in enumerate(copies):
        yield place // each, copy


def _value(table: str, name: str, row: sqlite3.Row, number: int) -> Any:
    if table == "runs" and name in {"start_time", "end_time"}:
        return row[name] - (number + 1) * 60_000
    if table == "inputs" and name == "input_uuid":
        return uuid.uuid4().hex
    return row[name]


def _copied(value: Any, run_id: str, number: int) -> Any:
    """The id of copy `number` wherever the run's own stood."""
    return f"{number:032x}" if value == run_id else value


@contextmanager
def serving(address: str, folder: Path) -> Iterator[str]:
    """A tracking server over the store."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", address,
               "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, server)
        yield url
    finally:
        os.killpg(server.pid, 15)
        server.wait()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    import requests

    while server.poll() is None:
        try:
            if requests.get(f"{url}/health", timeout=10).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise SystemExit("the tracking server ended")


def read(address: str, runs: int) -> list[float]:
    """Seconds and peak MiB of a first pull, then seconds of the next with its sweep."""
    from collectors.mlflow_runs import MlflowRuns
    from evidence.model import Cursor

    source = MlflowRuns("bench", address, systems={"*": "credit"})
    began, came, cursor = time.perf_counter(), 0, Cursor("")
    for batch in source.collect(None):
        came += sum(item.kind == "mlflow.run" for item in batch.items)
        cursor = batch.cursor
    first = time.perf_counter() - began
    if came != runs:
        raise SystemExit(f"{came} runs came where {runs} should")
    held, began = peak(), time.perf_counter()
    for batch in source.collect(cursor):
        cursor = batch.cursor
    again = time.perf_counter() - began
    began = time.perf_counter()
    changed = sum(len(batch.items) for batch in source.sweep(None, cursor))
    return [first, held, again, time.perf_counter() - began, peak(), changed]


def main(sizes: list[int]) -> None:
    """Measure and print."""
    heads = ["runs", "by", "first pull", "runs a second", "most memory", "next pull",
             "first sweep", "most memory then"]  # fmt: skip
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            address = make_store(folder, size)
            with serving(address, folder) as url:
                for by, where in (("HTTP", url), ("file", address)):
                    done = subprocess.run(
                        [sys.executable, "-m", "benchmarks.mlflow", "--read", where, str(size)],
                        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
                    )  # fmt: skip
                    first, held, again, sweep, then, _ = json.loads(done.stdout.splitlines()[-1])
                    rows.append([
                        f"{size:,}", by, f"{first:.1f} s", f"{size / first:,.0f}",
                        f"{held:,.0f} MiB", f"{again:.1f} s", f"{sweep:.1f} s", f"{then:,.0f} MiB",
                    ])  # fmt: skip
    print_table(heads, rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        print(json.dumps(read(sys.argv[2], int(sys.argv[3]))))
    else:
        main([int(word) for word in sys.argv[1:]] or [1_000, 10_000])
