"""A child that lands batch after batch and kills itself, with SIGKILL, at a chosen moment."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import resource
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

import storage.lake
import storage.ledger
import storage.place_local
from evidence.errors import LakeConflict, LakeError
from evidence.model import Cursor
from evidence.runs import PullOutcome
from storage.keys import load_key
from storage.lake import Lake
from storage.ledger import integrate
from tests.storage.makers import item, pull, tag_sql

BATCHES, BATCH = 64, 6
SQL = tag_sql([("iso42001:A.1", "ticket", "kind = 'jira.issue'")], "m1")


def now() -> datetime:
    return datetime.now(UTC)


def batch(number: int) -> list[Any]:
    """Batch `number` overlaps the one before and lies in two months."""
    first = number * (BATCH - 1)
    return [item(n % 25 + n / 1000, subject=f"AI-{n}") for n in range(first, first + BATCH)]


def work(path: Path, key: Path) -> None:
    """Land what is left, one batch a commit, then tag and seal: what a collector's run does."""
    lake = Lake.open(path, clock=now)
    bookmark = lake.bookmark("jira")
    number = json.loads(bookmark.cursor.value) + 1 if bookmark.cursor else 0
    while number < BATCHES:
        record = pull(number, now(), PullOutcome.COMPLETE)
        landed = lake.land(
            "jira", batch(number), bookmark=bookmark, cursor=Cursor(json.dumps(number)),
            pull_id=record.pull_id, pull=record if number == BATCHES - 1 else None,
        )  # fmt: skip
        bookmark, number = landed.bookmark, number + 1
        _follow(lake, key)
    _follow(lake, key)  # the run before may have died just after its last batch


def _follow(lake: Lake, key: Path) -> None:
    lake.follow_sql("tags", SQL, app="tags:m1")
    integrate(lake, load_key(key), witness=key.with_name("witness"))


def work_among_others(path: Path, number: int, batches: int) -> None:
    """The same source in several processes: whoever loses reads the cursor again."""
    random.seed(number)
    lake = Lake.open(path, clock=now)
    while True:
        bookmark = lake.bookmark("jira")
        turn = json.loads(bookmark.cursor.value) + 1 if bookmark.cursor else 0
        if turn >= batches:
            return
        try:
            lake.land("jira", batch(turn), bookmark=bookmark, cursor=Cursor(json.dumps(turn)),
                      pull_id=f"p{number}-{turn}")  # fmt: skip
        except LakeConflict:
            continue


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(point: str, count: int) -> None:
    """Arrange for death just before or after the `count`-th pass of a fault point."""
    left = [count]

    def passing(real: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and not after:
                die()
            answer = real(*given, **named)
            if left[0] == 0:
                die()
            return answer

        return wrapped

    where, _, when = point.partition(" ")
    after = when == "after"
    if where == "sync":
        storage.place_local.os.fsync = passing(os.fsync, after=after)  # type: ignore[attr-defined]
    elif where == "commit":
        real = DeltaTable.create_write_transaction
        DeltaTable.create_write_transaction = passing(real, after=after)  # type: ignore[method-assign]
    elif where == "replace":
        Path.replace = passing(Path.replace, after=after)  # type: ignore[method-assign]


def run(path: Path, key: Path, point: str, count: int) -> None:
    """`work`, until death at a fault point, or at any moment for the point `timer`."""
    if point == "timer":
        threading.Timer(count / 1000, die).start()
    elif point:
        die_at(point, count)
    work(path, key)


def windows(source: str, number: int) -> list[Any]:
    """Batch `number` of a source: it overlaps the one before and lies in three months."""
    first = number * (BATCH - 2)
    return [
        item(n * 7 % 90, source=source, subject=f"{source}-{n}")
        for n in range(first, first + BATCH)
    ]


def work_until(path: Path, key: Path, number: int, stop: Path | int) -> None:
    """Land for the source that all share and for a source of its own, sealing in between.

    Ends after so many turns, or when the file `stop` is there; after a last batch of each source.
    """
    dice = random.Random(f"{number} {os.getpid()}")
    lake = Lake.open(path, clock=now)
    for done in itertools.count():
        if done == stop or (isinstance(stop, Path) and stop.exists()):
            break
        turn(lake, dice.choice(["shared", f"own-{number}"]))
        if dice.random() < 0.2:
            seal(lake, key)
    for source in ("shared", f"own-{number}"):
        turn(lake, source)


def turn(lake: Lake, source: str) -> None:
    """The next batch of a source; whoever loses the race for it has nothing to do."""
    bookmark = lake.bookmark(source)
    number = json.loads(bookmark.cursor.value) + 1 if bookmark.cursor else 0
    with contextlib.suppress(LakeConflict):
        lake.land(source, windows(source, number), bookmark=bookmark,
                  cursor=Cursor(json.dumps(number)), pull_id=f"{source}-{number}")  # fmt: skip


def seal(lake: Lake, key: Path) -> None:
    """Seal what is there, with a copy outside."""
    with contextlib.suppress(LakeConflict):
        integrate(lake, load_key(key), witness=key.with_name("witness"))


def land_into(path: Path, most: int, answer: Connection) -> None:
    """Land 40 items where no file may grow beyond `most` bytes: as on a disk that is full."""
    lake = Lake.open(path, clock=now)
    bookmark = lake.bookmark("shared")
    items = [one for number in range(10) for one in windows("shared", number)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    try:
        landed = lake.land("shared", items, bookmark=bookmark, cursor=Cursor("9"), pull_id="p")
        told = f"landed {landed.new}"
    except LakeError as error:
        told = f"LakeError: {error}"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    answer.send(told)
