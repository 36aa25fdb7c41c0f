"""Leaf data and identities of a whole table at once: byte for byte what `schema` makes of a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.canonical import canonical
from evidence.model import FORM
from storage.rows import item_form
from storage.schema import EVIDENCE, TIME

_TEXT = pa.large_string()  # offsets of 64 bits: long titles cannot overflow a batch
_NOTHING = pa.scalar("", _TEXT)
_ESCAPED = r'["\\\x00-\x1f]'  # what RFC 8785 §3.2.2.2 does not write as it is
_PLAIN = np.ones(256, dtype=np.bool_)
_PLAIN[:0x20] = _PLAIN[ord('"')] = _PLAIN[ord("\\")] = False

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENDS = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
_LEAST, _GREATEST = ((end - _EPOCH) // timedelta(microseconds=1) for end in _ENDS)


def leaf_data_of(rows: pa.Table) -> Any:
    """`rows.leaf_data` of each row, as an Arrow array of bytes without nulls.

    Raises ValueError for a column that is missing or not of the type that `evidence` gives it, for
    a year that Python cannot hold, and for rows of several forms. Raises LakeError for a form that
    is not known.
    """
    return _objects(rows, item_form(_form(rows)).leaf)


def identities_of(rows: pa.Table) -> Any:
    """`rows.identity_of` of each row. Raises ValueError as `leaf_data_of` does."""
    return _objects(rows, item_form(_form(rows)).identity)


def _form(rows: pa.Table) -> str:
    """The one form of all rows. Raises ValueError if there are several, or none is named."""
    forms: list[Any] = pc.unique(rows["form"]).to_pylist() if "form" in rows.column_names else []
    if rows.num_rows and (len(forms) != 1 or forms[0] is None):
        raise ValueError("the rows are of several forms or name none")
    return str(forms[0]) if forms else FORM


def digests(values: Any, prefix: bytes = b"") -> list[bytes]:
    """SHA-256 over `prefix` and each value of an Arrow array of bytes or text without nulls."""
    sha256 = hashlib.sha256
    if not prefix:
        return [sha256(view).digest() for view in _views(values)]
    return [sha256(prefix + view).digest() for view in _views(values)]


def _views(values: Any) -> Iterator[memoryview]:
    """The bytes of each value in place, without a copy."""
    wide = values.cast(pa.large_binary())
    _, offsets, content = wide.buffers()
    ends = np.frombuffer(offsets, np.int64)[wide.offset : wide.offset + len(wide) + 1].tolist()
    whole = memoryview(content or b"")
    return (whole[first:last] for first, last in pairwise(ends))


def _objects(rows: pa.Table, names: Iterable[str]) -> Any:
    """Each row as one RFC 8785 object of these columns, whose names are ASCII."""
    pieces: list[Any] = []
    between = "{"
    for name in sorted(names):
        before, values, after = _member(rows, name)
        pieces += [pa.scalar(f'{between}"{name}":{before}', _TEXT), values]
        between = f"{after},"
    closed = between.removesuffix(",") + "}"
    return _join(*pieces, pa.scalar(closed, _TEXT)).cast(pa.large_binary())


def _join(*pieces: Any) -> Any:
    return pc.binary_join_element_wise(*pieces, _NOTHING)


def _member(rows: pa.Table, name: str) -> tuple[str, Any, str]:
    """The values of a column as JSON, and what of it stands before and after every one of them."""
    wanted = EVIDENCE.field(name).type
    if name not in rows.column_names or rows[name].type != wanted:
        raise ValueError(f"column {name} is missing or not of type {wanted}")
    column = rows[name].combine_chunks()
    after = 'Z"' if wanted == TIME else '"'
    values = _times(column) if wanted == TIME else _escaped(column.cast(_TEXT))
    if not column.null_count:
        return '"', values, after
    quoted = _join(pa.scalar('"', _TEXT), values, pa.scalar(after, _TEXT))
    return "", pc.fill_null(quoted, pa.scalar("null", _TEXT)), ""


def _times(moments: Any) -> Any:
    """`evidence.times.stamp` without its `Z`."""
    ends: Any = pc.min_max(moments.cast(pa.int64())).as_py()
    if ends["min"] is not None and not _LEAST <= ends["min"] <= ends["max"] <= _GREATEST:
        raise ValueError("a time lies outside the years 1 to 9999")
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
    return bool(_PLAIN[np.frombuffer(content, np.uint8)[first:last]].all())
