"""Killed at any moment, a run leaves the lake behind, never wrong; the next run makes it whole."""

from __future__ import annotations

import os
import random
import signal
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from storage.keys import load_key, make_key
from storage.lake import Lake
from storage.verify import verify
from storage.views import ask, connect
from tests.nursery import NURSERY
from tests.storage import crasher
from tests.storage.crasher import batch, now, run, work, work_among_others

POINTS = ["sync", "sync after", "commit", "commit after", "replace", "replace after", "timer"]
KILLS_EACH = int(os.environ.get("HEADWATER_KILLS_EACH", "2"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return _house(tmp_path)


def _house(folder: Path) -> Path:
    Lake.create(folder / "lake", clock=now)
    make_key(folder / "key", origin="crash.example/lake")
    return folder


def _content(home: Path) -> dict[str, Any]:
    """What must be equal however often a run died: all but the times at which it happened."""
    with connect(Lake.open(home / "lake", clock=now)) as connection:
        columns = """item_id, source, kind, nature, system, subject, title, observed_to, change,
            outcome, payload, content_sha256, month"""
        items = ask(connection, f"SELECT {columns} FROM evidence "
                                "WHERE kind <> 'headwater.pull' ORDER BY item_id").rows  # fmt: skip
        tags = ask(connection, "SELECT item_id, control FROM tags ORDER BY ALL").rows
        leaves = ask(connection, "SELECT leaf_index FROM leaves ORDER BY ALL").rows
        pulls = ask(connection, "SELECT pull_id, outcome FROM pulls").rows
    return {"items": items, "tags": tags, "leaves": leaves, "pulls": pulls}


def _whole(home: Path) -> dict[str, Any]:
    work(home / "lake", home / "key")
    return _content(home)


def _start(target: Any, *given: Any) -> ForkServerProcess:
    child = NURSERY.Process(target=target, args=given)
    child.start()
    return child


def test_killed_anywhere_and_run_again_it_is_the_same(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    undisturbed = _whole(_house(tmp_path_factory.mktemp("calm")))
    chance = random.Random(20261123)
    killed = dict.fromkeys(POINTS, 0)
    while min(killed.values()) < KILLS_EACH:
        point = min(POINTS, key=killed.__getitem__)
        count = chance.randint(1, 60) if point == "timer" else chance.randint(1, 4)
        child = _start(run, home / "lake", home / "key", point, count)
        child.join(60)
        assert child.exitcode in {0, -signal.SIGKILL}
        killed[point] += child.exitcode == -signal.SIGKILL
        _check_between(home)
        if child.exitcode == 0:  # it came to its end before its death did
            _check_end(home, undisturbed)
            home = _house(tmp_path_factory.mktemp("next"))
    _check_end(home, undisturbed)


def _check_end(home: Path, undisturbed: dict[str, Any]) -> None:
    assert _whole(home) == undisturbed
    found = verify(home / "lake", load_key(home / "key").vkey, witness=home / "witness")
    assert found.size == found.items == len(undisturbed["items"]) + 1


def _check_between(home: Path) -> None:
    """At every death: a batch is there whole with its cursor, or not at all."""
    lake = Lake.open(home / "lake", clock=now)
    cursor = lake.bookmark("jira").cursor
    landed = int(cursor.value) + 1 if cursor else 0
    expected = {item.item_id for number in range(landed) for item in batch(number)}
    with connect(lake) as connection:
        sql = "SELECT item_id FROM evidence WHERE kind <> 'headwater.pull'"
        rows = [row[0] for row in ask(connection, sql).rows]
    assert len(rows) == len(set(rows))
    assert set(rows) == expected


def test_four_processes_of_one_source_land_each_item_once(home: Path) -> None:
    batches = 24
    children = [_start(work_among_others, home / "lake", n, batches) for n in range(4)]
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0] * 4
    _check_between(home)
    lake = Lake.open(home / "lake", clock=now)
    assert lake.bookmark("jira").cursor == crasher.Cursor(str(batches - 1))
    assert lake.version == batches
    files = {file.path for file in lake.files("evidence")}
    assert {*(home / "lake/evidence").rglob("month=*/*.parquet")} == files
