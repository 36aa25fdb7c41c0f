"""A source's JSON is read as the standard library reads it, to the last digit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors._json import parsed

TEXT = st.text(st.characters(), max_size=8)
NUMBERS = (
    st.integers()
    | st.integers(2**63 - 2, 2**64 + 2)
    | st.integers(-(2**63) - 2, -(2**63) + 2)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_it_is_what_the_standard_library_reads(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert repr(parsed(text)) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        "18446744073709551615", "18446744073709551616", "-9223372036854775809", "1" * 400,
        '{"id": 100000000000000000000, "of": [-99999999999999999999]}', "1e400", "-1e400", "-0.0",
        "1E2", "123456789012345678901234567890e-10", r'"\ud800"', r'["\udc00\ud800"]', r'"\u0000"',
        '{"a": 1, "b": 2, "a": 3}', " \t\n[1 ]\r\n", "null", '""', "0.1000000000000000055511151231",
        "5e-324", "2.2250738585072011e-308", "[" * 900 + "]" * 900,
    ],
)  # fmt: skip
def test_at_the_edges_too(text: str) -> None:
    assert repr(parsed(text)) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", "-Infinity", "", "{", "[1,]", "01", "'a'", '"\n"', "\ufeff1"]
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the library's own words
        parsed(text)
