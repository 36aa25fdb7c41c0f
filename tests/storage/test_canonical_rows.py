"""Whole tables at once give the same bytes as one row after the other, whatever text they hold."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evidence.errors import LakeError
from evidence.model import FORM
from storage.canonical_rows import digests, identities_of, leaf_data_of, told_of
from storage.rows import identity_of, leaf_data
from storage.schema import EVIDENCE, TIME
from tests.storage.makers import item

_NASTY = st.sampled_from(
    ['"', "\\", "\\u0000", "\x00", "\x1f", "\x7f", "\n\r\t\b\f", "\u2028", "é", "😀", "</script>",
     "null", "{}", "1e400", "\ufffe", "\u0085"]
)  # fmt: skip
_TEXTS = st.one_of(
    st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.lists(_NASTY, max_size=4).map("".join),
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = st.one_of(
    st.none(),
    st.datetimes(timezones=st.just(UTC)),
    st.integers(-2_000_000, 2_000_000).map(lambda us: _EPOCH + timedelta(microseconds=us)),
)


def _value(field: Any) -> st.SearchStrategy[Any]:
    if field.name == "form":
        return st.just(FORM)
    return _TIMES if field.type == TIME else _TEXTS


_ROWS = st.lists(st.fixed_dictionaries({f.name: _value(f) for f in EVIDENCE}), max_size=5)
_EMPTY = dict.fromkeys(EVIDENCE.names) | {"form": FORM}


@given(_ROWS, st.integers(0, 2))
@example([_EMPTY, _EMPTY], 0)
@example([_EMPTY | {"title": '\0"\\é'}] * 3, 0)
@example([_EMPTY | {"title": "same"}, _EMPTY, _EMPTY | {"title": "same"}], 0)
@example([_EMPTY | {"title": "ends"}, _EMPTY | {"title": "other"}, _EMPTY | {"title": "ends"}], 0)
@example([_EMPTY], 0)
@example([_EMPTY | {"observed_to": datetime(999, 1, 2, 3, 4, 5, 6, tzinfo=UTC)}], 0)
@example([_EMPTY | {"title": '"'}, _EMPTY | {"title": "plain"}], 1)
def test_the_same_bytes_as_row_by_row(rows: list[dict[str, Any]], skipped: int) -> None:
    table = pa.Table.from_pylist(rows, schema=EVIDENCE).slice(skipped)
    kept = rows[skipped:]
    assert leaf_data_of(table).to_pylist() == [leaf_data(row) for row in kept]
    assert identities_of(table).to_pylist() == [identity_of(row) for row in kept]
    both = [told.to_pylist() for told in told_of(table)]
    assert both == [identities_of(table).to_pylist(), leaf_data_of(table).to_pylist()]


@given(_ROWS.filter(bool), st.integers(2, 4))
def test_columns_of_one_value_are_said_for_every_row(
    rows: list[dict[str, Any]], times: int
) -> None:
    """What all rows say alike is written once: for each row it must be there all the same."""
    for row in rows:
        repeated = pa.Table.from_pylist([row] * times, schema=EVIDENCE)
        assert leaf_data_of(repeated).to_pylist() == [leaf_data(row)] * times


@given(st.lists(st.binary(max_size=9), max_size=6), st.binary(max_size=2), st.integers(0, 3))
def test_digests_are_those_of_each_value(values: list[bytes], prefix: bytes, skipped: int) -> None:
    array = pa.array(values, pa.binary()).slice(skipped)
    kept = values[skipped:]
    assert digests(array, prefix) == [hashlib.sha256(prefix + v).digest() for v in kept]


def _table() -> pa.Table:
    one = item(1)
    row = {f.name: getattr(one, f.name, "x") for f in EVIDENCE} | {"form": FORM}
    return pa.Table.from_pylist(
        [row | {"nature": "event", "change": "new", "outcome": "passed", "payload": "{}",
                "landed_at": one.collected_at}], schema=EVIDENCE,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("column", "values"),
    [("title", pa.array([1])), ("landed_at", pa.array(["2026-01-01"])),
     ("landed_at", pa.array([1], pa.timestamp("ns", tz="UTC"))),
     ("observed_to", pa.array([10**18], TIME)), ("observed_to", pa.array([-(10**17)], TIME))],
    ids=["number", "text", "unit", "late", "early"],
)  # fmt: skip
def test_what_evidence_cannot_hold_is_refused(column: str, values: Any) -> None:
    table = _table()
    spoilt = table.set_column(table.column_names.index(column), column, values)
    with pytest.raises(ValueError, match=r"column|years"):
        leaf_data_of(spoilt)
    with pytest.raises(ValueError, match="column title is missing"):
        leaf_data_of(table.drop_columns(["title"]))


@pytest.mark.parametrize(
    ("forms", "error"),
    [((FORM, "headwater.item/9"), ValueError), ((FORM, None), ValueError),
     (("headwater.item/9",), LakeError)],
    ids=["several", "none", "newer"],
)  # fmt: skip
def test_rows_of_other_forms_are_not_taken_for_form_1(
    forms: tuple[str | None, ...], error: type[Exception]
) -> None:
    rows = pa.concat_tables([_table()] * len(forms))
    spoilt = rows.set_column(0, "form", pa.array(forms, pa.string()))
    with pytest.raises(error, match=r"several forms|upgrade Headwater"):
        leaf_data_of(spoilt)
