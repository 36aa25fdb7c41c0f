"""What the engineer is told of each source: never paged for nothing, never left in the dark."""

from __future__ import annotations

import contextlib
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.runs import Gap, Pull, PullFacts, PullOutcome, Total
from flows import sources
from flows.backfill import window_of
from flows.config import load
from flows.pull import attempt
from storage.lake import Lake
from tests.flows.conftest import Home, numbers
from tests.nursery import headwater

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class House:
    """A lake in which pulls of source `n` end at times of our choice."""

    def __init__(self, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.config, self.count = config, 0
        self.clock = AT
        monkeypatch.setattr("flows.sources.now", lambda: self.clock)
        self.lake = Lake.open(load(config).lake, clock=lambda: self.clock)

    def pull(self, outcome: PullOutcome, ago: timedelta, **given: Any) -> None:
        self.count += 1
        end = AT - ago
        facts = PullFacts(pages=1, received=3, query="q", **given.pop("facts", {}))
        record = Pull(
            pull_id=f"p{self.count}", source="n", collector="x", started_at=end - timedelta(0, 30),
            finished_at=end, outcome=outcome, facts=facts, items=0, **given,
        )  # fmt: skip
        bookmark = self.lake.bookmark("n")
        self.lake.land("n", (), bookmark=bookmark, cursor=None, pull_id=record.pull_id, pull=record)

    def told(self) -> dict[str, Any]:
        text = self._run(as_json=True)[1]
        (one,) = json.loads(text)
        return dict(one)

    def _run(self, *, as_json: bool) -> tuple[int, str]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = sources.show(self.config, "n", as_json=as_json)
        return code, out.getvalue()

    def code(self) -> int:
        return self._run(as_json=True)[0]


@pytest.fixture
def house(home: Home, monkeypatch: pytest.MonkeyPatch) -> House:
    return House(home(numbers("n", schedule="0 * * * *")), monkeypatch)


def ago(**given: float) -> timedelta:
    return timedelta(**given)


def test_a_source_that_never_ran_is_not_well(house: House) -> None:
    assert house.told()["trouble"] == ["was never pulled"]
    assert house.code() == 3


def test_a_whole_pull_on_time_is_well(house: House) -> None:
    house.pull(PullOutcome.COMPLETE, ago(minutes=20))
    told = house.told()
    assert (told["well"], told["trouble"], house.code()) == (True, [], 0)
    assert told["next_run"] == "2026-11-20T13:00:00+00:00"


def test_a_run_that_did_not_start_is_missed(house: House) -> None:
    """Its last pull was whole, and yet nobody pulls any more."""
    house.pull(PullOutcome.COMPLETE, ago(hours=5))
    told = house.told()
    assert not told["well"]
    assert "is its scheduler alive?" in told["trouble"][0]
    assert house.code() == 3


def test_a_run_that_is_under_way_is_not_missed(house: House) -> None:
    house.pull(PullOutcome.COMPLETE, ago(minutes=58))
    house.clock = AT + ago(minutes=9)
    assert house.told()["trouble"] == [], "the one of 12:00 may be running"
    house.clock = AT + ago(minutes=12)
    assert "should have run" in house.told()["trouble"][0]


def test_failures_in_a_row_are_counted_from_the_first(house: House) -> None:
    house.pull(PullOutcome.COMPLETE, ago(hours=9))
    house.pull(PullOutcome.BUSY, ago(hours=3), error="429")
    house.pull(PullOutcome.REFUSED, ago(minutes=5), error="wrong key")
    told = house.told()
    assert told["trouble"] == ["2 attempts in a row were not whole, for 3 h", "wrong key"]
    assert (told["health"]["completes"], told["health"]["tries"]) == (1, 3)


def test_what_was_not_examined_and_what_did_not_come_is_named(house: House) -> None:
    facts = {"gaps": (Gap("project X", "hidden"),), "totals": (Total("issues", 9, 7),)}
    house.pull(PullOutcome.PARTIAL, ago(minutes=5), facts=facts)
    told = house.told()["trouble"]
    assert told == ["not examined: project X: hidden", "issues: 2 of 9 did not come"]


def test_a_backfill_is_no_sign_of_life(house: House) -> None:
    house.pull(PullOutcome.COMPLETE, ago(minutes=3), backfill=True)
    assert house.told()["trouble"] == ["was never pulled"]
    house.pull(PullOutcome.BUSY, ago(minutes=2), error="429")
    told = house.told()["health"]
    assert (told["backfills"], told["last_complete"]) == (1, None)


def test_on_the_terminal(home: Home) -> None:
    config = home(numbers("n"), numbers("hurt", trouble="busy"))
    headwater("collect", "--direct", "-c", config)
    window = window_of("2026-01-02", "2026-01-04", datetime.now(UTC))
    source = load(config).sources[0]
    attempt(Lake.open(load(config).lake, clock=lambda: datetime.now(UTC)), source,
            lambda: datetime.now(UTC), window)  # fmt: skip
    every = headwater("sources", "-c", config)
    assert every.returncode == 3
    assert "come back later" in every.stdout
    one = headwater("sources", "n", "-c", config)
    assert one.returncode == 0, one.stdout
    assert "landed        10 items" in one.stdout
    assert "yes" in one.stdout, "the backfill is among the attempts"
    wrong = headwater("sources", "nobody", "-c", config)
    assert (wrong.returncode, "known: n, hurt" in wrong.stderr) == (2, True)
