"""What every connection to the engine has in common."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from evidence.errors import LakeError
from storage.engine import Limits, enough, open_engine
from storage.views import connect
from tests.storage.makers import World


def test_a_spawned_process_draws_no_progress_amid_what_it_prints() -> None:
    asked = "SELECT current_setting('enable_progress_bar')"
    code = f"""from storage.engine import Limits, open_engine
with open_engine(Limits()) as engine:
    print(engine.execute({asked!r}).fetchall())"""
    # Given with -c, as to a spawned process: there the library turns it on by itself.
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert told.strip() == "[(False,)]"


def test_little_is_read_by_one_thread_and_much_by_all_that_are_given(tmp_path: Path) -> None:
    little, much = tmp_path / "little", tmp_path / "much"
    little.write_bytes(b"x")
    with much.open("wb") as file:
        file.truncate(5 * 1024 * 1024)
    given = Limits(threads=2)
    assert enough(given, [little, tmp_path / "gone"]).threads == 1
    assert enough(given, [little, much]) == given
    assert enough(given, [little] * 100) == given


def test_a_small_lake_is_read_by_one_thread(tmp_path: Path) -> None:
    with connect(World(tmp_path / "lake").lake) as connection:
        row = connection.execute("SELECT current_setting('threads')").fetchone()
    assert row == (1,)


def test_relations_are_made_when_they_are_named_with_what_they_rest_on() -> None:
    with open_engine(Limits()) as engine:
        engine.later("first", "CREATE VIEW first AS SELECT 1 AS n, 'second' AS other")
        engine.later("second", lambda: "CREATE VIEW second AS SELECT n + 1 AS n FROM first")
        engine.later("broken", "CREATE VIEW broken AS SELECT * FROM nowhere")
        assert engine.execute('SELECT n FROM "Second"').fetchall() == [(2,)]
        made = "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
        assert engine.execute(made).fetchall() == [("first",), ("second",)]
        for _ in range(2):
            with pytest.raises(LakeError, match=r"cannot be read: .*nowhere.*headwater verify"):
                engine.execute("FROM broken")
        with pytest.raises(LakeError, match="nowhere"):
            engine.make()


def test_what_swells_beyond_memory_is_read_as_of_a_large_lake() -> None:
    rows = "SELECT repeat('x', 100000 + range::INT) AS text FROM range(2000)"
    with open_engine(Limits(memory_mb=64), little=True) as engine:
        with pytest.raises(duckdb.OutOfMemoryException):
            engine.execute(f"CREATE TABLE direct AS {rows}")
        engine.later("swelling", f"CREATE TABLE swelling AS {rows}")
        assert engine.execute("SELECT count(*) FROM swelling").fetchall() == [(2000,)]


def test_work_that_lasts_is_done_once() -> None:
    with open_engine(Limits()) as engine:
        done: list[int] = []
        for n in range(3):
            engine.once("it", lambda n=n: done.append(n))  # type: ignore[misc]
    assert done == [0]
