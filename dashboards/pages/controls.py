"""The controls: all of them under filters, and each with what it asks, has and lacks."""

from __future__ import annotations

from dashboards import summary
from dashboards.asked import Asked
from dashboards.model import Board, ControlRow
from dashboards.pages.overview import names
from dashboards.pages.page import Facet, Head, Page, facet, found
from dashboards.reads import Reads
from dashboards.tables import Cell, Code, Ref, Table, Word
from dashboards.text import many
from evidence.freshness import ORGANISATION, Verdict

FILTERS = ("state", "owner", "system", "framework")
NOBODY = "nobody"
"""The owner of a control that has none."""
LEAD = (
    "Where each clause and control stands. The worst verdict on the evidence that it asks for "
    "decides; nothing is averaged."
)
LEAD_ONE = "What is asked, what landed, and why it stands where it does."


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
        stands.in_date, stands.expected, stands.why, row.owner or None, row.group,
    )  # fmt: skip


def control(reads: Reads, key: str, asked: Asked) -> Page:
    """The page of one control, by its id or number. Raises LookupError."""
    board = reads.board(asked.as_of)
    numbered = [one for one in board.controls if one.number == key]
    row = numbered[0] if len(numbered) == 1 else found(board.controls, key, lambda one: one.control)
    return Page(
        Head.of(board), f"{row.number} {row.title}", LEAD_ONE, "control.html",
        tables=(_verdicts(board, row), _evidence(board, row), _elsewhere(board, row)),
        values={"row": row, "systems": names(board)},
    )  # fmt: skip


def _verdicts(board: Board, row: ControlRow) -> Table:
    columns = ("evidence", "of", "state", "why", "newest", "fresh until", "items", "source")
    rows = tuple(verdict_cells(board, verdict) for verdict in row.standing.verdicts)
    return Table("verdicts", "Evidence asked for", columns, rows,
                 "Nothing is asked of any source: a person signs.", len(rows))  # fmt: skip


def verdict_cells(board: Board, verdict: Verdict) -> tuple[Cell, ...]:
    """A verdict without its control, as the pages of controls and of systems show it."""
    state: Cell = Word(summary.word(verdict))
    if verdict.failed:
        state = (state, Word(verdict.state.value))
    return (
        Code(verdict.evidence), about(board, verdict.system), state, verdict.why, verdict.newest,
        verdict.fresh_until,
        Ref("items", verdict.item_id, many(verdict.count or 1, "item")) if verdict.item_id else 0,
        Ref("sources", verdict.source, verdict.source) if verdict.source else None,
    )  # fmt: skip


def about(board: Board, system: str) -> Cell:
    """A system by its name; the organisation has no page of its own."""
    if system == ORGANISATION:
        return "Organisation"
    return Ref("systems", system, names(board).get(system, system))


def _evidence(board: Board, row: ControlRow) -> Table:
    shown = board.evidence.get(row.control, ())
    columns = ("item", "outcome", "kind", "of", "happened", "landed", "source")
    rows = tuple(_item(board, item_id) for item_id in shown)
    whole = board.evidence_total.get(row.control, len(rows))
    return Table("evidence", "Evidence, newest first", columns, rows,
                 "No item speaks to it.", whole)  # fmt: skip


def _item(board: Board, item_id: str) -> tuple[Cell, ...]:
    item = board.items.get(item_id)
    if item is None:
        return (Ref("items", item_id, item_id[:12]), *(None,) * 6)
    outcome: tuple[Cell, ...] = (Word(item.outcome),)
    outcome += (Word(item.corrected),) if item.corrected else ()
    return (
        Ref("items", item_id, item.title or item.subject), outcome, Code(item.kind),
        about(board, item.system), item.observed_to, item.landed_at,
        Ref("sources", item.source, item.source),
    )  # fmt: skip


def _elsewhere(board: Board, row: ControlRow) -> Table:
    columns = ("framework", "requirement", "carried", "what stays open")
    rows = tuple(
        (Ref("frameworks", known.framework, known.title), one.requirement, Word(one.reach),
         one.open or None)
        for known in board.frameworks for one in known.requirements
        if row.control in {*one.by, *one.failing}
    )  # fmt: skip
    return Table("elsewhere", "Requirements elsewhere that it carries, or fails", columns, rows,
                 "It carries nothing of another framework today.", len(rows))  # fmt: skip
