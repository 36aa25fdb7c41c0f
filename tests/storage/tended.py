"""Processes around one lake: some land, one reads, one seals, and one maintains until it dies."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from evidence.errors import LakeError
from evidence.model import Cursor, EvidenceItem
from storage import log_packs
from storage.keys import load_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.maintain import LEAST_KEPT, maintain
from storage.views import connect
from tests.storage.crasher import SQL, die
from tests.storage.makers import item

TURNS, BATCH = 20, 3
POINTS = ("timer", "commit", "commit after", "sync", "rename after", "unlink", "unlink after")


def now() -> datetime:
    return datetime.now(UTC)


def batch(source: str, turn: int) -> list[EvidenceItem]:
    """Each batch brings one item of the batch before again."""
    numbers = range(turn * BATCH - min(turn, 1), turn * BATCH + BATCH)
    return [item(n % 40 + n / 1000, subject=f"{source}-{n}", source=source) for n in numbers]


def land(path: Path, source: str) -> None:
    """Land every batch of a source, again where an error says that nothing was landed."""
    lake = Lake.open(path, clock=now)
    for turn in range(TURNS):
        time.sleep(0.1)  # so that there is something to maintain beside
        while True:
            with contextlib.suppress(LakeError):
                bookmark = lake.bookmark(source)
                if bookmark.cursor and int(bookmark.cursor.value) >= turn:
                    break
                lake.land(source, batch(source, turn), bookmark=bookmark,
                          cursor=Cursor(str(turn)), pull_id=f"{source}-{turn}")  # fmt: skip
                break


def seal(path: Path, key: Path, stop: Path) -> None:
    """Tag and seal until told to stop. Whatever is no busy lake ends the process with an error."""
    lake = Lake.open(path, clock=now)
    while not stop.exists():
        with contextlib.suppress(LakeError):
            lake.follow_sql("tags", SQL.replace("kind = 'jira.issue'", "true"), app="tags:m1")
            integrate(lake, load_key(key))
        time.sleep(0.1)


def read(path: Path, stop: Path) -> None:
    """Look again and again: rows only ever become more, and none is there twice."""
    lake, before, looks = Lake.open(path, clock=now), 0, 0
    while not stop.exists() or not looks:
        # Files go at once here, not after their time: then a look is refused, but never wrong.
        with contextlib.suppress(LakeError), connect(lake) as connection:
            sql = "SELECT count(*), count(DISTINCT item_id) FROM evidence"
            with contextlib.suppress(Exception):
                rows, items = connection.execute(sql).fetchall()[0]
                looks += 1
                if rows != items or rows < before:
                    os._exit(3)
                before = rows


def tend(path: Path, key: Path, hours: int, point: str, count: int) -> None:
    """Maintain once, with a clock so far ahead that nothing is kept, and die at a moment of it."""
    log_packs.ENTRIES = 5
    if point == "timer":
        threading.Timer(count / 20, die).start()
    elif point:
        _die_at(point, count)
    lake = Lake.open(path, clock=lambda: now() + timedelta(hours=hours))
    with contextlib.suppress(LakeError):
        maintain(lake, load_key(key).verifier, keep=LEAST_KEPT)


def _die_at(point: str, count: int) -> None:
    where, _, when = point.partition(" ")
    left = itertools.count(1)

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            last = next(left) == count
            if last and not when:
                die()
            answer = real(*given, **named)
            if last:
                die()
            return answer

        return wrapped

    if where == "commit":
        real = DeltaTable.create_write_transaction
        DeltaTable.create_write_transaction = dying(real)  # type: ignore[method-assign]
    elif where == "sync":
        os.fsync = dying(os.fsync)
    elif where == "rename":
        Path.rename = dying(Path.rename)  # type: ignore[method-assign]
    else:
        Path.unlink = dying(Path.unlink)  # type: ignore[method-assign]


def moment(chance: random.Random, turn: int) -> tuple[str, int]:
    """Where the next maintenance dies."""
    return POINTS[turn % len(POINTS)], chance.randint(1, 12)
