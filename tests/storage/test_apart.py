"""A question that the engine cannot stop is stopped from outside, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.errors import LakeError
from storage.apart import ask_apart
from storage.engine import Limits
from tests.storage.makers import World, item

SMALL = Limits(memory_mb=256, seconds=2)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    world = World(tmp_path / "lake")
    world.land(item(1), item(2), cursor="1")
    return world.path


def test_an_answer_comes_through(lake: Path) -> None:
    answer = ask_apart(lake, "select subject, observed_to from evidence order by subject")
    assert [row[0] for row in answer.rows] == ["AI-1", "AI-2"]
    assert answer.rows[0][1].tzinfo is not None


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select nonsense from evidence", "nonsense"),
        ("drop table evidence", "only one SELECT"),
        ("select count(*) from range(100000) a, range(100000) b, range(1000) c "
         "where hash(a.range * b.range + c.range) = 7", "longer than"),
        ("select count(*) from (select distinct a.range * 30000 + b.range as n "
         "from range(30000) a, range(30000) b)", "needs more|longer than"),
    ],
)  # fmt: skip
def test_each_end_is_one_sentence(lake: Path, sql: str, says: str) -> None:
    with pytest.raises(LakeError, match=says):
        ask_apart(lake, sql, limits=SMALL)
