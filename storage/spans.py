"""Which files may hold rows of certain times, told by the statistics in the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evidence.model import EvidenceItem
from storage.schema import TIME, month_of

Span = tuple[datetime, datetime]
"""The first and the last moment, both included."""


def spans_of(items: Iterable[EvidenceItem]) -> dict[str, Span]:
    """Month → the first and the last time until which an item of it was observed."""
    spans: dict[tuple[int, int], Span] = {}
    for item in items:
        at = item.observed_to
        month = at.year, at.month
        first, last = spans.get(month, (at, at))
        spans[month] = min(first, at), max(last, at)
    return {month_of(span[0]): span for span in spans.values()}


def may_hold(actions: pa.Table, spans: Mapping[str, Span]) -> Any:
    """For each file of `evidence`, as the log lists it, whether it overlaps a span of its month.

    A file without statistics may hold any row.
    """
    names = ["partition.month", "min.observed_to", "max.observed_to"]
    if not set(names) <= set(actions.column_names):
        return pa.array([True] * actions.num_rows)
    months, least, greatest = actions.select(names).columns
    found: Any = pa.array([False] * actions.num_rows)
    for month, (first, last) in spans.items():
        early: Any = pc.less_equal(least, pa.scalar(last, TIME)).fill_null(True)
        late: Any = pc.greater_equal(greatest, pa.scalar(first, TIME)).fill_null(True)
        here = pc.and_(pc.equal(months, pa.scalar(month)), pc.and_(early, late))
        found = pc.or_(found, here)
    return found
