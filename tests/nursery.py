"""Real processes that start at once: forked from one that has imported Headwater and run nothing.

What such a process does, how it ends and that it can be killed is as in any other; only importing
is done once for all of them.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory

# Not Prefect and MLflow: they read the environment when they are imported.
_IMPORTED = [
    "flows.cli", "flows.check", "flows.config_reader", "flows.follow", "flows.query", "flows.run",
    "flows.sources", "flows.status", "flows.upkeep", "flows.verify", "mappings.compile", "pandas",
    "pydantic.type_adapter", "rich.status", "sqlglot.generators.duckdb", "storage.bucket",
    "storage.mail", "tests.storage.crasher",
]  # fmt: skip


NURSERY: ForkServerContext = multiprocessing.get_context("forkserver")
NURSERY.set_forkserver_preload(_IMPORTED)


def begin(*words: object, out: Path, err: Path) -> ForkServerProcess:
    """`headwater WORDS` under way in today's environment; what it prints goes to two files."""
    given = (tuple(map(str, words)), out, err, dict(os.environ))
    child = NURSERY.Process(target=_headwater, args=given)
    child.start()
    return child


def headwater(*words: object) -> subprocess.CompletedProcess[str]:
    """`headwater WORDS` to its end, as one runs it in a terminal."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        child = begin(*words, out=out, err=err)
        child.join(120)
        if child.exitcode is None:
            child.kill()
            raise subprocess.TimeoutExpired(words, 120, out.read_bytes(), err.read_bytes())
        return subprocess.CompletedProcess(
            words, child.exitcode, out.read_text("utf-8"), err.read_text("utf-8")
        )


def _headwater(
    words: tuple[str, ...], out: Path, err: Path, environment: Mapping[str, str]
) -> None:
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["headwater", *words]
    from flows.cli import main

    main()
