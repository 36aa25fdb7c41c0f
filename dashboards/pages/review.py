"""The inputs of a management review (9.3), to print and to sign."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from dashboards import summary
from dashboards.asked import Asked
from dashboards.model import Board, ControlRow
from dashboards.pages.cells import verdict_cells
from dashboards.pages.overview import drawn, trend
from dashboards.pages.page import Head, Page
from dashboards.reads import Reads
from dashboards.tables import Cell, Ref, Table, Word
from evidence.freshness import Standing, Verdict

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
OF_BOOKS: Mapping[str, Sequence[str]] = {
    "actions": ("decisions", "corrective_actions"),
    "nonconformities": ("findings", "corrective_actions"),
    "audits": ("audits", "certification"),
}
"""Which registers tell of an input beside its controls."""
REVIEWED = "management_review"
SIGNED = {
    "signing": "Decided by people",
    "lines": ("On improvement", "What must change in the AIMS", "Present", "Signed, on"),
}
"""What people fill in by hand."""
LOOKED_BACK = timedelta(days=365)
"""How long what was done is still shown."""
LEAD = (
    "What the evidence says of each input of a management review. It is a beginning: people add "
    "what no evidence tells, decide, and sign."
)
_OPEN = (Standing.FAILED, Standing.STALE, Standing.MISSING, Standing.WAIVED)


def review(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/review`."""
    board, past = reads.board(asked.as_of), reads.past(asked.as_of)
    rows = {row.number: row for row in board.controls}
    inputs = [
        table
        for name, (title, numbers) in INPUTS.items()
        for table in (
            *_books(board, name, title),
            _input(board, name, title, [rows[number] for number in numbers if number in rows]),
        )
    ]
    last = last_review(v for row in board.controls for v in row.standing.verdicts)
    stood = () if past is None else (trend(past),)
    return Page(Head.of(board), "Management review: the inputs", f"{LEAD} {since(last)}",
                "review.html",
                (*inputs, _open(board), *stood), values=drawn(board) | SIGNED)  # fmt: skip


def last_review(verdicts: Iterable[Verdict]) -> datetime | None:
    """When the last review that was collected took place."""
    found = (one.newest for one in verdicts if one.evidence == REVIEWED and one.newest)
    return max(found, default=None)


def since(last: datetime | None) -> str:
    """One sentence of it."""
    if last is None:
        return "No review was collected before."
    return f"The last review that was collected is of {last:%Y-%m-%d}."


def _books(board: Board, name: str, title: str) -> Iterator[Table]:
    """What the registers of an input hold: all that is not done, and what was done in a year."""
    if not (whats := OF_BOOKS.get(name)):
        return
    held = [row for row in board.records if row.what in whats]
    begin = board.as_of - LOOKED_BACK
    shown = [row for row in held if row.stands != "done" or (row.done and row.done >= begin)]
    shown.sort(key=lambda row: (("late", "open", "done").index(row.stands), row.what, row.id))
    rows: list[tuple[Cell, ...]] = [
        (Ref("items", row.item_id, row.id), row.title, row.what.replace("_", " "), row.who or None,
         row.due and row.due.date(), row.done and row.done.date(), row.stands)
        for row in shown
    ]  # fmt: skip
    columns = ("record", "title", "register", "by", "due", "done", "stands")
    yield Table(f"{name}-records", f"{title}: what the registers hold", columns, tuple(rows),
                "Nothing is known: no register of them holds a record.", len(held))  # fmt: skip


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
