"""Lists that are sorted by last change, newest first, while people go on working on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """One change as the list shows it; `merged` is None where it was closed without."""

    number: int
    updated: datetime
    merged: datetime | None


Walk = Callable[[], Iterator[list[Any]]]
"""Begins at the newest change each time it is called; gives the rows of page after page."""
Read = Callable[[Any], Seen]


def changed(walk: Walk, read: Read, floor: datetime | None) -> list[Seen]:
    """Everything that changed at or after `floor` (None: ever), oldest change first.

    A change that is touched while we read moves to the front, past us; so the front is read again
    until it brings nothing new, or what it brings belongs to the next pull.
    """
    found: dict[int, Seen] = {}
    top = floor
    for _ in range(_ROUNDS):
        before, newest = dict(found), top
        for one in _down_to(walk, read, top):
            found[one.number] = one
            newest = max(newest or one.updated, one.updated)
        if found == before:
            break
        top = newest
    return sorted(found.values(), key=lambda one: (one.updated, one.number))


def _down_to(walk: Walk, read: Read, floor: datetime | None) -> Iterator[Seen]:
    """Whole pages, until one lies before the floor altogether at its end."""
    for rows in walk():
        page = [read(row) for row in rows]
        yield from (one for one in page if floor is None or one.updated >= floor)
        if floor is not None and page and page[-1].updated < floor:
            return
