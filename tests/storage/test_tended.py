"""Maintenance beside everybody else, killed again and again: nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
import signal
from multiprocessing import get_context
from pathlib import Path

import pytest

from storage.keys import load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.log_packs import packs
from storage.maintain import LEAST_KEPT, maintain
from storage.verify import verify
from storage.views import connect
from tests.storage.crasher import SQL
from tests.storage.tended import TURNS, batch, land, moment, now, read, seal, tend

SOURCES = ("north", "east", "south", "west")
SEED = int(os.environ.get("HEADWATER_SEED", "20261124"))


@pytest.mark.xdist_group("crowd")
def test_maintained_and_killed_beside_writers_and_readers(tmp_path: Path) -> None:
    home, key, stop = tmp_path / "lake", tmp_path / "key", tmp_path / "stop"
    lake = Lake.create(home, clock=now)
    make_key(key, origin="test/lake")
    nursery = get_context("forkserver")
    nursery.set_forkserver_preload(["tests.storage.tended"])
    others = [nursery.Process(target=read, args=(home, stop)),
              nursery.Process(target=seal, args=(home, key, stop))]  # fmt: skip
    landing = [nursery.Process(target=land, args=(home, source)) for source in SOURCES]
    for process in (*others, *landing):
        process.start()
    chance, killed, turn = random.Random(SEED), 0, 0
    while any(process.is_alive() for process in landing) or turn < 14:
        turn += 1
        child = nursery.Process(target=tend, args=(home, key, 2 * turn, *moment(chance, turn)))
        child.start()
        child.join(60)
        assert child.exitcode in {0, -signal.SIGKILL}, (SEED, turn)
        killed += child.exitcode == -signal.SIGKILL
    stop.touch()
    for process in (*others, *landing):
        process.join(60)
        assert process.exitcode == 0, (SEED, process)
    assert killed >= 3, (SEED, killed, turn)
    last = nursery.Process(target=tend, args=(home, key, 2 * turn + 2, "", 0))
    last.start()
    last.join(60)
    assert last.exitcode == 0
    _check(lake, key)


def _check(lake: Lake, key: Path) -> None:
    lake.follow_sql("tags", SQL.replace("kind = 'jira.issue'", "true"), app="tags:m1")
    integrate(lake, load_key(key))
    done = maintain(lake, load_key(key).verifier, keep=LEAST_KEPT)
    integrate(lake, load_key(key))
    assert [sentence for one in done for sentence in one.refused] == []
    expected = sorted(
        {one.item_id for source in SOURCES for turn in range(TURNS) for one in batch(source, turn)}
    )
    with connect(lake) as connection:
        for view in ("evidence", "tags", "leaves"):
            rows = connection.execute(f"SELECT item_id FROM {view} ORDER BY 1").fetchall()
            assert [row[0] for row in rows] == expected, (SEED, view)
    found = verify(lake.place, load_key(key).vkey)
    assert found.size == found.items == len(expected)
    assert packs(lake.place.at("evidence"))
