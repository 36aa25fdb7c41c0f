"""Lakes that older versions wrote are read, verified, landed on and sealed for ever."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence.freshness import ControlStanding, Standing, State, Verdict
from evidence.model import ControlId, Cursor
from storage.keys import load_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.proof import check_inclusion, inclusion_proof
from storage.verdicts import append_verdicts, last_judged
from storage.verify import verify
from storage.views import connect, sightings
from tests.storage.makers import item

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
ITEMS = 78
SEALED = 72
IDS = "268256dec6aaf0eb6f1a5c351430052d6be707c6481c783540e0e694b6cf8f95"
"""SHA-256 over the sorted ids of lake-1."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of lake-1 with its key and witness; git does not keep the key's mode."""
    folder = tmp_path / "old"
    shutil.copytree(FIXTURES / "lake-1", folder)
    (folder / "key").chmod(0o600)
    return folder


def _open(old: Path) -> Lake:
    return Lake.open(old / "lake", clock=lambda: NOW)


def test_every_view_reads_it(old: Path) -> None:
    with connect(_open(old)) as connection:
        ids = [row[0] for row in connection.execute("SELECT item_id FROM evidence").fetchall()]
        counts = {
            view: connection.execute(f"SELECT count(*) FROM {view}").fetchall()[0][0]
            for view in ("latest", "pulls", "tags", "verdicts", "standings", "leaves")
        }
        odd = connection.execute(
            "SELECT payload->>'$.\"\U0001f600\"' FROM evidence WHERE subject = 'jira-0-1'"
        ).fetchall()
    assert len(ids) == ITEMS
    assert hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest() == IDS
    assert counts == {
        "latest": 68, "pulls": 13, "tags": 24, "verdicts": 1, "standings": 1, "leaves": SEALED,
    }  # fmt: skip
    assert odd == [("astral key",)]


def test_its_past_is_judged_as_it_was(old: Path) -> None:
    lake = _open(old)
    key = ("iso42001:A.6.2.4", "validation", "system-0")
    for moment, count in ((datetime(2026, 7, 15, tzinfo=UTC), 2), (NOW, 8)):
        with connect(lake, as_of=moment) as connection:
            assert sightings(connection, moment)[key].count == count
    assert last_judged(lake)[0][key][0] == "fresh"


def test_it_is_verified_and_proved(old: Path) -> None:
    vkey = (old / "key.pub").read_text().strip()
    found = verify(old / "lake", vkey, witness=old / "witness")
    assert (found.size, found.items) == (SEALED, ITEMS)
    with connect(_open(old)) as connection:
        rows = connection.execute("SELECT item_id FROM leaves ORDER BY leaf_index").fetchall()
    assert check_inclusion(inclusion_proof(_open(old), rows[40][0]), vkey).size == SEALED


def test_it_is_landed_on_tagged_judged_and_sealed(old: Path) -> None:
    lake = _open(old)
    assert lake.bookmark("jira").cursor == Cursor("after 4")
    assert lake.bookmark("trail").cursor == Cursor("after 3")
    landed = lake.land(
        "jira", [item(1)], bookmark=lake.bookmark("jira"), cursor=Cursor("on"), pull_id="p"
    )
    assert (landed.new, lake.bookmark("jira").cursor) == (1, Cursor("on"))
    sql = (FIXTURES / "rules-1.sql").read_text()
    assert lake.follow_sql("tags", sql, app="tags:rules-1") == 1
    control = ControlId("iso42001:A.6.2.4")
    verdict = Verdict(control, "validation", "system-0", State.DUE, False, "as judged", NOW)
    append_verdicts(lake, [verdict], [ControlStanding(control, Standing.PROVED, "w", 1, 1)], NOW)
    head = integrate(lake, load_key(old / "key"), witness=old / "witness")
    found = verify(old / "lake", load_key(old / "key").vkey, witness=old / "witness")
    assert head.size == found.size == found.items == ITEMS + 1


def test_known_items_do_not_land_twice(old: Path) -> None:
    """Identity is for ever: the same facts give the ids that the old version gave."""
    from tests.storage.fixtures.make_lake_1 import SOURCES, items

    lake = _open(old)
    for source in SOURCES:
        landed = lake.land(
            source, list(items(source, 1)), bookmark=lake.bookmark(source), cursor=None,
            pull_id="again",
        )  # fmt: skip
        assert (landed.new, landed.known) == (0, 5)
