"""All controls, under filters."""

from __future__ import annotations

from dashboards import summary
from dashboards.asked import Asked
from dashboards.model import Board, ControlRow
from dashboards.pages.page import Facet, Head, Page, facet
from dashboards.reads import Reads
from dashboards.tables import Cell, Ref, Table, Word

FILTERS = ("state", "owner", "system", "framework")
NOBODY = "nobody"
"""The owner of a control that has none."""
LEAD = (
    "Where each clause and control stands. The worst verdict on the evidence that it asks for "
    "decides; nothing is averaged."
)


def controls(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/controls`."""
    board = reads.board(asked.as_of)
    facets = _facets(board, asked)
    shown = [row for row in board.controls if all(_has(row, one) for one in facets)]
    return Page(
        Head.of(board), "Controls", LEAD, tables=(_table(board, shown),), facets=facets
    )  # fmt: skip


def _facets(board: Board, asked: Asked) -> tuple[Facet, ...]:
    rows = board.controls
    words = [standing.value for standing in summary.WORST_FIRST]
    asking = [name for row in rows for name in {v.system for v in row.standing.verdicts}]
    systems = [column.system for column in summary.columns(board) if column.system]
    return (
        facet(asked, "state", (row.standing.standing.value for row in rows), words),
        facet(asked, "owner", (row.owner or NOBODY for row in rows)),
        facet(asked, "system", asking, systems),
        facet(asked, "framework", (row.framework for row in rows)),
    )  # fmt: skip


def _has(row: ControlRow, one: Facet) -> bool:
    held = {
        "state": {row.standing.standing.value}, "owner": {row.owner or NOBODY},
        "system": {verdict.system for verdict in row.standing.verdicts},
        "framework": {row.framework},
    }  # fmt: skip
    return not one.value or one.value in held[one.name]


def _table(board: Board, shown: list[ControlRow]) -> Table:
    columns = ("control", "title", "standing", "in date", "asked", "why", "owner", "group")
    return Table("controls", "Controls", columns, tuple(map(_row, shown)),
                 "No control has all of this.", len(board.controls))  # fmt: skip


def _row(row: ControlRow) -> tuple[Cell, ...]:
    stands = row.standing
    return (
        Ref("controls", row.control, row.number), row.title, Word(stands.standing.value),
        stands.in_date, stands.expected, stands.why, row.owner or NOBODY, row.group,
    )  # fmt: skip
