"""Headwater's own acts land as evidence, each its own, beside everybody else's landings."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from evidence.errors import LakeError
from evidence.model import Cursor, Outcome
from storage.actions import act, land_own, try_to_act
from storage.lake import Lake
from storage.views import ask, connect
from tests.storage.makers import World, item

ACTS = "SELECT subject, actor, outcome, payload->>'$.facts.n' AS n, payload->>'$.code_version' " \
       "FROM evidence WHERE kind = 'headwater.action' ORDER BY landed_at"  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def test_an_act_is_an_event_with_who_what_and_how_it_ended(world: World) -> None:
    act(world.lake, "verify", who="lena", outcome=Outcome.FAILED, facts={"n": 2})
    act(world.lake, "verify", facts={"n": 2})
    act(world.lake, "verify", facts={"n": 2})
    with connect(world.lake) as connection:
        rows = ask(connection, ACTS).rows
    first, second = sorted(rows, key=lambda row: row[2] == "recorded")[:2]
    assert len(rows) == 3, "the same act twice, at one moment, is two acts"
    assert first[:4] == ("verify", "lena", "failed", "2")
    assert first[4].startswith("0.1.0")
    assert second[:4] == ("verify", second[1], "recorded", "2")
    assert second[1] not in ("", "lena"), "without a name it is the user of the system"


def test_many_act_at_once_and_every_act_is_there_once(world: World) -> None:
    def several(name: str) -> None:
        for number in range(3):
            act(Lake.open(world.path, clock=world.clock), name, facts={"n": number})

    threads = [threading.Thread(target=several, args=(f"t{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with connect(world.lake) as connection:
        done = ask(connection, ACTS).rows
    assert sorted((row[0], row[3]) for row in done) == [
        (f"t{who}", str(n)) for who in range(3) for n in range(3)
    ]


def test_an_act_keeps_the_cursor_that_headwater_set(world: World) -> None:
    noted = item(1, source="headwater", kind="headwater.mapping")
    land_own(world.lake, lambda _: ((noted,), Cursor("m1")))
    act(world.lake, "maintain")
    assert world.lake.bookmark("headwater").cursor == Cursor("m1")


def test_no_collector_lands_in_headwaters_name(world: World) -> None:
    with pytest.raises(LakeError, match="only Headwater itself lands"):
        world.land(item(1, kind="headwater.mapping"))


def test_where_nothing_can_be_written_it_says_that_nothing_was_recorded(world: World) -> None:
    (world.path / "evidence" / f"month={world.clock.now:%Y-%m}").touch()
    told = try_to_act(world.lake, "verify")
    assert told.startswith("that verify was run is not recorded in the lake: cannot write")
    with pytest.raises(LakeError):
        act(world.lake, "verify")
