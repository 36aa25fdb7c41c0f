"""A period is served by what a complete pull brought or confirmed, from the moment it did."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from evidence.deadline import Arrival
from evidence.model import Change, EvidenceItem
from evidence.runs import PullOutcome
from storage.arrivals import Asked, arrivals, began
from storage.views import connect
from tests.storage.makers import START, World, days, item
from tests.storage.test_corrections import corrected

KEY = ("iso42001:A.1", "ticket", "credit-scoring")
DONE, PART = PullOutcome.COMPLETE, PullOutcome.PARTIAL
WEEKS = [Asked(KEY[0], KEY[1], START + days(7 * n), START + days(7 * n + 7)) for n in range(-1, 8)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def _served(world: World, *, landed: bool = False) -> list[Arrival]:
    world.tag(KEY[0], KEY[1], "kind = 'jira.issue'")
    asked = [Asked(*KEY[:2], week.opens, week.ends, landed) for week in WEEKS]
    with connect(world.lake, mapping_digest="m1") as connection:
        return list(arrivals(connection, world.clock.now, asked).get(KEY, ()))


def _at(number: float) -> Arrival:
    """What was observed on that day and known at once."""
    return Arrival(START + days(number), START + days(number))


def _land(world: World, *items: EvidenceItem, at: float, outcome: PullOutcome = DONE,
          **given: bool) -> None:  # fmt: skip
    world.clock.now = START + days(at)
    world.land(*items, cursor=str(at), outcome=outcome, **given)  # type: ignore[arg-type]


def test_of_each_period_the_first_that_was_known(world: World) -> None:
    _land(world, item(3), item(6), at=6.5)
    _land(world, item(5), item(8), at=9)
    assert _served(world) == [
        Arrival(START + days(3), START + days(6.5)), Arrival(START + days(8), START + days(9))
    ]  # fmt: skip


def test_the_end_of_a_period_belongs_to_it_and_its_beginning_does_not(world: World) -> None:
    _land(world, item(0), item(7), at=7)
    assert [one.at for one in _served(world)] == [START, START + days(7)]


def test_a_late_backfill_is_known_when_it_lands(world: World) -> None:
    _land(world, item(10), at=10)
    _land(world, item(2, collected_at=START + days(40)), at=40, backfill=True)
    late = Arrival(START + days(2), START + days(40))
    assert _served(world) == [late, _at(10)]


def test_what_a_partial_pull_brought_is_known_once_a_whole_one_followed(world: World) -> None:
    _land(world, item(1, collected_at=START + days(1)), at=1, outcome=PART)
    assert _served(world) == []
    _land(world, at=3, outcome=PART)
    _land(world, at=4, backfill=True)
    assert _served(world) == [], "a backfill confirms only what it brought"
    _land(world, at=9)
    _land(world, at=12)
    assert _served(world) == [Arrival(START + days(1), START + days(9))]


def test_what_was_corrected_or_went_away_served_nothing(world: World) -> None:
    _land(world, item(1), item(9, subject="gone"), item(15), at=15)
    _land(world, item(16, subject="gone", change=Change.GONE, payload={}), at=16)
    corrected(world, item(1))
    assert _served(world) == [_at(15)]


def test_older_versions_served_their_periods_unless_their_date_was_taken_back(
    world: World,
) -> None:
    for at, change in ((1, Change.NEW), (8, Change.CHANGED), (15, Change.CHANGED)):
        _land(world, item(at, subject="policy", change=change), at=at)
    assert _served(world) == [_at(1), _at(8), _at(15)]
    _land(world, item(2, subject="policy", change=Change.CHANGED), at=20)
    assert _served(world) == [_at(1)], "the review of day 2 is the last that it declares"


def test_by_landing_a_backfill_serves_the_day_it_came(world: World) -> None:
    _land(world, item(2, collected_at=START + days(40)), at=40, backfill=True)
    assert _served(world, landed=True) == [_at(40)]


def test_nothing_is_known_before_it_happened(world: World) -> None:
    _land(world, item(8), at=5)
    assert _served(world) == [_at(8)]


def test_the_past_knows_only_what_had_landed(world: World) -> None:
    _land(world, item(10), at=10)
    then = world.clock.now
    _land(world, item(3, collected_at=START + days(20)), at=20)
    _served(world)
    with connect(world.lake, mapping_digest="m1") as connection:
        assert arrivals(connection, then, WEEKS)[KEY] == (_at(10),)
        assert arrivals(connection, then, []) == {}


def test_the_lake_began_with_its_first_item(world: World) -> None:
    with connect(world.lake) as connection:
        assert began(connection) is None
    _land(world, item(1), at=2)
    _land(world, item(3), at=4)
    with connect(world.lake) as connection:
        begun = began(connection)
    assert begun is not None
    assert timedelta(0) <= START + days(2) - begun < timedelta(seconds=1)
