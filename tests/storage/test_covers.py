"""The gaps that the lake tells are when it would have said that nothing is in date."""

from __future__ import annotations

import os
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from evidence.duration import Duration, Span, told_span
from evidence.freshness import Expectation, Scope, judge, together
from evidence.gaps import Continuity, continuity
from evidence.model import Change, ControlId, EvidenceItem, Nature
from evidence.runs import PullOutcome
from storage.covers import Aging, covers
from storage.engine import Connection
from storage.sightings import event_times
from storage.views import connect, sightings
from tests.storage.makers import START, World, days, item
from tests.storage.test_corrections import corrected

KEY = ("iso42001:A.1", "ticket", "credit-scoring")
DONE, PART = PullOutcome.COMPLETE, PullOutcome.PARTIAL
FOR_EVER = timedelta(days=10_000)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def tagged(world: World) -> None:
    world.tag(*KEY[:2], "kind IN ('jira.issue', 'jira.board') AND title <> 'other'")
    world.tag("event:new_model_version", "", "kind = 'jira.event'")


def land(world: World, *items: EvidenceItem, at: float, outcome: PullOutcome = DONE,
         **given: bool) -> None:  # fmt: skip
    world.clock.now = START + days(at)
    world.land(*items, cursor=str(at), outcome=outcome, states=("jira.board",), **given)


def event(at: float, *, collected: float) -> EvidenceItem:
    return item(at, kind="jira.event", subject=f"e-{at}", collected_at=START + days(collected))


def board(at: float, change: Change, **given: str) -> EvidenceItem:
    payload = {"at": at} if change is not Change.GONE else {}
    more = {"title": "board", "subject": "board", "payload": payload} | given
    return item(at, kind="jira.board", nature=Nature.STATE, change=change, **more)


def told(world: World, age: Span, *stale_on: str) -> Continuity | None:
    tagged(world)
    asked = [Aging(KEY[0], KEY[1], age, stale_on)]
    with connect(world.lake, as_of=world.clock.now, mapping_digest="m1") as connection:
        found = covers(connection, world.clock.now, asked).get(KEY, ())
    return continuity(found, told_span(age), world.clock.now)


def gaps(found: Continuity | None) -> list[tuple[float, float | None, float]]:
    """In days since the start."""
    assert found is not None
    return [
        (
            _days(gap.began),
            None if gap.ended is None else _days(gap.ended),
            round(gap.filled / days(1), 3),
        )
        for gap in found.gaps
    ]


def _days(moment: datetime) -> float:
    return round((moment - START) / days(1), 3)


def test_a_backfill_fills_a_gap_and_the_gap_stays(world: World) -> None:
    land(world, item(0), at=0)
    land(world, item(40), at=40)
    assert gaps(told(world, days(10))) == [(10, 40, 0)]
    land(world, item(8, collected_at=START + days(45)), item(17, collected_at=START + days(45)),
         at=45, backfill=True)  # fmt: skip
    assert gaps(told(world, days(10))) == [(10, 40, 17)]


def test_months_follow_the_calendar(world: World) -> None:
    land(world, item(11), at=11)  # the last day of October
    world.clock.now = START + days(60)
    assert gaps(told(world, Duration(1))) == [(41, None, 0)]


def test_an_event_overtakes_from_when_it_is_known(world: World) -> None:
    land(world, item(0), at=0)
    land(world, event(3, collected=5), at=5)
    land(world, item(6), at=7)
    world.clock.now = START + days(8)
    assert gaps(told(world, days(30))) == []
    assert gaps(told(world, days(30), "new_model_version")) == [(5, 7, 1)]


def test_a_state_covers_while_whole_pulls_see_it(world: World) -> None:
    land(world, board(0, Change.NEW), at=0)
    land(world, at=2)
    land(world, at=4, outcome=PART)
    land(world, at=9)
    land(world, board(10, Change.GONE), at=10)
    land(world, board(12, Change.RESTORED), at=12)
    world.clock.now = START + days(13)
    assert gaps(told(world, days(3))) == [(5, 9, 0), (10, 12, 0)]


def test_what_was_corrected_covered_nothing(world: World) -> None:
    land(world, item(0), at=0)
    land(world, item(9), at=9)
    land(world, item(18), at=18)
    assert gaps(told(world, days(10))) == []
    corrected(world, item(9))
    assert gaps(told(world, days(10))) == [(10, 18, 0)]


def test_without_evidence_there_is_no_history(world: World) -> None:
    land(world, item(0), at=0, outcome=PART)
    assert told(world, days(1)) is None


def _any(rng: random.Random, number: int, at: float) -> EvidenceItem:
    kind = rng.choice(["issue", "issue", "board", "event"])
    if kind == "board":
        change = rng.choice([Change.CHANGED, Change.CHANGED, Change.GONE, Change.RESTORED])
        return board(at, change, title=rng.choice(["board", "board", "other"]),
                     subject=f"board-{rng.randint(0, 1)}")  # fmt: skip
    seen = at - rng.choice([0, 0, rng.uniform(0, 15)])
    return item(seen, kind=f"jira.{kind}", subject=f"s-{number}", collected_at=START + days(at))


@pytest.mark.parametrize("seed", range(int(os.environ.get("HEADWATER_DOUBTS", "2"))))
@pytest.mark.parametrize("scope", list(Scope))
def test_whenever_one_asks_the_gaps_are_what_was_said_then(
    world: World, seed: int, scope: Scope
) -> None:
    rng, at = random.Random(seed), 0.0
    for number in range(14):
        at += rng.uniform(0.1, 4)
        items = [_any(rng, 10 * number + n, at) for n in range(rng.randint(0, 2))]
        outcome = rng.choice([DONE, DONE, DONE, PART])
        # What a partial pull brought of a state is told apart only once it is confirmed.
        items = [one for one in items if outcome is DONE or one.nature is Nature.EVENT]
        land(world, *items, at=at, outcome=outcome, backfill=rng.random() < 0.1)
    tagged(world)
    age = rng.choice([days(1), days(3), days(6)])
    want = Expectation(
        ControlId(KEY[0]), KEY[1], scope, age, timedelta(0), silence=FOR_EVER,
        stale_on=("new_model_version",), lead=timedelta(hours=rng.choice([0, 9])),
    )  # fmt: skip
    asked = [Aging(*KEY[:2], age, want.stale_on, want.lead, scope is Scope.ORGANISATION)]
    with connect(world.lake, mapping_digest="m1") as connection:
        found = covers(connection, world.clock.now, asked).get(KEY, ())
        whole = continuity(found, told_span(age), world.clock.now)
        for _ in range(12):
            now = START + days(rng.uniform(0, at))
            with connect(world.lake, as_of=now, mapping_digest="m1") as then:
                seen = sightings(then, now).get(KEY)
                if seen and scope is Scope.ORGANISATION:
                    seen = together([seen], event_times(then, now))
            in_date = judge(want, KEY[2], seen, now).in_date
            if whole is None or now < whole.since:
                assert not in_date
                continue
            gap = any(one.began <= now and (one.ended is None or now < one.ended)
                      for one in whole.gaps)  # fmt: skip
            assert in_date is not gap, (_days(now), gaps(whole))


class _Counting:
    """A connection that counts what is asked of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self.asked = connection, 0
        self.little, self.shown = connection.little, connection.shown

    def execute(self, *given: Any) -> Connection:
        self.asked += 1
        return self._connection.execute(*given)


def test_what_nothing_is_claimed_for_costs_one_look(world: World) -> None:
    land(world, event(1, collected=1), board(1, Change.NEW), at=2)
    tagged(world)
    other = [Aging("iso42001:A.9", "ticket", days(9)), Aging(KEY[0], "review", days(9))]
    with connect(world.lake, as_of=world.clock.now, mapping_digest="m1") as connection:
        counting = cast(Connection, _Counting(connection))
        assert covers(counting, world.clock.now, other) == {}
        assert cast(_Counting, counting).asked == 1
        both = covers(connection, world.clock.now, [*other, Aging(*KEY[:2], days(9))])
    assert list(both) == [KEY]


def test_what_only_supports_covers_nothing_though_something_else_claims_the_same(
    world: World,
) -> None:
    """What is claimed alike is asked once, for all that are; to support is to claim otherwise."""
    land(world, item(1, collected_at=START + days(1)), at=2)
    tagged(world)
    world.tag("iso42001:A.2", KEY[1], "kind = 'jira.issue'", strength="weak")
    world.tag("iso42001:A.3", KEY[1], "kind = 'jira.issue'")
    asked = [Aging(f"iso42001:A.{number}", KEY[1], days(9)) for number in (1, 2, 3)]
    with connect(
        world.lake, as_of=world.clock.now, mapping_digest="m1", aside=("weak",)
    ) as connection:
        found = covers(connection, world.clock.now, asked)
    assert {control for control, *_ in found} == {"iso42001:A.1", "iso42001:A.3"}


def test_states_that_come_after_events_are_asked_for(world: World) -> None:
    asked = [Aging(*KEY[:2], days(2))]
    spans = []
    for at, one in ((1, item(1, collected_at=START + days(1))), (7, board(7, Change.NEW))):
        land(world, one, at=at)
        tagged(world)
        world.clock.now += days(1)
        with connect(world.lake, as_of=world.clock.now, mapping_digest="m1") as connection:
            found = covers(connection, world.clock.now, asked)[KEY]
        spans.append([(_days(one.starts), _days(one.ends)) for one in found if not one.late])
    assert spans == [[(1, 3)], [(1, 3), (7, 9)]]
