"""What every connection to the engine has in common."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from storage.engine import Limits, enough
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
