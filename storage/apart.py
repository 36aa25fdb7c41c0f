"""A stranger's question in a process of its own, with the system's limits on memory and time."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa

from evidence.errors import LakeError
from evidence.excerpt import EVERYTHING, Excerpt
from storage.engine import Limits
from storage.lake import Lake
from storage.place import Place
from storage.question import Answer, ask
from storage.views import connect_files, lake_files

START_SECONDS = 30.0
"""What the process may take to start and to open the lake, beside the limit of the question."""
OWN_BYTES = 4 << 30
"""Address space that Python, the engine and its mapped files take before any question."""

_LOOK_SECONDS = 0.2


def ask_apart(
    lake: Path | str | Place,
    sql: str,
    params: Mapping[str, object] | None = None,
    *,
    as_of: datetime | None = None,
    size: int | None = None,
    mapping_digest: str | None = None,
    tags_sql: str = "",
    dimensions: Mapping[str, pa.Table] | None = None,
    limits: Limits | None = None,
    excerpt: Excerpt = EVERYTHING,
    gone: Callable[[], bool] = lambda: False,
) -> Answer:
    """Like `connect` and `ask`, `params` by name.

    The engine's own limits hold only between its steps, these always. `gone` says whether nobody
    waits for the answer any more: then the process is ended. Raises LakeError with one sentence,
    also when the process had to be ended.
    """
    bounds = limits or Limits()
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    shown = {"as_of": as_of, "size": size, "mapping_digest": mapping_digest, "tags_sql": tags_sql}
    # The question gets files, not the lake: the way to a bucket and its keys stay here.
    files = lake_files(Lake.open(lake, clock=lambda: datetime.now(UTC)), as_of, size)
    given = (
        there,
        files,
        sql,
        dict(params or {}),
        shown | {"dimensions": dict(dimensions or {}), "excerpt": excerpt},
        bounds,
    )
    process = spawn.Process(target=_answer, args=given, daemon=True)
    process.start()
    there.close()
    try:
        _await(here, bounds.seconds + START_SECONDS, bounds, gone)
        answer: Answer | str = here.recv()
    except EOFError as error:
        raise LakeError(f"the answer needs more than {bounds.memory_mb} MB; narrow it") from error
    finally:
        process.kill()
        process.join()
    if isinstance(answer, str):
        raise LakeError(answer)
    return answer


def _await(here: Connection, patience: float, limits: Limits, gone: Callable[[], bool]) -> None:
    deadline = time.monotonic() + patience
    while not here.poll(_LOOK_SECONDS):
        if gone():
            raise LakeError("nobody waits for the answer any more")
        if time.monotonic() > deadline:
            raise LakeError(f"the answer took longer than {limits.seconds:g} s; narrow it")


def _answer(
    out: Connection,
    files: Mapping[str, Sequence[Path]],
    sql: str,
    params: Mapping[str, object],
    shown: Mapping[str, Any],
    limits: Limits,
) -> None:
    most = OWN_BYTES + limits.memory_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    seconds = int(limits.seconds + START_SECONDS) * (limits.threads + 1)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    try:
        with connect_files(files, **shown, limits=limits) as connection:
            out.send(ask(connection, sql, params, limits=limits))
    except LakeError as error:
        out.send(str(error))
    except MemoryError:
        out.send(f"the answer needs more than {limits.memory_mb} MB; narrow it")
