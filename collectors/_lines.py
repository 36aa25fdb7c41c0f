"""Lists that are no JSON document: one JSON value a line, or comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

_CSV = "text/csv"
_LINES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
TYPES = (_CSV, *_LINES)
"""The media types that are read here, where a request accepts them by name."""


def read_lines(kind: str, text: str, one: Callable[[str], Any]) -> list[Any]:
    """The records of `text` of the media type `kind`; `one` reads one JSON value.

    Raises ValueError, naming the row, where comma-separated ones are not as wide as their head.
    """
    if kind != _CSV:
        return [one(line) for line in text.splitlines() if line.strip()]
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = next(rows, [])
        if not names or len(set(names)) < len(names):
            raise ValueError("the head of the table names no columns, or one of them twice")
        return [_record(names, row, n) for n, row in enumerate(rows, 2) if row]
    except csv.Error as error:
        raise ValueError(f"row {rows.line_num}: {error}") from error


def _record(names: list[str], row: list[str], number: int) -> dict[str, str]:
    if len(row) != len(names):
        raise ValueError(f"row {number} has {len(row)} columns, its head {len(names)}")
    return dict(zip(names, row, strict=True))
