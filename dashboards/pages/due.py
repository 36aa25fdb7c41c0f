"""What becomes stale when: the next 90 days, week by week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from dashboards.asked import Asked
from dashboards.detail import EndRow
from dashboards.model import Board
from dashboards.pages.cells import about
from dashboards.pages.page import Head, Page, facet
from dashboards.reads import Reads
from dashboards.tables import Cell, Code, Ref, Table, Word
from evidence.freshness import Standing, Verdict

FILTERS = ("owner", "system")
DAYS = 90
LEAD = (
    f"What goes out of date within {DAYS} days, if nothing new lands. What is out of date "
    "already is not here: it stands on the overview."
)


def due(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/due`."""
    board = reads.board(asked.as_of)
    coming = _coming(board)
    owners = {row.control: row.owner or "nobody" for row in board.controls}
    facets = (
        facet(asked, "owner", (owners[v.control] for v in coming), sorted({*owners.values()})),
        facet(asked, "system", (v.system for v in coming), [s.system for s in board.systems[1:]]),
    )
    owner, system = (one.value for one in facets)
    shown = [
        v for v in coming if owner in {"", owners[v.control]} and system in {"", v.system}
    ]  # fmt: skip
    columns = ("out of date from", "evidence", "of", "control", "owner", "newest", "source")
    table = Table("due", f"Out of date within {DAYS} days", columns,
                  tuple(_row(board, v, owners[v.control]) for v in shown),
                  "Nothing that is in date now ends in this time.", len(coming))  # fmt: skip
    ends = reads.ends(asked.as_of)
    # Who is shown a part only is not told of the whole's dates.
    whole = (_planned(board), _ends(ends), _clocks(board)) if ends is not None else ()
    return Page(Head.of(board), "Due", LEAD, "due.html", (table, *whole), facets,
                {"weeks": _weeks(board, shown)})  # fmt: skip


def _clocks(board: Board) -> Table:
    """By when law says to tell: open ones first, as they come."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (row.due, Word(row.state), row.law, row.why, about(board, row.system),
         Ref("items", row.item_id, "the incident") if row.item_id else None)
        for row in board.clocks
    )  # fmt: skip
    columns = ("by", "state", "law", "how it stands", "of", "record")
    return Table("clocks", "Legal deadlines of incidents", columns, rows,
                 "No incident that landed is of a kind that anybody must be told of by law.",
                 len(rows))  # fmt: skip


def _ends(ends: Sequence[EndRow]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.on, one.what, one.sentence,
         Ref("controls", one.control, one.control.partition(":")[2]) if one.control else None,
         one.owner or None)
        for one in ends
    )  # fmt: skip
    return Table("ends", "Signatures and waivers that end, laws that begin to apply",
                 ("on", "what", "which", "control", "who"), rows,
                 "No signature or waiver in force ends, and no law begins to apply.",
                 len(rows))  # fmt: skip


def _planned(board: Board) -> Table:
    """What people set themselves dates for: what is late stands first."""
    until = board.as_of + timedelta(days=DAYS)
    rows = tuple(
        (row.on, row.what, row.title, row.who or "nobody",
         Ref("items", row.item_id, "the item") if row.item_id else None)
        for row in board.calendar if row.on <= until
    )  # fmt: skip
    columns = ("by", "what", "title", "who", "record")
    return Table("planned", "Audits, actions and requests by their dates", columns, rows,
                 "No register says that anything is to be done by then.", len(rows))  # fmt: skip


def _coming(board: Board) -> list[Verdict]:
    until = board.as_of + timedelta(days=DAYS)
    verdicts = [
        v for row in board.controls if row.standing.standing is not Standing.NOT_APPLICABLE
        for v in row.standing.verdicts
        if v.in_date and v.fresh_until is not None and v.fresh_until <= until
    ]  # fmt: skip
    return sorted(verdicts, key=lambda v: (v.fresh_until or until, v.control, v.evidence, v.system))


def _weeks(board: Board, shown: list[Verdict]) -> list[tuple[object, int]]:
    """Each seven days from now on, with how many pieces of evidence end in them."""
    ends = Counter((v.fresh_until - board.as_of) // timedelta(days=7) for v in shown
                   if v.fresh_until is not None)  # fmt: skip
    return [
        (board.as_of + timedelta(weeks=week), ends[week]) for week in range(-(-DAYS // 7))
    ]  # fmt: skip


def _row(board: Board, v: Verdict, owner: str) -> tuple[Cell, ...]:
    number = v.control.partition(":")[2]
    return (
        v.fresh_until, Code(v.evidence), about(board, v.system), Ref("controls", v.control, number),
        owner, Ref("items", v.item_id, "the item") if v.item_id else None,
        Ref("sources", v.source, v.source) if v.source else None,
    )  # fmt: skip
