"""When sources are due, in their zone, as Prefect plans it; and which late runs are overtaken."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from prefect.server.schemas.schedules import CronSchedule

from flows.config import Source, load, now
from flows.due import done_since, last_pulls
from flows.run import collect_direct
from flows.sources import missed, next_run
from storage.beats import beat, last_beat
from storage.health import Attempted, SourceHealth
from storage.lake import Lake
from storage.place_local import LocalPlace
from tests.flows.conftest import Home, numbers

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
HEALTH = SourceHealth(
    "one", Attempted("p", "c", "complete", BEGAN, BEGAN, 0, 0, None), BEGAN, 0, None, 1, 1,
    timedelta(0), 0, None,
)  # fmt: skip
SPRING, AUTUMN = datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC)


CRONS = ("0 7 * * *", "0 * * * *", "*/15 * * * *", "0 6 * * 1-5", "30 2 * * *", "15,45 0-3 * * *")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", CRONS)
@pytest.mark.parametrize("start", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_a_run_is_due_when_prefect_plans_it(zone: str, cron: str, start: datetime) -> None:
    source, ours = Source("one", "", cron, {}, timezone=zone), [start]
    schedule = CronSchedule(cron=cron, timezone=zone)
    while ours[-1] < start + timedelta(days=26):
        after = ours[-1] + timedelta(seconds=1)
        theirs = asyncio.run(schedule.get_dates(n=200, start=after))
        for planned in theirs:
            ours.append(next_run(source, ours[-1]) or start)
            assert ours[-1] == datetime.fromtimestamp(planned.timestamp(), UTC)


@pytest.mark.parametrize("zone", [*ZONES[1:], *sorted(available_timezones())[::75]])
@pytest.mark.parametrize("cron", ["30 2 * * *", "*/30 0,2 * * *"])
def test_whoever_runs_when_prefect_plans_is_never_missed(zone: str, cron: str) -> None:
    """Wherever clocks change: by either of the ways in which a skipped time may be read."""
    source, place = Source("one", "", cron, {}, timezone=zone), ZoneInfo(zone)
    for earliest in (True, False):
        walls = islice(CronSim(cron, datetime(2026, 1, 1)), 370)  # noqa: DTZ001  a wall clock
        starts = sorted({_planned(wall, place, earliest) for wall in walls})
        for start, following in pairwise(starts):
            health = replace(HEALTH, last=replace(HEALTH.last, started_at=start))
            assert missed(source, health, following + timedelta(minutes=1)) is None
        assert missed(source, health, following + timedelta(days=2)) is not None


def _planned(wall: datetime, zone: ZoneInfo, earliest: bool) -> datetime:
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    return wall.replace(tzinfo=zone, fold=1).astimezone(UTC) if earliest else first


def test_a_late_run_is_overtaken_by_what_began_since_it_was_due() -> None:
    due = SPRING
    assert done_since(None, due) is None, "it is not late"
    assert done_since(due, None) is None, "nobody ever did it"
    assert done_since(due, due - timedelta(seconds=1)) is None
    overtaken = done_since(due, due + timedelta(minutes=5))
    assert overtaken is not None
    assert (overtaken.name, overtaken.is_completed()) == ("Overtaken", True)


def test_of_several_sources_the_one_pulled_longest_ago_counts(home: Home) -> None:
    config = load(home(numbers("good"), numbers("dead", trouble="refused"), numbers("never")))
    before = now()
    collect_direct(config, ["good", "dead"])
    lake = Lake.open(config.lake, clock=now)
    last = last_pulls(lake, ["good", "dead"])
    assert last is not None
    assert last >= before, "a refused source was asked as well"
    assert last_pulls(lake, ["good", "never"]) is None


def test_a_damaged_memory_of_a_flow_is_none(home: Home) -> None:
    config = load(home())
    assert last_beat(config.lake, "watch") is None
    beat(config.lake, "watch", SPRING)
    assert last_beat(config.lake, "watch") == SPRING
    for text in (b"", b"{}", b"[1]", b'{"at": 5}', b'{"at": "2026-03-06"}', b"\xff"):
        LocalPlace(config.lake.derived("beats")).replace("watch.json", text)
        assert last_beat(config.lake, "watch") is None, text
