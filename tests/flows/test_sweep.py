"""A sweep is part of its pull: its own cursor, one record, and what befalls it is not hidden."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from evidence.model import Cursor
from evidence.runs import PullOutcome
from flows.config import load
from flows.pull import SWEEP, Attempt, attempt
from storage.lake import Lake
from storage.views import ask, connect
from tests.flows.conftest import Home, numbers


def now() -> datetime:
    return datetime.now(UTC)


def swept(**given: object) -> str:
    return numbers("s", uses="tests.flows.sources:Swept", upto=8, **given)


def pull(config: Path) -> Attempt:
    settings = load(config)
    return attempt(Lake.open(settings.lake, clock=now), settings.sources[0], now)


def stands(config: Path) -> tuple[Cursor | None, Cursor | None]:
    lake = Lake.open(load(config).lake, clock=now)
    return lake.bookmark("s").cursor, lake.bookmark("s", SWEEP).cursor


def test_pull_and_sweep_are_one_record_with_two_cursors(home: Home) -> None:
    config = home(swept())
    done = pull(config)
    assert (done.pull.outcome, done.new) == (PullOutcome.COMPLETE, 10)
    assert (done.pull.cursor_after, stands(config)) == ("8", (Cursor("8"), Cursor("8")))
    with connect(Lake.open(load(config).lake, clock=now)) as connection:
        records = ask(connection, "select items, outcome from pulls").rows
    assert [tuple(row) for row in records] == [(10, "complete")]


def test_what_is_not_due_is_left_alone(home: Home) -> None:
    config = home(swept())
    pull(config)
    again = pull(config)
    assert (again.new, again.pull.items, again.pull.outcome) == (0, 0, PullOutcome.COMPLETE)
    assert stands(config) == (Cursor("8"), Cursor("8"))


def test_a_sweep_that_fails_shows_and_is_done_again_whole(home: Home) -> None:
    config = home(swept(sweeping="come back later"))
    done = pull(config)
    assert done.pull.outcome is PullOutcome.BUSY
    assert done.pull.error == "come back later"
    assert stands(config) == (Cursor("8"), Cursor("never")), "what was collected stays collected"
    config.write_text(config.read_text().replace('sweeping = "come back later"', ""))
    again = pull(config)
    assert (again.pull.outcome, again.new, again.known) == (PullOutcome.COMPLETE, 1, 1)
    assert stands(config) == (Cursor("8"), Cursor("8"))


def test_a_pull_that_fails_is_not_swept(home: Home) -> None:
    config = home(swept(trouble="busy"))
    assert pull(config).new == 8
    assert stands(config) == (Cursor("8"), None)
