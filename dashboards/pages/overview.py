"""The overview: where everything stands, with denominators, and what needs a person now."""

from __future__ import annotations

from dashboards import summary
from dashboards.asked import Asked
from dashboards.model import Attention, Board
from dashboards.pages.page import Head, Page
from dashboards.reads import Reads
from dashboards.tables import Cell, Ref, Table, Word


def overview(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/`."""
    board = reads.board(asked.as_of)
    return Page(
        Head.of(board), summary.headline(board), template="overview.html",
        tables=(_standing(board), _attention(board)),
        values=drawn(board),
    )  # fmt: skip


def drawn(board: Board) -> dict[str, object]:
    """What the parts of the overview are drawn from; the one file draws the same parts."""
    return {
        "board": board,
        "parts": summary.parts(board),
        "urgencies": summary.urgencies(board),
        "columns": summary.columns(board),
        "next_expiry": summary.next_expiry(board),
        "controls": {row.control: row for row in board.controls},
        "systems": names(board),
    }


def names(board: Board) -> dict[str, str]:
    """System → its name, also of those that no inventory holds."""
    return {row.system: row.name for row in summary.columns(board)}


def _standing(board: Board) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (part.name, Word(standing.value), number, part.total)
        for part in summary.parts(board)
        for standing, number in part.counts.items()
    ]
    return Table("standing", "Where controls stand", ("part", "standing", "controls", "of"),
                 tuple(rows), "No clause or control is loaded.", len(rows))  # fmt: skip


def _attention(board: Board) -> Table:
    entries = [a for urgency in summary.urgencies(board) for a in urgency.entries]
    columns = ("severity", "sentence", "action", "control", "system", "source", "item")
    return Table("attention", "What needs a person now", columns, tuple(map(_entry, entries)),
                 "Nothing on the list.", len(entries))  # fmt: skip


def _entry(entry: Attention) -> tuple[Cell, ...]:
    return (
        Word(entry.severity), entry.sentence, entry.action,
        Ref("controls", entry.control, entry.control), Ref("systems", entry.system, entry.system),
        Ref("sources", entry.source, entry.source), Ref("items", entry.item_id, entry.item_id),
    )  # fmt: skip
