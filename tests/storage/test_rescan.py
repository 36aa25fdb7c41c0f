"""Rows recomputed as whole columns, against the plainest program that does the same row by row."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from evidence.model import FORM
from storage.rescan import rows_as_leaves
from storage.rows import IDENTITY, LEAF_COLUMNS
from storage.schema import EVIDENCE, TIME

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=9) | st.sampled_from(
    ['"', "\\", "\x00", "\x1f\x7f", "\u2028", "\ufeff", "\ue000😀", "é" * 40, "</script>", "null"]
)
_PAYLOAD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | _TEXT
    | st.sampled_from([-0.0, 5e-324, 1.7976931348623157e308, 2**53 + 1, -(10**40)]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
).map(json.dumps)  # fmt: skip
_TIMES = st.datetimes(timezones=st.just(UTC))
_SPOILT = st.sampled_from(["", "", "item_id", "content_sha256", "payload", "upper", "empty"])


def _row() -> st.SearchStrategy[dict[str, Any]]:
    columns: dict[str, st.SearchStrategy[Any]] = {}
    for field in EVIDENCE:
        columns[field.name] = _TIMES if field.type == TIME else st.none() | _TEXT
    return st.fixed_dictionaries(columns | {"form": st.just(FORM), "payload": _PAYLOAD})


def _digest(names: tuple[str, ...], row: dict[str, Any], prefix: bytes = b"") -> bytes:
    told = {}
    for name in names:
        value = row[name]
        if isinstance(value, datetime):
            value = value.isoformat(timespec="microseconds").replace("+00:00", "Z")
        told[name] = value
    return hashlib.sha256(prefix + rfc8785.dumps(told)).digest()


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    """With its digests as they should be."""
    whole = row | {"content_sha256": hashlib.sha256(row["payload"].encode()).hexdigest()}
    return whole | {"item_id": _digest(IDENTITY, whole).hex()}


def _spoil(row: dict[str, Any], how: str) -> dict[str, Any]:
    if how == "upper":
        return row | {"item_id": row["item_id"].upper() + "F"}
    if how == "empty":
        return row | {"content_sha256": ""}
    if how == "payload":
        return row | {"payload": row["payload"] + " "}
    return row | {how: "0" * 64} if how else row


@given(st.lists(st.tuples(_row(), _SPOILT), max_size=6), st.integers(0, 2))
@example([], 0)
def test_the_same_as_the_plainest_program(
    made: list[tuple[dict[str, Any], str]], skipped: int
) -> None:
    rows = [_spoil(_whole(row), how) for row, how in made]
    found = list(rows_as_leaves(pa.Table.from_pylist(rows, schema=EVIDENCE).slice(skipped)))
    for row, (_, how), one in zip(rows[skipped:], made[skipped:], found, strict=True):
        assert one.leaf == _digest(LEAF_COLUMNS, row, b"\x00")
        assert one.item_id == row["item_id"]
        assert bool(one.problem) == bool(how)
