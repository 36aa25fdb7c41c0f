"""What one page holds before it is drawn, and its filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from dashboards.asked import Asked, chosen
from dashboards.model import Board
from dashboards.tables import Table
from dashboards.text import visible


@dataclass(frozen=True, slots=True)
class Head:
    """What every page says of itself; `shown` is what to give to `as-of` to see this again."""

    organisation: str
    as_of: datetime | None = None
    built_at: datetime | None = None
    shown: str = ""
    version: int | None = None
    excerpt: str = ""
    late: str = ""

    @classmethod
    def of(cls, board: Board) -> Head:
        """The head of a page that is drawn from the board."""
        return cls(board.organisation, board.as_of, board.built_at, board.lake.shown,
                   board.lake.version, board.excerpt, board.late)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facet:
    """A filter: its name, the value in force ('' is all) and how many rows each value has."""

    name: str
    value: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its title and lead, its tables, and what else its template draws."""

    head: Head
    title: str
    lead: str = ""
    template: str = "page.html"
    tables: tuple[Table, ...] = ()
    facets: tuple[Facet, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def table(self, name: str) -> Table:
        """The table of that name, '' is the first. Raises LookupError."""
        for table in self.tables:
            if name in {"", table.name}:
                return table
        raise LookupError(name)


_Row = TypeVar("_Row")


def found(rows: Iterable[_Row], key: str, name: Callable[[_Row], str]) -> _Row:
    """The row of that name, or whose name an address shows so. Raises LookupError."""
    named = {name(row): row for row in rows if name(row)}
    shown = {visible(name): row for name, row in named.items()}
    try:
        return named.get(key) or shown[key]
    except KeyError as error:
        raise LookupError(key) from error


def facet(asked: Asked, name: str, values: Iterable[str], order: Sequence[str] = ()) -> Facet:
    """The filter over the values of all rows; '' among them counts for none of its values.

    Raises AskedWrongly for a value that no row has and that `order` does not name.
    """
    found = list(values)
    known = dict.fromkeys((*order, *sorted(filter(None, found))))
    counts = {value: found.count(value) for value in known}
    return Facet(name, chosen(name, asked.filters.get(name, ""), tuple(counts)), counts)
