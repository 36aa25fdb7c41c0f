"""What a reader is shown whose access is limited: the pages over a lake that is cut to it."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime

from dashboards.cut import cut
from dashboards.detail import Changes, ControlFacts
from dashboards.model import Board
from dashboards.reads import AsOf, Reads
from evidence.excerpt import Excerpt
from evidence.times import stamp
from flows.board import SHOWN_IN_ALL
from flows.board_pages import pages
from flows.board_reads import LakeReads
from flows.config import Config, now
from flows.moment import Asked, moment, parse_as_of
from storage.engine import ample
from storage.lake import Lake
from storage.pages import control_items, control_totals, counts

KEPT = 4
"""Boards that are kept cut, the newest last: each is a copy of its items."""


def part(config: Config, whole: Reads, excerpt: Excerpt, asked: Asked | None = None) -> Reads:
    """The pages of the excerpt. `whole` makes the board that is cut; `asked` is the moment shown
    where an address names none.

    Nothing is judged as of a moment after the end of the excerpt's period. A board is cut once for
    each whole one that it is cut from.
    """

    def until(as_of: AsOf) -> Asked | None:
        wanted = parse_as_of(as_of) or asked
        if excerpt.until is None or excerpt.until > now():
            return wanted
        at = moment(_lake(config), config, wanted).at if wanted else now()
        return Asked(excerpt.until) if at > excerpt.until else wanted

    kept: OrderedDict[tuple[AsOf, datetime], Board] = OrderedDict()

    def board(as_of: AsOf) -> Board:
        wanted = until(as_of)
        made = whole.board(_token(wanted))
        key = (_token(wanted), made.built_at)
        if (known := kept.get(key)) is None:
            known = kept[key] = cut_board(config, made, excerpt, wanted)
        while len(kept) > KEPT:
            with contextlib.suppress(KeyError):  # another reader's thread was faster
                kept.popitem(last=False)
        return replace(known, late=made.late)

    lake = LakeReads(config, until, excerpt)

    def proof(item_id: str, as_of: AsOf) -> tuple[str, str]:
        seen = item_id in lake.items([item_id], as_of)
        return lake.proof(item_id, as_of) if seen else ("", "It is not shown to you.")

    def control(control: str, as_of: AsOf) -> ControlFacts:
        return replace(lake.control(control, as_of), waivers=None)

    return Reads(
        board=board, items=lake.items, versions=lake.versions, proof=proof, control=control,
        found=lake.found, lives=_of_the_whole, past=_of_the_whole, changes=_refused,
        ends=_of_the_whole,
    )  # fmt: skip


def _of_the_whole(_as_of: AsOf) -> None:
    return None


def _refused(_since: AsOf, _as_of: AsOf) -> Changes:
    raise LookupError("the changes speak of the whole")


def cut_board(config: Config, board: Board, excerpt: Excerpt, asked: Asked | None) -> Board:
    """The part of a board that the excerpt shows, with the items in it as of the moment asked for.

    Raises LakeError.
    """
    lake = _lake(config)
    with moment(lake, config, asked).connect(lake, ample(), excerpt) as connection:
        shown = control_items(connection)
        ids = list(dict.fromkeys(one for ids in shown.values() for one in ids))
        return cut(
            board, excerpt, evidence={control: tuple(of) for control, of in shown.items()},
            items=pages(connection, ids[:SHOWN_IN_ALL]), totals=control_totals(connection),
            number=counts(connection).items,
        )  # fmt: skip


def _token(asked: Asked | None) -> AsOf:
    """As an address has it."""
    if asked is None:
        return ""
    if asked.freeze:
        return f"freeze:{asked.freeze}"
    at = stamp(asked.at) if asked.at else ""
    return f"{at}@{asked.size}" if asked.size else at


def _lake(config: Config) -> Lake:
    return Lake.open(config.lake, clock=now)
