"""What the views show, now and as of a past moment, and what boards ask of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from evidence.errors import LakeError
from evidence.freshness import ControlStanding, Standing, State, Verdict
from evidence.model import Change, ControlId, Nature, Outcome
from evidence.runs import PullOutcome
from storage import pages
from storage.health import attempts, healths
from storage.schema import TABLES
from storage.verdicts import append_verdicts, last_judged
from storage.views import VIEWS, Connection, ask, connect
from tests.storage.makers import START, World, days, item


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


@pytest.fixture
def empty(world: World) -> Iterator[Connection]:
    with connect(world.lake) as connection:
        yield connection


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_an_empty_lake_is_there_and_empty(empty: Connection, view: str) -> None:
    answer = ask(empty, f"SELECT * FROM {view}")
    assert answer.columns
    assert answer.rows == ()
    if view in TABLES:
        assert answer.columns == tuple(TABLES[view].schema.names)


def test_every_view_says_what_it_shows(empty: Connection) -> None:
    empty.make()
    rows = empty.execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal")
    told = dict(rows.fetchall())
    assert {name for name in VIEWS if told[name]} == set(VIEWS)


def test_latest_is_the_newest_of_each_subject(world: World) -> None:
    world.land(item(1, subject="a", title="new", at=START + days(3)), cursor="1")
    world.land(item(2, subject="a", title="late arrival", at=START), item(4, subject="b"))
    with connect(world.lake) as connection:
        rows = ask(connection, "SELECT subject, title FROM latest ORDER BY subject").rows
    assert rows == (("a", "new"), ("b", "Ticket 4"))


def test_the_past_is_what_had_landed_then(world: World) -> None:
    before = world.clock.now
    world.land(item(1), cursor="1", outcome=PullOutcome.COMPLETE)
    world.tag("iso42001:A.1", "ticket", digest="old")
    world.clock.now += days(10)
    world.land(item(2), cursor="2", outcome=PullOutcome.COMPLETE)
    world.tag("iso42001:A.2", "ticket", digest="new")
    counts = "SELECT (SELECT count(*) FROM evidence), (SELECT count(*) FROM pulls), " \
             "(SELECT min(mapping_digest) FROM tags), (SELECT count(*) FROM tags)"  # fmt: skip
    with connect(world.lake, as_of=before) as connection:
        assert ask(connection, counts).rows == ((2, 1, "old", 2),)
    with connect(world.lake, as_of=before - timedelta(seconds=1)) as connection:
        assert ask(connection, counts).rows == ((0, 0, None, 0),)
    with connect(world.lake) as connection:
        assert ask(connection, counts).rows == ((4, 2, "new", 4),)
    with connect(world.lake, as_of=before, mapping_digest="new") as connection:
        assert ask(connection, counts).rows == ((2, 1, "new", 2),)


def test_a_pull_is_typed(world: World) -> None:
    world.land(
        item(1), outcome=PullOutcome.PARTIAL, states=("jira.project",), error="page 3\x00: no"
    )
    sql = """SELECT pull_id, source, outcome, finished_at, pages, promised, items, error, states,
        gaps, backfill FROM pulls"""
    with connect(world.lake) as connection:
        (row,) = ask(connection, sql).rows
    assert row == (
        "pull-1", "jira", "partial", world.clock.now, 1, None, 3, "page 3\x00: no",
        ["jira.project"], "[]", False,
    )  # fmt: skip


def test_dimensions_are_tables_and_cannot_hide_views(world: World) -> None:
    controls = pa.table({"control": ["iso42001:A.1"], "title": ["Robert'); DROP"]})
    with connect(world.lake, dimensions={'odd "name': controls}) as connection:
        assert ask(connection, 'SELECT title FROM "odd ""name"').rows == (("Robert'); DROP",),)
    with pytest.raises(LakeError, match="view of the lake"):
        connect(world.lake, dimensions={"evidence": pa.table({"a": [1]})})


def test_a_naive_moment_is_refused(world: World) -> None:
    with pytest.raises(Exception, match="no zone"):
        connect(world.lake, as_of=START.replace(tzinfo=None))


def _verdict(state: State, at: timedelta) -> Verdict:
    return Verdict(
        ControlId("iso42001:A.1"), "ticket", "credit-scoring", state, False, "why", START + at,
        newest=START, item_id="x",
    )  # fmt: skip


def test_the_last_judgement_is_remembered(world: World) -> None:
    standing = ControlStanding(ControlId("iso42001:A.1"), Standing.PROVED, "all", 1, 1)
    append_verdicts(world.lake, [_verdict(State.FRESH, days(1))], [standing], START + days(1))
    append_verdicts(world.lake, [_verdict(State.STALE, days(2))], [], START + days(2))
    verdicts, standings = last_judged(world.lake)
    assert verdicts == {("iso42001:A.1", "ticket", "credit-scoring"): ("stale", False, "x", "why")}
    assert standings == {"iso42001:A.1": ("proved", "all", 1, 1)}
    with connect(world.lake, as_of=START + days(1.5)) as connection:
        assert ask(connection, "SELECT state FROM verdicts").rows == (("fresh",),)


def test_boards_get_items_tags_and_health(world: World) -> None:
    world.land(
        item(1), item(2), item(3, kind="jira.note"), cursor="1", outcome=PullOutcome.COMPLETE
    )
    done = world.clock.now
    world.tag("iso42001:A.1", "ticket", "kind = 'jira.issue'")
    world.clock.now += days(1)
    world.land(outcome=PullOutcome.BUSY, error="429")
    with connect(world.lake) as connection:
        newest, older = item(2).item_id, item(1).item_id
        assert pages.control_items(connection, 1) == {"iso42001:A.1": [newest]}
        assert pages.control_items(connection, 9) == {"iso42001:A.1": [newest, older]}
        (row,) = pages.item_rows(connection, [newest])
        assert row["payload"] == item(2).content.decode()
        assert [r["item_id"] for r in pages.find_items(connection, newest[:12])] == [newest]
        assert [r["item_id"] for r in pages.find_items(connection, newest)] == [newest]
        assert pages.find_items(connection, "0" * 64) == []
        (tag,) = pages.item_tags(connection, [older])
        assert (tag["control"], tag["rule"]) == ("iso42001:A.1", "r")
        assert pages.counts(connection) == pages.Counted(5, 1, 0)
        health = healths(connection, world.clock.now)["jira"]
        assert (health.last.outcome, health.last.error, health.items) == ("busy", "429", 3)
        assert (health.last.finished_at, health.last_complete) == (world.clock.now, done)
        first, second = attempts(connection, "jira", 9)
        assert (first.outcome, second.outcome, second.new) == ("busy", "complete", 3)
        assert pages.seen_systems(connection) == ["credit-scoring"]
        assert pages.leaf_indexes(connection, [newest]) == {}


def test_a_control_that_the_newest_items_do_not_fill_is_shown_in_full(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_NEWEST", 3)
    world.land(*(item(n) for n in range(8)), cursor="1")
    world.tag("iso42001:A.1", "ticket")
    world.tag("iso42001:A.1", "again")
    world.tag("iso42001:A.2", "ticket", "subject IN ('AI-7', 'AI-1')")
    world.tag("event:deployment", "", "subject = 'AI-7'")
    with connect(world.lake) as connection:
        assert pages.control_items(connection, 2) == {
            "iso42001:A.1": [item(7).item_id, item(6).item_id],
            "iso42001:A.2": [item(7).item_id, item(1).item_id],
        }


def test_an_error_that_no_control_shows_is_counted_until_it_is_mended(world: World) -> None:
    def errors() -> int:
        with connect(world.lake) as connection:
            return pages.unclaimed_errors(connection)

    world.land(item(1, outcome=Outcome.ERROR), item(2), item(3, outcome=Outcome.ERROR), cursor="1")
    world.land(item(4, outcome=Outcome.ERROR, kind="jira.note"), cursor="2")
    assert errors() == 3
    world.tag("iso42001:A.1", "ticket", "kind = 'jira.note'")
    assert errors() == 2, "a control shows the tagged one"
    world.land(item(3, at=START + days(5), title="mended"), cursor="3")
    assert errors() == 1, "the latest version of the other is none"


def test_only_registers_make_records(world: World) -> None:
    def record(kind: str, key: str, **more: object) -> dict[str, object]:
        return {"kind": kind, "subject": f"register/soa/{key}", "nature": Nature.EVENT,
                "payload": {"register": "soa", "level": "record", "id": key, **more}}  # fmt: skip

    world.land(
        item(1, **record("git.register", "A.1", applicable=True)),
        item(2, **record("git.register", "A.1", applicable=False)),
        item(3, **record("git.register", "A.2")),
        item(4, **record("git.register", "A.2") | {"change": Change.GONE}),
        item(5, **record("jira.issue", "A.3", applicable=False)),
    )
    with connect(world.lake) as connection:
        rows = pages.records(connection, "soa")
    assert [(row["id"], row["applicable"]) for row in rows] == [("A.1", False)]


def test_a_record_of_a_partial_pull_waits_for_a_complete_one(world: World) -> None:
    """Else half a pull could leave a control out, or sign for it."""
    payload = {"register": "soa", "level": "record", "id": "A.1", "applicable": False}
    row = item(1, kind="git.register", payload=payload, collected_at=world.clock.now)
    world.land(row, outcome=PullOutcome.PARTIAL)
    with connect(world.lake) as connection:
        assert pages.records(connection, "soa", confirmed=True) == []
        assert len(pages.records(connection, "soa")) == 1
    world.land(outcome=PullOutcome.COMPLETE)
    with connect(world.lake) as connection:
        assert len(pages.records(connection, "soa", confirmed=True)) == 1
