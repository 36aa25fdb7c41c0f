"""A log without its table: the same entries, and no head that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.errors import LakeError
from storage.log_packs import commit_name, pack_entries
from tests.storage.makers import World, item


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "lake")
    for number in range(4):
        world.land(item(number), cursor=str(number))
    return world


def test_a_log_tells_what_its_table_tells(world: World) -> None:
    log, table = world.lake.log("evidence"), world.lake.table("evidence")
    assert log.version == table.version == 4
    assert list(log.commits(-1)) == list(table.commits(-1))
    assert list(log.backwards()) == list(table.backwards())
    pack_entries(log.place, 3)
    assert list(world.lake.log("evidence").commits(-1)) == list(table.commits(-1))


def test_a_log_ends_where_it_was_first_asked(world: World) -> None:
    log = world.lake.log("evidence")
    assert log.version == 4
    world.land(item(9), cursor="9")
    assert [commit.version for commit in log.commits(2)] == [3, 4]
    assert world.lake.log("evidence").version == 5


@pytest.mark.parametrize("since", [0, 1, 4, 5, 10**20])
def test_from_wherever_it_is_looked_for_the_newest_is_found(world: World, since: int) -> None:
    log = world.lake.log("evidence", since=since)
    assert log.version == 4
    assert [commit.version for commit in log.commits(-1)] == [0, 1, 2, 3, 4]


def test_a_log_that_is_gone_is_an_error(world: World) -> None:
    folder = world.path / "evidence"
    (folder / commit_name(2)).unlink()
    with pytest.raises(LakeError, match="log file 2 is gone"):
        list(world.lake.log("evidence").commits(0))
    for entry in (folder / "_delta_log").iterdir():
        entry.unlink()
    with pytest.raises(LakeError, match="evidence cannot be opened: its log is gone"):
        _ = world.lake.log("evidence").version
    with pytest.raises(LakeError, match="no table"):
        world.lake.log("nothing")
