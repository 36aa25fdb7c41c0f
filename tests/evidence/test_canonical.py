"""The canonical bytes are RFC 8785's, whichever way they were made."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from evidence.canonical import canonical, canonical_plain, canonical_texts, digest, plain
from evidence.errors import InvalidItem

TEXT = st.text(st.characters(codec="utf-8"))
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(VALUES)
def test_equals_the_reference(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.dictionaries(st.text(st.characters(codec="ascii")), TEXT))
def test_texts_by_themselves_equal_the_reference(value: dict[str, str]) -> None:
    assert canonical_texts(value) == rfc8785.dumps(value)


@given(VALUES)
def test_reads_back_as_the_same_value(value: Any) -> None:
    assert canonical(json.loads(canonical(value), parse_int=float)) == canonical(value)


@pytest.mark.parametrize(
    "value",
    [
        {"b": 1.0, "a": -0.0, "c": 1e16, "d": 1e-7},
        {"\U0001f600": 1, "\ue000": 2, "z": 3},
        [100000000000000.0, 999999999999999, "1.0,", ":1e5]"],
        {"text": "[1.0]", "nested": {"x": [1.5, 2, None]}},
        {"deep": [{"a": [0.1, {"b": 2.5e-3}]}, 0.0009, 1e15, 999999999999999.5], "t": True},
        {"few": [3.0, 0.0009], "many": [9007199254740991.0, 9007199254740992.0, 1.5]},
        {"text": "3.0,", "whole": [3.0, -0.0, 2.0**53, 1e300, True, None], "none": {"of": 5.0}},
    ],
)
def test_where_fast_and_exact_could_differ(value: Any) -> None:
    assert canonical(value) == canonical_plain(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("bad", [float("nan"), {"a": [float("inf")]}, 2**60, {1: "x"}, {"s": {1}}])
def test_what_json_cannot_hold_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidItem):
        canonical(bad)


ODD = (
    st.floats() | st.integers() | st.binary(max_size=3) | st.datetimes(timezones=st.just(UTC))
    | st.dates() | st.text(st.characters(), max_size=4) | st.frozensets(st.integers(), max_size=3)
)  # fmt: skip
ANY = st.recursive(
    VALUES | ODD,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(TEXT | st.integers(), inner)
    ),
    max_leaves=12,
)


@given(ANY)
def test_in_one_go_it_is_what_it_is_in_two(value: Any) -> None:
    assert canonical_plain(value) == canonical(plain(value))


@pytest.mark.parametrize("bad", [datetime(2026, 1, 2), object(), {"x": object()}])  # noqa: DTZ001
def test_in_one_go_it_refuses_what_it_does_in_two(bad: Any) -> None:
    with pytest.raises(InvalidItem):
        canonical_plain({"a": [bad]})


@pytest.mark.parametrize(
    "value",
    [
        {"a": float("nan"), "b": None}, {"a": [1.0, float("inf")]}, {"k": 2**53}, [None, "null"],
        {"\ud800": 1}, {1: 2, "1": 3}, [-0.0], {"a": 1e21}, 2**53, 1.0, "null", float("nan"),
    ],
)  # fmt: skip
def test_in_one_go_at_the_edges(value: Any) -> None:
    assert canonical_plain(value) == canonical(plain(value))


def test_plain_keeps_what_a_reader_could_miss() -> None:
    value = {
        "nan": float("nan"), "big": 2**63, "at": datetime(2026, 1, 2, tzinfo=UTC),
        "day": date(2026, 1, 2), "raw": b"\x00\xff", "set": {2, 1}, "half": "\ud800x", 7: (1, 2),
    }  # fmt: skip
    assert plain(value) == {
        "nan": "nan", "big": str(2**63), "at": "2026-01-02T00:00:00.000000Z", "day": "2026-01-02",
        "raw": "00ff", "set": [1, 2], "half": "\ufffd\ufffd\ufffdx", "7": [1, 2],
    }  # fmt: skip


@given(VALUES)
def test_plain_changes_nothing_that_is_plain(value: Any) -> None:
    assert digest(plain(value)) == digest(value)


@pytest.mark.parametrize("bad", [datetime(2026, 1, 2), object(), {"x": object()}])  # noqa: DTZ001
def test_plain_refuses_what_it_would_have_to_guess(bad: Any) -> None:
    with pytest.raises(InvalidItem):
        plain(bad)
