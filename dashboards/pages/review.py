"""The inputs of a management review (9.3), to print and to sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboards import summary
from dashboards.asked import Asked
from dashboards.model import Board, ControlRow
from dashboards.pages.cells import verdict_cells
from dashboards.pages.overview import drawn
from dashboards.pages.page import Head, Page
from dashboards.reads import Reads
from dashboards.tables import Cell, Ref, Table, Word
from evidence.freshness import Standing

INPUTS: Mapping[str, tuple[str, Sequence[str]]] = {
    "actions": ("What became of earlier actions", ("9.3.3", "10.2")),
    "issues": ("What changed outside and inside the organisation", ("4.1",)),
    "parties": ("What interested parties need and expect", ("4.2",)),
    "nonconformities": ("Nonconformities and corrective actions", ("10.2", "A.8.4")),
    "measuring": ("Results of measuring and monitoring", ("6.2", "9.1", "A.6.2.6")),
    "audits": ("Results of audits", ("9.2.1", "9.2.2")),
    "risks": ("Risks, their treatment and impact on people", ("8.2", "8.3", "8.4")),
    "improving": ("Chances to improve", ("10.1",)),
}
"""What a review looks at, in our words, and the clauses and controls whose evidence tells of it."""
LEAD = (
    "What the evidence says of each input of a management review. It is a beginning: people add "
    "what no evidence tells, decide, and sign."
)
_OPEN = (Standing.FAILED, Standing.STALE, Standing.MISSING, Standing.WAIVED)


def review(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/review`."""
    board = reads.board(asked.as_of)
    rows = {row.number: row for row in board.controls}
    inputs = tuple(
        _input(board, name, title, [rows[number] for number in numbers if number in rows])
        for name, (title, numbers) in INPUTS.items()
    )
    return Page(Head.of(board), "Management review: the inputs", LEAD, "review.html",
                (*inputs, _open(board)), values=drawn(board))  # fmt: skip


def _input(board: Board, name: str, title: str, rows: Sequence[ControlRow]) -> Table:
    found: list[tuple[Cell, ...]] = []
    for row in rows:
        lead = (Ref("controls", row.control, row.number), Word(row.standing.standing.value))
        told = [verdict_cells(board, v) for v in row.standing.verdicts]
        found += [(*lead, *cells[:6]) for cells in told] or [
            (*lead, None, None, None, row.standing.why, None, None)
        ]
    columns = ("control", "stands", "evidence", "of", "state", "why", "newest", "fresh until")
    return Table(name, title, columns, tuple(found),
                 "No clause or control that tells of it is loaded.", len(found))  # fmt: skip


def _open(board: Board) -> Table:
    rows = [row for row in board.controls if row.standing.standing in _OPEN]
    rows.sort(key=lambda row: summary.WORST_FIRST.index(row.standing.standing))
    cells = tuple(
        (Ref("controls", row.control, row.number), row.title, Word(row.standing.standing.value),
         row.standing.why, row.owner or None)
        for row in rows
    )  # fmt: skip
    return Table("open", "What does not stand", ("control", "title", "standing", "why", "owner"),
                 cells, "No clause or control failed, is stale or lacks evidence.",
                 len(cells))  # fmt: skip
