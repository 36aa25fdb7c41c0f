"""Items and rows are the same facts, in both directions, for whatever a source may send."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import LakeError
from evidence.model import FORM, Change, EvidenceItem, Nature, Outcome
from storage.files import file_sha256, read_rows, write_files
from storage.place_local import LocalPlace
from storage.rows import ITEM_FORMS, evidence_rows, evidence_steps, identity_of, item_of, leaf_data
from storage.schema import EVIDENCE, TABLES, month_of
from tests.storage.makers import START, item

TEXT = st.text(max_size=12)
NAME = TEXT.filter(lambda text: bool(text.encode("utf-8", "replace").decode().strip()))
FIRST, LAST = START.replace(tzinfo=None, year=1), START.replace(tzinfo=None, year=9998)
MOMENT = st.datetimes(timezones=st.just(UTC), min_value=FIRST, max_value=LAST)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ITEMS = st.builds(
    lambda at, span, **rest: EvidenceItem(observed_from=at - span, observed_to=at, **rest),
    at=MOMENT, span=st.timedeltas(timedelta(0), timedelta(hours=1)), source=NAME, kind=NAME,
    subject=NAME, collected_at=MOMENT, payload=st.dictionaries(TEXT, JSON, max_size=4),
    nature=st.sampled_from(Nature), system=TEXT, title=TEXT, change=st.sampled_from(Change),
    outcome=st.sampled_from(Outcome), actor=TEXT, locator=TEXT,
)  # fmt: skip


@given(st.lists(ITEMS, max_size=3))
def test_a_row_holds_the_whole_item(items: list[EvidenceItem]) -> None:
    rows = evidence_rows(items, landed_at=START, pull_id="p")
    again = [item_of(row) for row in rows.to_pylist()]
    assert evidence_rows(again, landed_at=START, pull_id="p") == rows
    assert [item.item_id for item in again] == [item.item_id for item in items]


@given(ITEMS)
def test_identity_and_content_are_recomputed_from_the_row(one: EvidenceItem) -> None:
    (row,) = evidence_rows([one], landed_at=START, pull_id="p").to_pylist()
    assert hashlib.sha256(identity_of(row)).hexdigest() == one.item_id
    assert hashlib.sha256(row["payload"].encode()).hexdigest() == one.content_sha256


def test_a_leaf_covers_every_column_but_the_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ITEM_FORMS, "else", ITEM_FORMS[FORM])  # type: ignore[arg-type]
    (row,) = evidence_rows([item(1)], landed_at=START, pull_id="p").to_pylist()
    for name in EVIDENCE.names:
        other = dict(row)
        value = row[name]
        other[name] = value + timedelta(microseconds=1) if isinstance(value, datetime) else "else"
        assert (leaf_data(other) == leaf_data(row)) == (name == "payload"), name


def test_the_month_is_that_of_utc() -> None:
    late = datetime.fromisoformat("2026-11-01T00:30:00+02:00")
    assert month_of(late) == "2026-10"
    assert (
        evidence_rows([item(at=late)], landed_at=START, pull_id="")["month"][0].as_py() == "2026-10"
    )


def test_files_keep_order_and_types(tmp_path: Path) -> None:
    rows = evidence_rows([item(n) for n in (0, 20, 1, 21)], landed_at=START, pull_id="p")
    written = list(write_files(LocalPlace(tmp_path), TABLES["evidence"], rows))
    assert [dict(w.partition) for w in written] == [{"month": "2026-10"}, {"month": "2026-11"}]
    back = [read_rows(tmp_path / w.relative, w.partition) for w in written]
    assert pa.concat_tables(back).select(EVIDENCE.names).cast(EVIDENCE) == rows.take([0, 2, 1, 3])


def test_each_month_is_one_file_in_the_order_of_landing(tmp_path: Path) -> None:
    given = [item(day, subject=f"S-{n}") for n, day in enumerate([0, 40, 1, 41, 2, 300, 0.5])]
    rows = evidence_rows(given, landed_at=START, pull_id="p")
    written = write_files(LocalPlace(tmp_path), TABLES["evidence"], rows)
    found = [
        (dict(w.partition)["month"],
         read_rows(tmp_path / w.relative, w.partition)["subject"].to_pylist())
        for w in written
    ]  # fmt: skip
    assert found == [
        ("2026-10", ["S-0", "S-2", "S-4", "S-6"]),
        ("2026-11", ["S-1", "S-3"]),
        ("2027-08", ["S-5"]),
    ]
    assert all(file_sha256(tmp_path / w.relative) == w.sha256 for w in written)


def test_files_of_a_write_that_failed_do_not_stay(tmp_path: Path) -> None:
    rows = evidence_rows([item(0), item(40)], landed_at=START, pull_id="p")
    (tmp_path / "month=2026-11").write_text("in the way of the second month's folder")
    with pytest.raises(LakeError, match="month=2026-11"):
        write_files(LocalPlace(tmp_path), TABLES["evidence"], rows)
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_large_commit_is_made_in_steps_of_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.rows.STEP_ROWS", 3)
    items = [item(n) for n in range(8)]
    steps = list(evidence_steps(items, landed_at=START, pull_id="p"))
    assert [step.num_rows for step in steps] == [3, 3, 2]
    assert pa.concat_tables(steps) == evidence_rows(items, landed_at=START, pull_id="p")
