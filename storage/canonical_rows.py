"""Leaf data and identities of a whole table at once: byte for byte what `schema` makes of a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.canonical import canonical
from evidence.model import FORM
from evidence.times import stamp
from storage.rows import item_form
from storage.schema import EVIDENCE, TIME

_TEXT = pa.large_string()  # offsets of 64 bits: long titles cannot overflow a batch
_NOTHING = pa.scalar("", _TEXT)
_ESCAPED = r'["\\\x00-\x1f]'  # what RFC 8785 §3.2.2.2 does not write as it is

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENDS = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
_LEAST, _GREATEST = ((end - _EPOCH) // timedelta(microseconds=1) for end in _ENDS)


def told_of(rows: pa.Table) -> tuple[Any, Any]:
    """`identities_of` and `leaf_data_of` together: what both say is put into words once."""
    form = item_form(_form(rows))
    members = _members(rows, {*form.identity, *form.leaf})
    return tuple(_objects(members, names, rows.num_rows) for names in (form.identity, form.leaf))


def leaf_data_of(rows: pa.Table) -> Any:
    """`rows.leaf_data` of each row, as an Arrow array of bytes without nulls.

    Raises ValueError for a column that is missing or not of the type that `evidence` gives it, for
    a year that Python cannot hold, and for rows of several forms. Raises LakeError for a form that
    is not known.
    """
    names = item_form(_form(rows)).leaf
    return _objects(_members(rows, names), names, rows.num_rows)


def identities_of(rows: pa.Table) -> Any:
    """`rows.identity_of` of each row. Raises ValueError as `leaf_data_of` does."""
    names = item_form(_form(rows)).identity
    return _objects(_members(rows, names), names, rows.num_rows)


def _form(rows: pa.Table) -> str:
    """The one form of all rows. Raises ValueError if there are several, or none is named."""
    forms: list[Any] = pc.unique(rows["form"]).to_pylist() if "form" in rows.column_names else []
    if rows.num_rows and (len(forms) != 1 or forms[0] is None):
        raise ValueError("the rows are of several forms or name none")
    return str(forms[0]) if forms else FORM


def digests(values: Any, prefix: bytes = b"") -> list[bytes]:
    """SHA-256 over `prefix` and each value of an Arrow array of bytes or text without nulls."""
    wide = values.cast(pa.large_binary())
    _, offsets, content = wide.buffers()
    ends = np.frombuffer(offsets, np.int64)[wide.offset : wide.offset + len(wide) + 1].tolist()
    whole, begun, found = memoryview(content or b""), hashlib.sha256(prefix).copy, list[bytes]()
    for first, last in pairwise(ends):
        digest = begun()  # a copy is cheaper than a new one, and the prefix is in it
        digest.update(whole[first:last])
        found.append(digest.digest())
    return found


@dataclass(frozen=True, slots=True)
class _Member:
    """A column as JSON: the text before and after each of its `values`.

    Where all rows say the same there are no values, and `before` is all of it.
    """

    before: str
    values: Any = None
    after: str = ""


def _objects(members: Mapping[str, _Member], names: Iterable[str], count: int) -> Any:
    """Each of `count` rows as one RFC 8785 object of these members, whose names are ASCII."""
    pieces: list[Any] = []
    text = "{"
    for name in sorted(names):
        member = members[name]
        text += f'"{name}":{member.before}'
        if member.values is not None:
            pieces += [pa.scalar(text, _TEXT), member.values]
            text = member.after
        text += ","
    last = pa.scalar(text.removesuffix(",") + "}", _TEXT)
    joined = _join(*pieces, last) if pieces else pa.repeat(last, count)
    return joined.cast(pa.large_binary())


def _join(*pieces: Any) -> Any:
    return pc.binary_join_element_wise(*pieces, _NOTHING)


def _members(rows: pa.Table, names: Iterable[str]) -> dict[str, _Member]:
    return {name: _member(rows, name) for name in names}


def _member(rows: pa.Table, name: str) -> _Member:
    wanted = EVIDENCE.field(name).type
    if name not in rows.column_names or rows[name].type != wanted:
        raise ValueError(f"column {name} is missing or not of type {wanted}")
    column = rows[name].combine_chunks()
    if wanted == TIME:
        _check_years(column)
    if _all_same(column):
        one = column[0].as_py()
        return _Member(canonical(stamp(one) if wanted == TIME and one else one).decode())
    after = 'Z"' if wanted == TIME else '"'
    values = _times(column) if wanted == TIME else _escaped(column.cast(_TEXT))
    if not column.null_count:
        return _Member('"', values, after)
    quoted = _join(pa.scalar('"', _TEXT), values, pa.scalar(after, _TEXT))
    return _Member("", pc.fill_null(quoted, pa.scalar("null", _TEXT)))


def _all_same(column: Any) -> bool:
    if not len(column) or column.null_count:
        return bool(0 < len(column) == column.null_count)
    return bool(column[0] == column[-1] and pc.all(pc.equal(column, column[0])).as_py())


def _check_years(moments: Any) -> None:
    ends: Any = pc.min_max(moments.cast(pa.int64())).as_py()
    if ends["min"] is not None and not _LEAST <= ends["min"] <= ends["max"] <= _GREATEST:
        raise ValueError("a time lies outside the years 1 to 9999")


def _times(moments: Any) -> Any:
    """`evidence.times.stamp` without its `Z`."""
    text = moments.cast(pa.timestamp("us")).cast(_TEXT)
    return pc.binary_replace_slice(text, start=10, stop=11, replacement="T")


def _escaped(texts: Any) -> Any:
    if _all_plain(texts):
        return texts
    hit = pc.match_substring_regex(texts, _ESCAPED)
    inside = [canonical(text).decode()[1:-1] for text in pc.filter(texts, hit).to_pylist()]
    return pc.replace_with_mask(texts, hit, pa.array(inside, _TEXT))


def _all_plain(texts: Any) -> bool:
    """Whether no value needs an escape: one look over all bytes is quicker than one at each."""
    _, offsets, content = texts.buffers()
    if content is None or not len(texts):
        return True
    ends = np.frombuffer(offsets, np.int64)
    first, last = ends[texts.offset], ends[texts.offset + len(texts)]
    held = np.frombuffer(content, np.uint8)[first:last]
    if not len(held):
        return True
    return not bool(held.min() < ord(" ") or (held == ord('"')).any() or (held == ord("\\")).any())
