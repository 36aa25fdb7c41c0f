"""Tables of values: drawn on a page, and given as CSV or JSON under the same address."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

from dashboards.text import tame
from evidence.times import stamp

FORM = "headwater.table/1"


@dataclass(frozen=True, slots=True)
class Word:
    """A state: drawn with its mark, given as its word."""

    word: str


@dataclass(frozen=True, slots=True)
class Ref:
    """A text that leads to another page, where there is one."""

    kind: str
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A name of ours or of a source, drawn as it is written."""

    text: str


Cell: TypeAlias = "str | int | date | Word | Ref | Code | tuple[Cell, ...] | None"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns, the first of which names the row. Times are in UTC.

    `whole` is how many rows there are without filters and paging; `empty` is said where none is.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str
    whole: int

    @property
    def plain(self) -> tuple[tuple[Any, ...], ...]:
        """The rows as JSON-like values."""
        return tuple(tuple(plain(cell) for cell in row) for row in self.rows)


def plain(cell: Cell) -> Any:
    """A cell as a JSON-like value: a time as text, many as a list."""
    match cell:
        case tuple():
            return [plain(one) for one in cell]
        case Word():
            return cell.word
        case Ref() | Code():
            return cell.text
        case datetime():
            return stamp(cell)
        case date():
            return cell.isoformat()
    return cell


def as_csv(table: Table) -> str:
    """For spreadsheets: no cell begins like a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([tame(name) for name in table.columns])
    writer.writerows([_cell(value) for value in row] for row in table.plain)
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return tame("; ".join(_cell(one) for one in value))
    return str(value) if isinstance(value, int) else tame(value or "")


def as_json(table: Table, told: Mapping[str, Any]) -> str:
    """For programs: the rows by column, how many there are in all, and what else is `told`."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.plain]
    head = {"form": FORM, "table": table.name} | dict(told)
    return json.dumps(head | {"whole": table.whole, "shown": len(rows), "rows": rows}, indent=2)
