"""What is not in a reader's excerpt is behind no name that SQL could ask for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from evidence.errors import LakeError
from evidence.excerpt import Excerpt
from evidence.freshness import ControlStanding, Standing, State, Verdict
from evidence.model import ControlId
from evidence.runs import PullOutcome
from evidence.suggestion import Act
from storage.actions import land_own
from storage.apart import ask_apart
from storage.keys import load_key, make_key
from storage.ledger import integrate
from storage.suggestions import suggestion_item
from storage.verdicts import append_verdicts
from storage.views import VIEWS, Connection, ask, connect
from tests.storage.makers import START, World, days, item, tag_sql
from tests.storage.test_corrections import corrected

ONE, TWO = ControlId("iso42001:A.1"), ControlId("iso42001:A.2")
EXCERPTS = {
    "systems": Excerpt(systems=("ours",)),
    "controls": Excerpt(controls=(ONE,)),
    "period": Excerpt(since=START, until=START + days(20)),
    "all": Excerpt(("ours",), (ONE,), START, START + days(20)),
}
HIDDEN = {
    "systems": {"theirs", "none"}, "controls": {"theirs", "early"}, "period": {"early"},
    "all": {"theirs", "none", "early"},
}  # fmt: skip
RELATIONS = """SELECT view_name FROM duckdb_views() WHERE NOT internal
    UNION ALL SELECT table_name FROM duckdb_tables() WHERE NOT internal"""
MADE = tag_sql([(ONE, "made", "subject IN ('ours', 'none')"), (TWO, "made", "true")], "m1")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Four items: ours and seen; of another system; of no system; ours, before the period and
    for another control. Each came by a pull of its own."""
    world = World(tmp_path_factory.mktemp("excerpt") / "lake")
    for number, (subject, system, at) in enumerate(
        [("ours", "ours", START + days(1)), ("theirs", "theirs", START + days(2)),
         ("none", "", START + days(3)), ("early", "ours", START - days(9))]
    ):  # fmt: skip
        made = item(number, subject=subject, system=system, at=at, title=f"secret of {subject}")
        world.land(made, cursor=str(number), outcome=PullOutcome.COMPLETE)
        world.clock.now += days(1)
    world.tag(ONE, "ticket", "subject IN ('ours', 'none')")
    world.tag(TWO, "ticket", "true")
    for control in (ONE, TWO):
        verdicts = [
            Verdict(control, "ticket", system, State.FRESH, False, f"verdict of {system}",
                    START + days(99), newest=START, item_id="x")
            for system in ("ours", "theirs", "")
        ]  # fmt: skip
        standing = ControlStanding(control, Standing.PROVED, f"all {control}", 3, 3)
        append_verdicts(world.lake, verdicts, [standing], START + days(1))
    return world


def told(connection: Connection, relation: str) -> str:
    return str(ask(connection, f"SELECT t::VARCHAR FROM {relation} t").rows)


@pytest.mark.parametrize("tags", ["kept", "made", "beside"])
@pytest.mark.parametrize("name", EXCERPTS)
def test_no_relation_holds_what_is_left_out(world: World, name: str, tags: str) -> None:
    ids = dict(_ids(world))
    made = "" if tags == "kept" else MADE
    left = world.lake.unfollowed("tags", "nobody") if tags == "beside" else None
    with connect(world.lake, excerpt=EXCERPTS[name], tags_sql=made, untagged=left) as connection:
        relations = [name for (name,) in connection.execute(RELATIONS).fetchall()]
        assert {*VIEWS, "lake_evidence", "lake_shown"} <= set(relations)
        for relation in relations:
            text = told(connection, relation)
            for hidden in HIDDEN[name]:
                assert f"secret of {hidden}" not in text, relation
                assert ids[hidden] not in text, relation
        seen = {r[0] for r in ask(connection, "SELECT subject FROM evidence "
                                  "WHERE kind = 'jira.issue'").rows}  # fmt: skip
        assert seen == set(ids) - HIDDEN[name]
        (pulls,) = ask(connection, "SELECT count(*) FROM pulls").rows[0]
        assert pulls == len(seen), "the record of the pull that brought it, and no other"


def _ids(world: World) -> Iterator[tuple[str, str]]:
    with connect(world.lake) as connection:
        sql = "SELECT subject, item_id FROM evidence WHERE kind = 'jira.issue'"
        yield from ask(connection, sql).rows


def test_of_some_controls_the_tags_and_verdicts_of_others_are_not_shown(world: World) -> None:
    with connect(world.lake, excerpt=EXCERPTS["controls"]) as connection:
        for relation in ("tags", "lake_claims", "verdicts", "standings"):
            controls = {r[0] for r in ask(connection, f"SELECT control FROM {relation}").rows}
            assert controls == {ONE}, relation


def test_of_some_systems_no_standing_is_shown(world: World) -> None:
    with connect(world.lake, excerpt=EXCERPTS["systems"]) as connection:
        assert ask(connection, "SELECT DISTINCT system FROM verdicts").rows == (("ours",),)
        assert ask(connection, "SELECT * FROM standings").rows == ()


def test_a_period_that_has_ended_shows_no_later_verdict(world: World) -> None:
    with connect(world.lake, excerpt=Excerpt(until=START + timedelta(hours=1))) as connection:
        assert ask(connection, "SELECT * FROM lake_verdicts").rows == ()
        assert ask(connection, "SELECT * FROM lake_standings").rows == ()


@pytest.mark.parametrize("excerpt", [Excerpt(systems=()), Excerpt(controls=())], ids=["s", "c"])
def test_of_nothing_nothing_is_shown(world: World, excerpt: Excerpt) -> None:
    with connect(world.lake, excerpt=excerpt) as connection:
        for view in VIEWS:
            assert ask(connection, f"SELECT * FROM {view}").rows == (), view


def test_hostile_names_stay_names(world: World) -> None:
    hostile = "x') OR true; DROP VIEW evidence --"
    with connect(world.lake, excerpt=Excerpt((hostile,), (hostile,))) as connection:
        assert ask(connection, "SELECT * FROM evidence").rows == ()


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM read_parquet('{file}')", "SELECT * FROM '{file}'",
     "SELECT * FROM query('SELECT 1')", "SELECT * FROM query_table('lake_evidence')",
     "SELECT sql FROM duckdb_views()", "SELECT view_definition FROM information_schema.views",
     "CREATE OR REPLACE VIEW evidence AS SELECT 1", "DROP TABLE lake_shown",
     "INSERT INTO lake_shown SELECT 1", "SELECT * FROM glob('*')"],
)  # fmt: skip
def test_there_is_no_way_round(world: World, sql: str) -> None:
    file = world.lake.local_files("evidence", None)[0]
    with (
        connect(world.lake, excerpt=EXCERPTS["systems"]) as connection,
        pytest.raises(LakeError),
    ):
        ask(connection, sql.format(file=file))


def test_it_holds_in_a_process_of_its_own(world: World) -> None:
    answer = ask_apart(world.path, "SELECT subject FROM latest WHERE kind = 'jira.issue'",
                       excerpt=EXCERPTS["all"])  # fmt: skip
    assert answer.rows == (("ours",),)


def test_who_is_gone_is_not_answered(world: World) -> None:
    with pytest.raises(LakeError, match="nobody waits"):
        ask_apart(world.path, "SELECT 1", gone=lambda: True)


def _said(world: World, number: int, control: str, becomes: str) -> None:
    """A model's proposal for an item, accepted as a tag."""
    about = {"item_id": item(number).item_id, "control": control, "evidence": "ticket",
             "score": 0.9, "by": "Ann", "reason": "read", "model": "m"}  # fmt: skip
    proposal = suggestion_item(world.lake, Act.PROPOSE, about, title="proposed")
    land_own(world.lake, lambda _: ((proposal,), None))
    world.clock.now += timedelta(minutes=1)
    decided = about | {"answers": proposal.item_id, "becomes": becomes}
    accepted = suggestion_item(world.lake, Act.ACCEPT, decided, title="accepted")
    land_own(world.lake, lambda _: ((accepted,), None))


def test_what_was_said_of_an_item_is_shown_with_it_and_with_no_other(tmp_path: Path) -> None:
    world = World(tmp_path / "lake")
    world.land(item(1), item(2), cursor="1", outcome=PullOutcome.COMPLETE)
    world.tag(ONE, "ticket", "false")
    _said(world, 1, ONE, "tag")
    _said(world, 2, TWO, "tag")
    corrected(world, item(1))
    corrected(world, item(2))
    with connect(world.lake, excerpt=Excerpt(controls=(ONE,)), mapping_digest="m1") as connection:
        mine = ((item(1).item_id,),)
        assert ask(connection, "SELECT item_id FROM tags").rows == mine
        assert ask(connection, "SELECT DISTINCT item_id FROM suggestions").rows == mine
        assert ask(connection, "SELECT item_id FROM corrections").rows == mine
        assert item(2).item_id not in told(connection, "evidence")


def test_a_sealed_moment_is_cut_as_the_present_is(world: World, tmp_path: Path) -> None:
    make_key(tmp_path / "key", origin="test/lake")
    integrate(world.lake, load_key(tmp_path / "key"))
    with connect(world.lake, excerpt=EXCERPTS["systems"], size=2) as connection:
        assert ask(connection, "SELECT count(*) FROM leaves").rows[0][0] == 2
        seen = ask(connection, "SELECT subject FROM evidence WHERE kind = 'jira.issue'").rows
        assert seen == (("ours",),)


def test_no_error_tells_of_what_is_left_out(tmp_path: Path) -> None:
    """A condition of the reader's that was asked of hidden rows first would tell them in errors."""
    world = World(tmp_path / "lake")
    made = (
        item(number, subject=str(number), system=system, title=f"secret of {system}")
        for number, system in enumerate(["theirs", "ours"] * 300)
    )
    world.land(*made, outcome=PullOutcome.COMPLETE)
    with connect(world.lake, excerpt=EXCERPTS["systems"]) as connection:
        for relation in ("evidence", "lake_evidence", "latest"):
            for asked in ("title::INT > 0", "error(title) IS NULL",
                          "json_extract(title, '$.x') IS NULL"):  # fmt: skip
                sql = f"SELECT 1 FROM {relation} WHERE title LIKE '%theirs%' AND {asked}"
                assert ask(connection, sql).rows == ()
