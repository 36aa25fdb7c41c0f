"""A backfill brings the past of a window, goes on where it was cut and refreshes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import ConfigError
from evidence.model import Cursor
from evidence.runs import PullOutcome
from flows.backfill import window_of
from flows.config import load
from flows.pull import Attempt, attempt
from storage.health import healths
from storage.lake import Lake
from storage.verify import verify
from storage.views import ask, connect
from tests.flows.conftest import Home, numbers
from tests.flows.sources import EPOCH, Numbers
from tests.nursery import headwater

JANUARY = ("2026-01-03", "2026-01-07")


def now() -> datetime:
    return datetime.now(UTC)


def windowed(**given: Any) -> str:
    return numbers("w", **given).replace("sources:Numbers", "sources:Windowed")


def backfill(config: Path, name: str = "w", *, since: str = "", until: str = "") -> Attempt:
    settings = load(config)
    source = next(source for source in settings.sources if source.name == name)
    window = window_of(since or JANUARY[0], until or JANUARY[1], now())
    return attempt(Lake.open(settings.lake, clock=now), source, now, window)


def rows(config: Path, sql: str) -> list[tuple[object, ...]]:
    with connect(Lake.open(load(config).lake, clock=now)) as connection:
        return [tuple(row) for row in ask(connection, sql).rows]


SUBJECTS = "SELECT subject FROM evidence WHERE kind = 'test.number' ORDER BY subject::INT"


@pytest.mark.parametrize("source", [windowed(), numbers("w")], ids=["asks for it", "asks for all"])
def test_only_the_window_lands_and_says_so(home: Home, source: str) -> None:
    config = home(source)
    done = backfill(config)
    assert done.pull.outcome is PullOutcome.COMPLETE
    assert rows(config, SUBJECTS) == [("2",), ("3",), ("4",), ("5",)]
    told = rows(config, "SELECT backfill, window_from, window_to FROM pulls")
    assert told == [(True, EPOCH + timedelta(days=2), EPOCH + timedelta(days=6))]


def test_the_schedule_goes_on_as_if_nothing_had_been(home: Home) -> None:
    config = home(windowed())
    lake = Lake.open(load(config).lake, clock=now)
    attempt(lake, load(config).sources[0], now)
    before = lake.bookmark("w").cursor
    assert backfill(config).new == 0, "the schedule brought them already"
    assert lake.bookmark("w").cursor == before == Cursor("10")
    attempt(lake, load(config).sources[0], now)
    assert lake.bookmark("w").cursor == before


def test_it_is_no_sign_of_life(home: Home) -> None:
    config = home(windowed())
    backfill(config)
    with connect(Lake.open(load(config).lake, clock=now)) as connection:
        assert healths(connection, now()) == {}


def test_a_cut_backfill_goes_on_where_it_stood(home: Home, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    stop.touch()
    config = home(windowed(stop=str(stop)))
    assert backfill(config).pull.outcome is PullOutcome.BUSY
    assert rows(config, SUBJECTS) == [("2",), ("3",)]
    stop.unlink()
    done = backfill(config)
    assert (done.pull.outcome, done.pull.items) == (PullOutcome.COMPLETE, 2), "not from the start"
    assert rows(config, SUBJECTS) == [("2",), ("3",), ("4",), ("5",)]


def test_windows_have_cursors_of_their_own(home: Home) -> None:
    config = home(windowed())
    backfill(config)
    backfill(config, since="2026-01-01", until="2026-01-04")
    assert [row[0] for row in rows(config, SUBJECTS)] == ["0", "1", "2", "3", "4", "5"]


def test_beside_the_schedule_nothing_is_lost_and_nothing_twice(home: Home) -> None:
    """Both land in small steps at once, over the same numbers; neither gives way for good."""
    config = home(windowed(upto=30, size=1))
    source = load(config).sources[0]
    window = window_of("2026-01-01", "2026-01-31", now())
    with ThreadPoolExecutor(2) as pool:
        lakes = [Lake.open(load(config).lake, clock=now) for _ in range(2)]
        both = [pool.submit(attempt, lake, source, now, which)
                for lake, which in zip(lakes, (None, window), strict=True)]  # fmt: skip
        ends = [one.result(120) for one in both]
    assert [end.pull.outcome for end in ends] == [PullOutcome.COMPLETE] * 2
    assert sum(end.new for end in ends) == 30
    assert [row[0] for row in rows(config, SUBJECTS)] == [str(n) for n in range(30)]
    lake = Lake.open(load(config).lake, clock=now)
    assert lake.bookmark("w").cursor == Cursor("30")
    assert lake.bookmark("w", f"backfill:{window}").cursor == Cursor("30")


def test_states_have_no_past() -> None:
    window = window_of(*JANUARY, now())
    assert window is not None
    inside = Numbers("n")._item(3)
    assert window.holds(inside)
    assert not window.holds(Numbers("n")._item(6)), "until is not part of it"


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        ("2026-01-01", "", "both ends"),
        ("2026-01-02", "2026-01-01", "does not come after"),
        ("2026-01-01", "2126-01-01", "not past yet"),
        ("yesterday", "2026-01-01", "--since"),
        ("2026-01-01", "2026-01-31T09:00", "no zone"),
    ],
)
def test_a_window_that_is_none_is_refused(since: str, until: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        window_of(since, until, now())


def test_from_the_terminal(home: Home) -> None:
    config = home(windowed())
    window = ("--since", JANUARY[0], "--until", JANUARY[1])
    refused = headwater("collect", "--direct", *window, "-c", config)
    assert (refused.returncode, "names of its sources" in refused.stderr) == (2, True)
    done = headwater("collect", "w", "--direct", *window, "-c", config)
    assert done.returncode == 0, done.stderr
    assert len(rows(config, SUBJECTS)) == 4
    settings = load(config)
    key = settings.key.with_suffix(".key.pub")
    assert verify(settings.lake, key.read_text()).items == len(
        rows(config, "SELECT 1 FROM evidence")
    )
