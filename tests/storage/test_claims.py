"""What other rules would change is counted part by part, and none of it twice."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import LakeError
from storage import claims
from tests.storage.makers import World, item, tag_sql

SPOKEN = [
    ("iso42001:A.1", "ticket", "kind = 'jira.issue'"),
    ("iso42001:A.2", "ticket", "title < 'Ticket 5'"),
]
OLD = tag_sql(SPOKEN, "m1")
NEW = tag_sql(
    [*SPOKEN[:1], ("iso42001:A.1", "ticket", "title > 'Ticket 3'"),
     ("iso42001:A.2", "ticket", "title > 'Ticket 2'")], "m2",
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "lake")
    for number in range(8):
        world.land(item(number), item(number, kind="jira.epic"), cursor=str(number))
    return world


def test_parts_say_together_what_the_whole_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = world.clock()
    whole = claims.differences(world.lake, OLD, NEW, as_of=at)
    monkeypatch.setattr(claims, "_PART_ROWS", 3)
    assert claims.differences(world.lake, OLD, NEW, as_of=at) == whole
    counted = {(row["control"], row["kind"]): (row["gained"], row["lost"]) for row in whole}
    assert counted == {
        # What another rule claimed already is no gain.
        ("iso42001:A.1", "jira.epic"): (4, 0),
        ("iso42001:A.2", "jira.epic"): (3, 3),
        ("iso42001:A.2", "jira.issue"): (3, 3),
    }
    assert all(row["item_id"] and row["title"] for row in whole)
    back = claims.differences(world.lake, NEW, OLD, as_of=at)
    assert [(row["lost"], row["gained"]) for row in back] == [
        (row["gained"], row["lost"]) for row in whole
    ]


def test_what_landed_later_is_not_counted(world: World) -> None:
    at = world.clock()
    before = claims.differences(world.lake, OLD, NEW, as_of=at)
    world.clock.now += timedelta(minutes=1)
    world.land(item(9), cursor="late")
    assert claims.differences(world.lake, OLD, NEW, as_of=at) == before
    later = claims.differences(world.lake, OLD, NEW, as_of=world.clock())
    assert _all(later) - _all(before) == Counter({"gained": 1})


def _all(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter({name: sum(row[name] for row in rows) for name in ("gained", "lost")})


def test_a_damaged_file_is_one_error(world: World) -> None:
    world.lake.local_files("evidence")[3].write_bytes(b"PAR1")
    with pytest.raises(LakeError, match="the lake cannot be read"):
        claims.differences(world.lake, OLD, NEW, as_of=world.clock())
