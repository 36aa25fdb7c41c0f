"""Every way a pull can end leaves its record, and only a complete one refreshes anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence.errors import LakeConflict
from evidence.runs import PullOutcome
from flows.config import load
from flows.pull import Attempt, attempt
from storage.lake import Lake
from storage.views import ask, connect
from tests.flows.conftest import Home, numbers

GAPPY = 'name = "gappy"\nuses = "tests.flows.sources:Gappy"'


def now() -> datetime:
    return datetime.now(UTC)


def pull(config: Path, name: str = "n") -> Attempt:
    settings = load(config)
    source = next(source for source in settings.sources if source.name == name)
    return attempt(Lake.open(settings.lake, clock=now), source, now)


def rows(config: Path, sql: str) -> list[tuple[object, ...]]:
    with connect(Lake.open(load(config).lake, clock=now)) as connection:
        return [tuple(row) for row in ask(connection, sql).rows]


@pytest.mark.parametrize(
    ("trouble", "outcome", "says"),
    [
        ("", PullOutcome.COMPLETE, ""),
        ("busy", PullOutcome.BUSY, "come back later"),
        ("refused", PullOutcome.REFUSED, "wrong key"),
        ("broken", PullOutcome.BROKEN, "unknown shape"),
        ("bug", PullOutcome.BROKEN, "KeyError"),
        ("short", PullOutcome.PARTIAL, ""),
    ],
)
def test_each_end_is_recorded(home: Home, trouble: str, outcome: PullOutcome, says: str) -> None:
    config = home(numbers("n", trouble=trouble))
    done = pull(config)
    assert done.pull.outcome is outcome
    assert (done.error is None) is (outcome in {PullOutcome.COMPLETE, PullOutcome.PARTIAL})
    ((told, error, items),) = rows(config, "select outcome, error, items from pulls")
    assert (told, items) == (outcome.value, 10)
    assert says in str(error)
    assert rows(config, "select count(*) from evidence where kind = 'test.number'") == [(10,)]


def test_what_landed_before_the_error_is_not_pulled_again(home: Home) -> None:
    config = home(numbers("n", trouble="busy"))
    assert (pull(config).new, pull(config).new) == (10, 0)


def test_a_gap_makes_a_pull_partial_and_is_named(home: Home) -> None:
    config = home(GAPPY)
    assert pull(config, "gappy").pull.outcome is PullOutcome.PARTIAL
    ((gaps,),) = rows(config, "select gaps from pulls")
    assert "torn" in str(gaps)


def test_two_runs_of_one_source_do_not_both_land(home: Home) -> None:
    config = home(numbers("n", upto=8))
    settings = load(config)
    lake = Lake.open(settings.lake, clock=now)
    stale = lake.bookmark("n")
    pull(config)
    with pytest.raises(LakeConflict):
        lake.land("n", (), bookmark=stale, cursor=None, pull_id="late")


def test_the_record_tells_what_an_auditor_asks(home: Home) -> None:
    config = home(numbers("n", upto=8, size=4))
    before = now() - timedelta(seconds=1)
    pull(config)
    ((query, pages, received, promised, collector, version, settings, started),) = rows(
        config,
        """select query, pages, received, promised, collector, code_version, settings, started_at
        from pulls""",
    )
    assert (query, pages, received, promised) == ("numbers", 2, 8, 8)
    assert collector == "tests.flows.sources:Numbers"
    assert version
    assert '"upto":8' in str(settings)
    assert isinstance(started, datetime)
    assert started > before
