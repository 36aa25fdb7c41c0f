"""Rows, cursor and pull record land together or not at all; followers are behind, never wrong."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from evidence.errors import LakeConflict, LakeError
from evidence.model import Cursor
from evidence.runs import PullOutcome
from storage import delta, sql_follower
from storage.commits import read_commit
from storage.lake import Bookmark, Lake
from storage.schema import TABLES
from storage.views import ask, connect
from tests.storage.makers import START, Clock, World, days, item, pull, tag_sql


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def _ids(lake: Lake) -> list[str]:
    with connect(lake) as connection:
        return [row[0] for row in ask(connection, "SELECT item_id FROM evidence").rows]


def test_no_lake_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="headwater init"):
        Lake.open(tmp_path / "none", clock=Clock())


def test_creating_twice_or_at_once_makes_one_lake(tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: Lake.create(tmp_path / "lake", clock=Clock()), range(6)))
    assert Lake.open(tmp_path / "lake", clock=Clock()).version == 0


def test_a_lake_of_another_form_is_refused(world: World) -> None:
    (world.path / "lake.json").write_text('{"form": "headwater.lake/9"}')
    with pytest.raises(LakeError, match=r"headwater\.lake/9"):
        Lake.open(world.path, clock=world.clock)


@pytest.mark.parametrize("name", ["a=b", "a*", "a[1]", "a?", "a%20b"])
def test_a_path_that_readers_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LakeError, match="choose another"):
        Lake.create(tmp_path / name, clock=Clock())


def test_a_strange_but_honest_path_works(tmp_path: Path) -> None:
    world = World(tmp_path / "Brook's läke #1 + (2)")
    world.land(item(1), cursor="c")
    assert _ids(world.lake) == [item(1).item_id]
    assert world.land(item(1), cursor="d").known == 1


def test_new_and_known_are_told_apart(world: World) -> None:
    first = world.land(item(1), item(2), item(1), cursor="c1")
    assert (first.new, first.known, first.version) == (2, 1, 1)
    again = world.land(item(2), item(30), cursor="c2")
    assert (again.new, again.known) == (1, 1)
    assert sorted(_ids(world.lake)) == sorted(i.item_id for i in (item(1), item(2), item(30)))


def test_of_equal_ids_the_first_is_kept(world: World) -> None:
    world.land(item(1, title="first"), item(1, title="second"))
    with connect(world.lake) as connection:
        assert ask(connection, "SELECT title FROM evidence").rows == (("first",),)


def test_nothing_new_commits_nothing(world: World) -> None:
    world.land(item(1), cursor="c1")
    again = world.land(item(1), cursor="c1")
    assert (again.new, again.known, again.version) == (0, 1, 1)
    assert world.land().version == 1


def test_a_cursor_alone_is_worth_a_commit(world: World) -> None:
    assert world.land(cursor="c1").version == 1
    assert world.lake.bookmark("jira").cursor == Cursor("c1")


def test_batches_chain_by_the_returned_bookmark(world: World) -> None:
    bookmark = world.lake.bookmark("jira")
    for number in range(25):
        landed = world.lake.land(
            "jira", [item(number)], bookmark=bookmark, cursor=Cursor(str(number)), pull_id="p"
        )
        bookmark = landed.bookmark
    assert bookmark == world.lake.bookmark("jira")
    assert bookmark.cursor == Cursor("24")
    assert len(_ids(world.lake)) == 25


def test_a_landing_is_forced_to_disk_once_and_in_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[int] = []
    real = os.fsync

    def noting(handle: int) -> None:
        real(handle)
        forced.append(os.fstat(handle).st_ino)

    monkeypatch.setattr(os, "fsync", noting)
    table, folds = world.path / "evidence", 0
    log = table / "_delta_log"
    for number in range(1, 13):  # every tenth version the table format folds its log
        forced.clear()
        world.land(*(item(10 * number + n, at=START + days(40 * n)) for n in range(3)))
        commit = read_commit(world.lake.place.at("evidence"), number)
        assert commit is not None
        data = [table / add.path for add in commit.adds]
        entries = [log / f"{number:020}.json"]
        if (fold := log / f"{number:020}.checkpoint.parquet").exists():
            entries += [fold, log / "_last_checkpoint"]
            folds += 1
        assert len(data) == 3
        assert {forced.count(_inode(path)) for path in [*data, *entries]} == {1}
        for path in data:
            folder = forced.index(_inode(path.parent), forced.index(_inode(path)))
            assert folder < forced.index(_inode(entries[0]))
        assert forced[-1] == _inode(log)
    assert folds == 1


def _inode(path: Path) -> int:
    return path.stat().st_ino


def test_an_old_bookmark_conflicts(world: World) -> None:
    old = world.lake.bookmark("jira")
    world.land(item(1), cursor="c1")
    with pytest.raises(LakeConflict):
        world.lake.land("jira", [item(2)], bookmark=old, cursor=Cursor("c0"), pull_id="p")
    assert _ids(world.lake) == [item(1).item_id]


def test_the_loser_of_a_race_leaves_no_files(world: World) -> None:
    mine, theirs = world.lake.table("evidence"), world.lake.table("evidence")
    world.land(item(1), cursor="c1")
    rows = _rows(item(2))
    with pytest.raises(LakeConflict):
        mine.commit([rows], app="source:jira", marker=1)
    assert theirs.commit([rows], app="source:github", marker=1) == 2
    assert len(list((world.path / "evidence").rglob("month=*/*.parquet"))) == 2


def _rows(*items: object) -> pa.Table:
    from storage.rows import evidence_rows

    return evidence_rows(items, landed_at=START, pull_id="p")  # type: ignore[arg-type]


def test_an_error_after_the_log_entry_is_a_success(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that cannot be written comes after the commit: the rows have landed."""
    (world.path / "evidence/_delta_log/_last_checkpoint").mkdir()
    raised, real = [], delta.Table._transact

    def told(table: delta.Table, *given: Any) -> None:
        try:
            real(table, *given)
        except OSError as error:
            raised.append(error)
            raise

    monkeypatch.setattr(delta.Table, "_transact", told)
    for number in range(12):
        landed = world.land(item(number), cursor=str(number))
        assert (landed.new, landed.version) == (1, number + 1)
    assert raised
    (world.path / "evidence/_delta_log/_last_checkpoint").rmdir()
    assert world.lake.bookmark("jira") == landed.bookmark
    assert len(_ids(world.lake)) == 12


def test_a_cursor_is_found_among_many_other_commits(world: World) -> None:
    landed = world.land(item(1), cursor="mine")
    for number in range(23):
        world.land(item(number, source="github"), cursor=str(number), source="github")
    assert world.lake.bookmark("jira") == landed.bookmark
    assert world.land(item(2), cursor="next").bookmark == world.lake.bookmark("jira")


def test_a_marker_committed_late_is_found(world: World) -> None:
    """Other sources may land between the decision and the commit: the marker lies before it."""
    table = world.lake.table("evidence")
    for number in range(3):
        world.land(item(number, source="github"), cursor=str(number), source="github")
    version = table.commit([_rows(item(1))], app="source:jira", marker=1, metadata={"cursor": "x"})
    assert version == 4
    assert world.lake.bookmark("jira") == Bookmark(Cursor("x"), 1, 4)


def test_a_large_cursor_that_stands_still_is_written_once(world: World) -> None:
    text = json.dumps({"seen": {f"model/{n}": "0" * 64 for n in range(4000)}})
    kept_in = world.land(item(1), cursor=text).version
    for _ in range(3):
        world.clock.now += timedelta(hours=1)
        world.land(cursor=text, outcome=PullOutcome.COMPLETE)
    bookmark = world.lake.bookmark("jira")
    assert bookmark.cursor == Cursor(text)
    assert bookmark.kept_in == kept_in
    sizes = [p.stat().st_size for p in sorted((world.path / "evidence/_delta_log").glob("*.json"))]
    assert sizes[1] > len(text) > 50 * max(sizes[2:])


def test_a_lost_log_entry_is_named(world: World) -> None:
    world.land(item(1), cursor="c1")
    world.land(cursor="c1", outcome=PullOutcome.COMPLETE)
    (world.path / "evidence/_delta_log" / f"{1:020}.json").unlink()
    with pytest.raises(LakeError):
        world.lake.bookmark("jira")


def test_a_pull_lands_with_its_last_batch(world: World) -> None:
    landed = world.land(item(1), cursor="c1", outcome=PullOutcome.COMPLETE)
    assert (landed.new, landed.version) == (1, 1)
    with connect(world.lake) as connection:
        rows = ask(connection, "SELECT title, outcome, pull_id, subject FROM evidence "
                               "WHERE kind = 'headwater.pull'").rows  # fmt: skip
    assert rows == (("Pull of jira: complete, 3 items", "passed", "pull-1", "pull-1"),)


@pytest.mark.parametrize(
    ("outcome", "says"),
    [("partial", "failed"), ("busy", "error"), ("refused", "error"), ("broken", "error")],
)
def test_a_pull_that_failed_says_so(world: World, outcome: str, says: str) -> None:
    landed = world.land(outcome=PullOutcome(outcome))
    assert (landed.new, landed.version) == (0, 1)
    assert landed.bookmark.cursor is None
    with connect(world.lake) as connection:
        assert ask(connection, "SELECT outcome FROM evidence").rows == ((says,),)


def test_only_the_source_itself_may_land_its_items(world: World) -> None:
    with pytest.raises(LakeError, match="github"):
        world.land(item(1, source="github"))
    with pytest.raises(LakeError, match="github"):
        world.lake.land("jira", [], bookmark=Bookmark(), cursor=None, pull_id="p",
                        pull=pull(1, START, source="github"))  # fmt: skip


def test_a_collector_cannot_forge_a_pull(world: World) -> None:
    with pytest.raises(LakeError, match=r"headwater\.pull"):
        world.land(item(1, kind="headwater.pull"))


def test_what_cannot_be_told_from_known_evidence_stops_the_landing(world: World) -> None:
    """The file that held it is gone: neither known nor new can be said, so nothing is."""
    world.land(item(1), cursor="c1")
    next((world.path / "evidence").rglob("month=*/*.parquet")).unlink()
    with pytest.raises(LakeError, match="headwater verify"):
        world.land(item(1), cursor="c2")
    assert world.lake.bookmark("jira").cursor == Cursor("c1")


def test_new_evidence_lands_beside_what_was_lost(world: World) -> None:
    """To refuse the new because something old was destroyed would lose both."""
    world.land(item(1), cursor="c1")
    next((world.path / "evidence").rglob("month=*/*.parquet")).unlink()
    assert world.land(item(1, subject="AI-x"), cursor="c2").new == 1


SQL = tag_sql([("iso42001:A.1", "ticket", "kind = 'jira.issue'")], "m1")


def test_a_follower_catches_up_once(world: World) -> None:
    world.land(item(1), item(2), cursor="c1")
    assert world.lake.follow_sql("tags", SQL, app="tags:m1") == 2
    assert world.lake.follow_sql("tags", SQL, app="tags:m1") == 0
    world.land(item(3), item(2), cursor="c2")
    assert world.lake.follow_sql("tags", SQL, app="tags:m1") == 1
    assert world.lake.followed("tags", "tags:m1") == world.lake.version == 2
    assert world.lake.follow_sql("tags", SQL.replace("m1", "m2"), app="tags:m2") == 3


def test_a_follower_of_an_empty_lake_has_nothing_to_do(world: World) -> None:
    assert world.lake.follow_sql("tags", SQL, app="tags:m1") == 0


def test_a_follower_goes_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_follower, "STEP_ROWS", 4)
    for number in range(10):
        world.land(item(number), item(number + 100), cursor=str(number))
    assert world.lake.follow_sql("tags", SQL, app="tags:m1") == 20
    assert world.lake.table("tags").version == 5


def test_few_rows_more_than_a_step_need_none_of_their_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_follower, "STEP_ROWS", 10)
    for number in range(5):
        world.land(item(number), item(number + 100), cursor=str(number))
    world.land(item(7), cursor="last")
    assert world.lake.follow_sql("tags", SQL, app="tags:m1") == 11
    assert world.lake.table("tags").version == 1


def _shared(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve landings, whose files two engines share from here on."""
    for number in range(12):
        world.land(item(number), item(number + 100), cursor=str(number))
    monkeypatch.setattr(sql_follower, "_WORTH_SHARING", 0)


def test_engines_that_share_the_files_make_the_same_tags_in_the_same_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _shared(world, monkeypatch)
    files = sql_follower.Items(world.lake.local_files("evidence"))
    assert [len(share.landed) for share in files.shares()] == [12, 12]
    again, once = (
        pa.concat_tables(sql_follower.select(SQL, files, TABLES["tags"], world.clock))
        for _ in range(2)
    )
    assert once["item_id"].equals(again["item_id"])
    monkeypatch.undo()
    (alone,) = sql_follower.select(SQL, files, TABLES["tags"], world.clock)
    assert once.num_rows == 24
    assert once.drop(["tagged_at"]).sort_by("item_id") == alone.drop(["tagged_at"]).sort_by(
        "item_id"
    )


def test_what_one_of_the_engines_cannot_read_lands_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _shared(world, monkeypatch)
    world.lake.local_files("evidence")[7].write_bytes(b"PAR1")
    with pytest.raises(LakeError, match=r"the query that fills tags failed: .*parquet"):
        world.lake.follow_sql("tags", SQL, app="tags:m1")
    assert world.lake.table("tags").rows == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "headwater-ahead"]


def test_followers_at_once_append_each_row_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_follower, "STEP_ROWS", 2)
    for number in range(8):
        world.land(item(number), item(number + 100), cursor=str(number))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: world.lake.follow_sql("tags", SQL, app="tags:m1"), range(4)))
    with connect(world.lake) as connection:
        assert ask(connection, "SELECT count(*), count(DISTINCT item_id) FROM tags").rows == (
            (16, 16),
        )


def test_a_follower_that_went_too_far_says_that_the_evidence_was_cut(world: World) -> None:
    world.land(item(1), cursor="c1")
    world.lake.table("tags").commit([], app="tags:m1", marker=9)
    with pytest.raises(LakeError, match="headwater verify"):
        world.lake.follow_sql("tags", SQL, app="tags:m1")


@pytest.mark.parametrize(
    ("sql", "says"),
    [("SELECT 1 AS one FROM items", "gives one"), ("SELECT nothing FROM items", "nothing"),
     ("SELECT content FROM read_text('/etc/passwd')", "disabled")],
)  # fmt: skip
def test_a_false_follower_query_appends_nothing(world: World, sql: str, says: str) -> None:
    world.land(item(1), cursor="c1")
    with pytest.raises(LakeError, match=says):
        world.lake.follow_sql("tags", sql, app="tags:m1")
    assert world.lake.followed("tags", "tags:m1") is None
    assert not list((world.path / "tags").glob("*.parquet"))


def test_only_judgements_are_appended_by_hand(world: World) -> None:
    with pytest.raises(LakeError, match="follows the evidence"):
        world.lake.append("evidence", pa.table({"a": [1]}))
    with pytest.raises(LakeError, match="columns"):
        world.lake.append("verdicts", pa.table({"a": [1]}))
    with pytest.raises(LakeError, match="no table"):
        world.lake.append("nonsense", pa.table({"a": [1]}))


def test_files_of_the_past_are_pruned_by_landing_time(world: World) -> None:
    world.land(item(1), cursor="c1")
    world.clock.now += days(5)
    world.land(item(2), cursor="c2")
    assert len(world.lake.files("evidence")) == 2
    assert len(world.lake.files("evidence", world.clock.now - days(1))) == 1


def test_the_table_forbids_deletion_and_keeps_its_log(world: World) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    world.land(item(1), cursor="c1")
    table = DeltaTable(world.path / "evidence")
    settings = table.metadata().configuration
    assert settings["delta.enableExpiredLogCleanup"] == "false"
    assert (table.protocol().min_reader_version, table.protocol().min_writer_version) == (1, 2)
    with pytest.raises(DeltaError):
        table.delete()


def test_the_log_says_who_landed_what(world: World) -> None:
    world.land(item(1), cursor="c1")
    commit = read_commit(world.lake.place.at("evidence"), 1)
    assert commit is not None
    assert commit.metadata["source"] == "jira"
    assert commit.metadata["pull_id"] == "pull-1"
    assert len(commit.metadata["batch"]) == 64
