"""What may change in the lake's form, and what never may: older lakes and rows stay as they are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from evidence.errors import LakeError
from evidence.model import FORM
from storage import lake as lake_module
from storage.compact import compact
from storage.keys import load_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.rows import ITEM_FORMS, evidence_rows, identity_of, leaf_data
from storage.schema import TABLES, TIME
from storage.verify import verify
from storage.views import connect
from tests.storage.makers import START, Clock, World, item
from tests.storage.test_old_lakes import FIXTURES, NOW, old

__all__ = ["old"]

S, T, N = pa.string(), TIME, pa.int64()
PINNED = {
    "evidence": {
        "form": S, "item_id": S, "source": S, "kind": S, "nature": S, "system": S, "subject": S,
        "title": S, "observed_from": T, "observed_to": T, "collected_at": T, "landed_at": T,
        "change": S, "outcome": S, "actor": S, "locator": S, "payload": S, "content_sha256": S,
        "pull_id": S, "month": S,
    },
    "tags": {
        "item_id": S, "control": S, "evidence": S, "rule": S, "strength": S, "rationale": S,
        "mapping_digest": S, "tagged_at": T,
    },
    "leaves": {"leaf_index": N, "item_id": S, "leaf_hash": S, "evidence_version": N},
    "verdicts": {
        "control": S, "evidence": S, "system": S, "state": S, "failed": pa.bool_(), "why": S,
        "fresh_until": T, "newest": T, "item_id": S, "source": S, "count": N, "judged_at": T,
    },
    "standings": {
        "control": S, "standing": S, "why": S, "in_date": N, "expected": N, "due": N,
        "judged_at": T,
    },
}  # fmt: skip
"""Form 1, written out: a column here is never renamed, retyped, reordered or removed."""


def test_no_column_of_form_1_changes() -> None:
    """If this fails: a new column goes into `added` of its table; anything else is a new form."""
    assert lake_module.FORM == "headwater.lake/1"
    for name, columns in PINNED.items():
        spec = TABLES[name]
        kept = [field for field in spec.schema if field.name not in spec.added]
        assert {field.name: field.type for field in kept} == columns
        assert [field.name for field in kept] == list(columns)
        assert all(spec.schema.field(added).nullable for added in spec.added)


def test_identity_and_leaf_of_form_1_never_change() -> None:
    """If this fails: ids and leaves of landed items would change. Make a new item form."""
    assert FORM == "headwater.item/1"
    one = ITEM_FORMS["headwater.item/1"]
    assert set(one.leaf) == set(PINNED["evidence"]) - {"payload"}
    (row,) = evidence_rows([item(1)], landed_at=START, pull_id="p").to_pylist()
    assert list(json.loads(identity_of(row))) == [
        "change", "content_sha256", "form", "kind", "nature", "observed_from", "observed_to",
        "outcome", "source", "subject", "system",
    ]  # fmt: skip
    assert leaf_data(row | {"region": "eu"}) == leaf_data(row)


def test_a_newer_form_is_refused_with_what_to_do(old: Path) -> None:
    (old / "lake" / "lake.json").write_text('{"form": "headwater.lake/2"}')
    with pytest.raises(LakeError, match="upgrade Headwater"):
        Lake.open(old / "lake", clock=Clock())
    (row,) = evidence_rows([item(1)], landed_at=START, pull_id="p").to_pylist()
    with pytest.raises(LakeError, match=r"form 'headwater\.item/2'.*upgrade Headwater"):
        identity_of(row | {"form": "headwater.item/2"})


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later Headwater: one more column in three tables."""
    more = {"evidence": ("region", S), "tags": ("weight", N), "verdicts": ("seen_at", T)}
    for name, (column, kind) in more.items():
        spec = TABLES[name]
        wider = replace(spec, schema=spec.schema.append(pa.field(column, kind)), added=(column,))
        monkeypatch.setitem(TABLES, name, wider)  # type: ignore[arg-type]


def _columns(lake: Lake, table: str) -> list[str]:
    return [field.name for field in DeltaTable(lake.place.uri + f"/{table}").schema().fields]


def _row(number: int, region: str) -> pa.Table:
    rows = evidence_rows([item(number)], landed_at=NOW, pull_id="p")
    return rows.append_column("region", pa.array([region]))


@pytest.mark.usefixtures("grown")
def test_an_older_lake_is_read_without_a_step(old: Path) -> None:
    lake = Lake.open(old / "lake", clock=lambda: NOW)
    with connect(lake) as connection:
        asked = "SELECT count(*), count(region) FROM evidence"
        assert connection.execute(asked).fetchall() == [(78, 0)]
        assert connection.execute("SELECT count(weight) FROM tags").fetchall() == [(0,)]
        assert connection.execute("SELECT seen_at FROM verdicts").fetchall() == [(None,)]
    assert "region" not in _columns(lake, "evidence")


@pytest.mark.usefixtures("grown")
def test_an_older_lake_grows_with_the_first_landing_and_old_leaves_stay(old: Path) -> None:
    lake = Lake.open(old / "lake", clock=lambda: NOW)
    assert lake.table("evidence").commit([_row(1, "eu")]) == 15
    assert _columns(lake, "evidence")[-1] == "region"
    with connect(lake) as connection:
        asked = "SELECT region, count(*) FROM evidence GROUP BY ALL ORDER BY ALL"
        assert connection.execute(asked).fetchall() == [("eu", 1), (None, 78)]
    sql = (FIXTURES / "rules-1.sql").read_text().replace("FROM items", ", 7 AS weight FROM items")
    sql = sql.replace("WHERE kind = 'mlflow.run'", "WHERE region = 'eu'")
    assert lake.follow_sql("tags", sql.replace("'rules-1'", "'rules-2'"), app="tags:rules-2") > 0
    signer = load_key(old / "key")
    assert integrate(lake, signer, witness=old / "witness").size == 79
    assert verify(old / "lake", signer.vkey, witness=old / "witness").items == 79


@pytest.mark.usefixtures("grown")
def test_growing_is_one_step_that_may_be_asked_for(old: Path) -> None:
    lake = Lake.open(old / "lake", clock=lambda: NOW)
    assert lake.evolve() == {
        "evidence": ("region",), "tags": ("weight",), "verdicts": ("seen_at",),
    }  # fmt: skip
    assert lake.evolve() == {}
    entry = (old / "lake/evidence/_delta_log/00000000000000000014.json").read_text()
    assert '"added":["region"]' in entry
    vkey = load_key(old / "key").vkey
    assert verify(old / "lake", vkey, witness=old / "witness").items == 78


@pytest.mark.usefixtures("grown")
def test_old_and_new_files_become_one(old: Path) -> None:
    lake = Lake.open(old / "lake", clock=lambda: NOW)
    lake.table("evidence").commit([_row(1, "eu")])
    signer = load_key(old / "key")
    head = integrate(lake, signer, witness=old / "witness")
    table = lake.table("evidence")
    done = compact(table, lake.table("leaves"), sealed=head.chain.version, now=NOW)
    assert not done.refused
    with connect(lake) as connection:
        asked = "SELECT region, count(*) FROM evidence GROUP BY ALL ORDER BY ALL"
        assert connection.execute(asked).fetchall() == [("eu", 1), (None, 78)]
    assert verify(old / "lake", signer.vkey, witness=old / "witness").items == 79


def test_an_older_headwater_lands_beside_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The column that it does not know is null in its rows, and stays in the table."""
    world = World(tmp_path / "lake")
    spec = TABLES["evidence"]
    with monkeypatch.context() as later:
        wider = replace(spec, schema=spec.schema.append(pa.field("region", S)), added=("region",))
        later.setitem(TABLES, "evidence", wider)  # type: ignore[arg-type]
        world.lake.table("evidence").commit([_row(1, "eu")])
    world.land(item(2), cursor="c")
    assert _columns(world.lake, "evidence")[-1] == "region"
    with connect(world.lake) as connection:
        assert connection.execute("SELECT count(*) FROM evidence").fetchall() == [(2,)]
