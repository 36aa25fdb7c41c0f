"""What a reader is shown whose access is limited: the pages over a lake that is cut to it."""

from __future__ import annotations

from dashboards.cut import cut
from dashboards.model import Board, ItemPage
from dashboards.reads import AsOf, Reads
from evidence.excerpt import Excerpt
from evidence.times import stamp
from flows.board import SHOWN_IN_ALL, SHOWN_PER_CONTROL, pages
from flows.config import Config, now
from flows.moment import Asked, moment, parse_as_of
from storage.engine import ample
from storage.lake import Lake
from storage.pages import control_items, control_totals, counts


def part(config: Config, whole: Reads, excerpt: Excerpt, asked: Asked | None = None) -> Reads:
    """The pages of the excerpt. `whole` makes the board that is cut; `asked` is the moment shown
    where an address names none.

    Nothing is judged as of a moment after the end of the excerpt's period.
    """

    def until(as_of: AsOf) -> Asked | None:
        wanted = parse_as_of(as_of) or asked
        if excerpt.until is None or excerpt.until > now():
            return wanted
        at = moment(_lake(config), config, wanted).at if wanted else now()
        return Asked(excerpt.until) if at > excerpt.until else wanted

    def board(as_of: AsOf) -> Board:
        wanted = until(as_of)
        return cut_board(config, whole.board(_token(wanted)), excerpt, wanted)

    def item(item_id: str, as_of: AsOf) -> ItemPage | None:
        lake = _lake(config)
        with moment(lake, config, until(as_of)).connect(lake, excerpt=excerpt) as connection:
            return pages(connection, [item_id]).get(item_id)

    return Reads(board, item)


def cut_board(config: Config, board: Board, excerpt: Excerpt, asked: Asked | None) -> Board:
    """The part of a board that the excerpt shows, with the items in it as of the moment asked for.

    Raises LakeError.
    """
    lake = _lake(config)
    with moment(lake, config, asked).connect(lake, ample(), excerpt) as connection:
        shown = control_items(connection, SHOWN_PER_CONTROL)
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
