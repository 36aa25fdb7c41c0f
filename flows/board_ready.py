"""The answers to the pages of a server with many readers: made once for all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from dashboards.access import Grant
from dashboards.model import Board
from dashboards.once import Once
from dashboards.reads import AsOf, Reads
from dashboards.ready import Ready, Shelf
from evidence.errors import HeadwaterError
from evidence.excerpt import Excerpt
from flows.board_kept import keeping, kept, mark, unchanged
from flows.board_reads import reads
from flows.config import Config, now
from flows.moment import Asked, parse_as_of

T = TypeVar("T")
BESIDE = 32
"""Answers that are kept beside the boards: of a control, of a moment, since a moment."""
PREPARED = 8
"""Limited accesses for which each board is cut before they ask."""


def shelf_of(
    config: Config, asked: Asked | None = None, clock: Callable[[], datetime] = now
) -> Shelf:
    """The boards, each made anew once the lake, its tags or seals, or the mapping moved. That of
    the present is kept for the next process, and begins as the last one left it."""
    plain = reads(config, asked)

    def ready(as_of: AsOf) -> Ready:
        moved, make = partial(mark, config), partial(_with_past, plain, as_of)
        if as_of or asked:
            return Ready(make, moved, clock, config.board.oldest)
        return Ready(
            keeping(config, make), moved, clock, config.board.oldest, partial(kept, config)
        )  # fmt: skip

    return Shelf(ready, clock)


def board_now(config: Config) -> Board:
    """The board of the present: as it was kept where nothing has moved since, else made and kept.

    Raises LakeError, ConfigError.
    """
    plain = reads(config)
    return unchanged(config) or keeping(config, partial(_with_past, plain, ""))()


def preparing(
    granted: Callable[[], Sequence[Grant]], parts: Callable[[Excerpt], Reads]
) -> Callable[[], None]:
    """What is done after each new board: it is cut for those whose access is limited, so that their
    first page waits for nothing; of a period that is over once, for that board does not move."""
    done = set[Excerpt]()

    def prepare() -> None:
        at = now()
        limited = [one.excerpt for one in granted() if one.excerpt.limited and not one.closed(at)]
        for excerpt in list(dict.fromkeys(limited))[:PREPARED]:
            over = excerpt.until is not None and excerpt.until <= at
            if not (over and excerpt in done):
                with contextlib.suppress(HeadwaterError):  # its reader gets it
                    parts(excerpt).board("")
                    done.add(excerpt)

    return prepare


def _with_past(plain: Reads, as_of: AsOf) -> Board:
    return replace(plain.board(as_of), past=plain.past(as_of))


def from_shelf(config: Config, shelf: Shelf, asked: Asked | None = None) -> Reads:
    """`reads` whose boards are taken from the shelf. What else is of the whole lake is asked once
    for each board, and is never newer or older than the next one."""
    plain, beside = reads(config, asked), Once(BESIDE)

    def board(as_of: AsOf) -> Board:
        parse_as_of(as_of)  # what names no moment takes no place on the shelf
        return shelf.board(as_of)

    def once(name: str, as_of: AsOf, make: Callable[[], T], *key: Hashable) -> T:
        return beside.of(board(as_of).built_at, (name, as_of, *key), make)

    return Reads(
        board=board, items=plain.items, versions=plain.versions, proof=plain.proof,
        control=lambda control, as_of: once(
            "control", as_of, partial(plain.control, control, as_of), control
        ),
        found=lambda control, first, most, as_of: once(
            "found", as_of, partial(plain.found, control, first, most, as_of), control, first, most
        ),
        lives=lambda as_of: once("lives", as_of, partial(plain.lives, as_of)),
        past=lambda as_of: board(as_of).past,
        changes=lambda since, as_of: once(
            "changes", as_of, partial(plain.changes, since, as_of), since
        ),
        ends=lambda as_of: board(as_of).ends,
    )  # fmt: skip
