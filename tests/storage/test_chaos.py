"""Many processes on one lake, killed at any moment: nothing lost, nothing twice, all provable.

`HEADWATER_KILLS=200` makes it a soak, `HEADWATER_SEED` repeats the moments of a run.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from storage.keys import load_key, make_key
from storage.lake import Lake
from storage.verify import verify
from storage.views import ask, connect
from tests.nursery import NURSERY
from tests.storage.crasher import land_into, now, seal, windows, work_until

KILLS = int(os.environ.get("HEADWATER_KILLS", "25"))
SEED = int(os.environ.get("HEADWATER_SEED", str(random.SystemRandom().randrange(10**6))))
WORKERS, TURNS = 4, 8


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Lake.create(tmp_path / "lake", clock=now)
    make_key(tmp_path / "key", origin="chaos.example/lake")
    return tmp_path


def _start(home: Path, number: int, turns: int | None = None) -> ForkServerProcess:
    given = (home / "lake", home / "key", number, turns or home / "stop")
    child = NURSERY.Process(target=work_until, args=given)
    child.start()
    return child


def _whole(home: Path, sources: list[str]) -> int:
    """Each source's rows are those of the batches up to its cursor, once; returns their number."""
    lake = Lake.open(home / "lake", clock=now)
    with connect(lake) as connection:
        rows = ask(connection, "SELECT source, item_id FROM evidence").rows
    landed: dict[str, list[str]] = {}
    for source, item_id in rows:
        landed.setdefault(source, []).append(item_id)
    for source in sources:
        cursor = lake.bookmark(source).cursor
        assert cursor is not None, source
        due = {one.item_id for n in range(int(cursor.value) + 1) for one in windows(source, n)}
        twice = [item_id for item_id, times in Counter(landed[source]).items() if times > 1]
        assert not twice, source
        assert set(landed[source]) == due, source
    return len(rows)


@pytest.mark.timeout(60 + 12 * KILLS)
def test_killed_at_random_nothing_is_lost_and_nothing_lands_twice(home: Path) -> None:
    print(f"HEADWATER_SEED={SEED} HEADWATER_KILLS={KILLS}")
    dice = random.Random(SEED)
    children = {number: _start(home, number) for number in range(WORKERS)}
    for _ in range(KILLS):
        time.sleep(dice.uniform(0, 0.25))
        number = dice.randrange(WORKERS)
        os.kill(children[number].pid or 0, signal.SIGKILL)
        children[number].join(60)
        assert children[number].exitcode == -signal.SIGKILL
        children[number] = _start(home, number)
    (home / "stop").touch()
    for child in children.values():
        child.join(120)
        assert child.exitcode == 0
    rows = _whole(home, ["shared", *(f"own-{number}" for number in range(WORKERS))])
    seal(Lake.open(home / "lake", clock=now), home / "key")
    found = verify(home / "lake", load_key(home / "key").vkey, witness=home / "witness")
    assert found.size == found.items == rows


def test_eight_processes_at_once_on_one_cursor_and_eight_sources(home: Path) -> None:
    children = [_start(home, number, TURNS) for number in range(8)]
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0] * 8
    rows = _whole(home, ["shared", *(f"own-{number}" for number in range(8))])
    seal(Lake.open(home / "lake", clock=now), home / "key")
    found = verify(home / "lake", load_key(home / "key").vkey, witness=home / "witness")
    assert found.size == found.items == rows
    assert not [note for note in found.notes if "belong to no version" in note]


@pytest.mark.parametrize("most", [0, 500, 3000, 9000])
def test_a_full_disk_is_one_clear_error_and_no_loss(home: Path, most: int) -> None:
    """No room for a data file, or (9000) room for those and, late or never, none for the log."""
    here, there = multiprocessing.Pipe(duplex=False)
    for limit in (most, 1 << 30):
        child = NURSERY.Process(target=land_into, args=(home / "lake", limit, there))
        child.start()
        told = here.recv()
        child.join(60)
        assert child.exitcode == 0
        lake = Lake.open(home / "lake", clock=now)
        if told.startswith("LakeError"):
            assert limit == most
            assert "File too large" in told
            assert "\n" not in told
            assert "\x1b" not in told
            assert str(home / "lake") in told or "table evidence cannot be written" in told
            assert lake.bookmark("shared").cursor is None
            assert not list((home / "lake/evidence").rglob("month=*/*.parquet"))
        else:
            assert told in {"landed 42", "landed 0"}
    with connect(lake) as connection:
        counted = ask(connection, "SELECT count(*), count(DISTINCT item_id) FROM evidence").rows
    assert counted == ((42, 42),)
