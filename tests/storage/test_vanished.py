"""A failure that goes away without a later result is told: red turned green by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from evidence.model import Change, Nature, Outcome
from evidence.runs import PullOutcome
from storage.vanished import vanished
from storage.views import Connection, connect
from tests.storage.makers import START, World, days, item

CONTROL = "iso42001:A.6.2.4"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("vanished") / "lake")
    _failed(world, *"abcdefg")
    _failed(world, "state", nature=Nature.STATE)
    _failed(world, "other", kind="odd.kind")
    _now(world, "a", change=Change.GONE, actor="Eve")
    _now(world, "b", change=Change.CHANGED, actor="Eve")
    _now(world, "c", change=Change.CHANGED, at=START + days(3))
    _now(world, "d")
    _now(world, "e", change=Change.GONE)
    _now(world, "e", at=START + days(9))
    _now(world, "f", change=Change.CHANGED, outcome=Outcome.FAILED)
    _now(world, "state", nature=Nature.STATE, change=Change.CHANGED)
    _now(world, "other", kind="odd.kind", change=Change.GONE)
    world.tag(CONTROL, "ticket", "kind = 'jira.issue'")
    world.tag("event:new_model_version", "", "kind = 'odd.kind'")
    return world


@pytest.fixture
def connection(world: World) -> Iterator[Connection]:
    with connect(world.lake, mapping_digest="m1") as connection:
        yield connection


def _failed(world: World, *subjects: str, **given: Any) -> None:
    made = (_made(one, outcome=Outcome.FAILED, **given) for one in subjects)
    world.land(*made, outcome=PullOutcome.COMPLETE)
    world.clock.now += days(1)


def _now(world: World, subject: str, **given: Any) -> None:
    world.land(_made(subject, **{"outcome": Outcome.PASSED} | given), outcome=PullOutcome.COMPLETE)
    world.clock.now += days(1)


def _made(subject: str, **given: Any) -> Any:
    return item(**{"at": START + days(1), "subject": subject, "title": subject} | given)


def test_what_was_deleted_or_rewritten_is_told_and_what_was_mended_is_not(
    connection: Connection,
) -> None:
    found = {row["subject"]: row for row in vanished(connection, START)}
    assert found.keys() == {"a", "b"}
    assert found["a"]["gone"]
    assert found["a"]["actor"] == "Eve"
    assert (found["b"]["gone"], found["b"]["outcome"], found["b"]["says"]) == (
        False, "failed", "passed",
    )  # fmt: skip


def test_what_went_long_ago_is_told_no_more(world: World, connection: Connection) -> None:
    assert vanished(connection, world.clock.now) == []
