"""A source that hangs is left behind: its pull ends and says so; what comes later is not taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from collectors.base import Step, tell
from evidence.errors import SourceBusy, SourceOverdue
from evidence.model import Cursor
from evidence.runs import PullOutcome
from flows import pull
from flows.config import load
from flows.in_time import Patience
from flows.pull import attempt
from flows.run import collect_direct
from storage.lake import Lake
from storage.views import ask, connect
from tests.flows.conftest import Home, numbers

HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


def test_values_come_when_they_are_asked_for() -> None:
    made = list[int]()

    def ask() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            yield number

    values = Patience(HOUR).wait_for(ask, lambda _: None)
    assert next(values) == 0
    assert made == [0], "nothing is made ahead: a batch may be large"
    assert list(values) == [1, 2]


def test_what_the_source_raises_is_raised_here() -> None:
    def ask() -> Iterator[int]:
        yield 1
        raise SourceBusy("later")

    values = Patience(HOUR).wait_for(ask, lambda _: None)
    assert next(values) == 1
    with pytest.raises(SourceBusy, match="later"):
        next(values)


def test_only_waiting_counts_and_all_of_it() -> None:
    """Two pulls of one attempt share the time; landing in between is not the source's."""
    clock = iter([0.0, 20.0, 5000.0, 5030.0, 5030.0, 5030.0, 5030.0, 5030.0])
    patience = Patience(HOUR, timer=lambda: next(clock))
    values = patience.wait_for(lambda: [1, 2], lambda _: None)
    next(values)
    next(values)
    assert patience.spent == 50
    assert next(values, None) is None
    assert list(patience.wait_for(lambda: [], lambda _: None)) == []


def test_one_that_is_left_behind_ends_with_its_next_step() -> None:
    go, closed = threading.Event(), threading.Event()

    def ask() -> Iterator[int]:
        try:
            go.wait(60)
            tell("GET /next")
            pytest.fail("it went on")
        finally:
            closed.set()
        yield 1

    values = Patience(timedelta(milliseconds=1)).wait_for(ask, lambda _: None)
    with pytest.raises(SourceOverdue, match="its time limit of 0:00:00"):
        next(values)
    go.set()
    assert closed.wait(60)


def test_whoever_stops_early_closes_the_source() -> None:
    closed = threading.Event()

    def ask() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.set()

    values = Patience(HOUR).wait_for(ask, lambda _: None)
    next(values)
    values.close()  # type: ignore[attr-defined]
    assert closed.wait(60)


def test_each_step_is_told() -> None:
    def ask() -> Iterator[int]:
        tell("GET /one")
        tell("GET /two", 7.0)
        yield 1

    steps = list[Step]()
    list(Patience(HOUR).wait_for(ask, steps.append))
    assert steps == [Step("GET /one"), Step("GET /two", timedelta(seconds=7))]


def hung(asked: Path, name: str = "h", **given: object) -> str:
    asked.touch()
    return numbers(name, uses="tests.flows.sources:Hung", asked=str(asked), **given)


def test_what_it_had_brought_landed_and_the_next_run_goes_on(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "hangs"
    config = load(home(hung(asked)))
    lake = Lake.open(config.lake, clock=now)
    clock = iter([0.0, 3600.0, 3600.0, 3600.0])  # its hour is over once it had brought a batch
    with monkeypatch.context() as patched:
        patched.setattr(pull, "Patience", partial(Patience, timer=lambda: next(clock)))
        done = attempt(lake, config.sources[0], now)
    assert (done.pull.outcome, done.new) == (PullOutcome.BUSY, 4)
    assert "time limit of 1:00:00" in done.pull.error
    assert lake.bookmark("h").cursor == Cursor("4")
    asked.unlink()
    done = attempt(lake, config.sources[0], now)
    assert (done.pull.outcome, done.new) == (PullOutcome.COMPLETE, 6)


def test_a_source_that_hangs_holds_nobody_back(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load(
        home(hung(tmp_path / "hangs", "a-hung", time_limit="PT1S"), numbers("b-good")),
    )
    assert collect_direct(config) == 1
    told = capsys.readouterr().out
    assert told.index("a-hung") < told.index("b-good"), "in the order of the configuration"
    with connect(Lake.open(config.lake, clock=now)) as connection:
        rows = ask(connection, "SELECT source, outcome, error FROM pulls ORDER BY source").rows
    assert [(row[0], row[1]) for row in rows] == [("a-hung", "busy"), ("b-good", "complete")]
    assert "time limit" in str(rows[0][2])
