"""Policies and procedures: who owns each, whose approval it waits for, what is no longer so."""

from __future__ import annotations

from datetime import time

from dashboards.asked import Asked
from dashboards.model import DocumentRow
from dashboards.pages.page import Head, Page, facet
from dashboards.reads import Reads
from dashboards.tables import Cell, Code, Ref, Table, Word

FILTERS = ("state",)
STATES = ("error", "waiting", "outdated", "declared", "approved")
LEAD = (
    "Documents that are collected, without drafts. Error: it has a flaw and proves nothing. "
    "Waiting: too few of those it asks have approved this text, so it proves nothing either. "
    "Outdated: registers or headwater.toml no longer say what it says. Declared: only the document "
    "itself says who approved it. Approved: those it asks approved this very text."
)


def documents(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/documents`."""
    board = reads.board(asked.as_of)
    chosen = facet(asked, "state", (_state(row) for row in board.documents), STATES)
    shown = [row for row in board.documents if chosen.value in {"", _state(row)}]
    shown.sort(key=lambda row: (STATES.index(_state(row)), row.path))
    columns = ("document", "state", "why", "owner", "approver", "reviewed", "where")
    table = Table("documents", "Documents", columns, tuple(map(_row, shown)),
                  "No document is collected that is more than a draft.",
                  len(board.documents))  # fmt: skip
    return Page(Head.of(board), "Documents", LEAD, tables=(table,), facets=(chosen,))


def _state(row: DocumentRow) -> str:
    if row.flaws:
        return "error"
    if row.waits:
        return "waiting"
    if row.drift:
        return "outdated"
    return "approved" if row.approval else "declared"


def _reviewed(row: DocumentRow) -> Cell:
    """A day where a day was declared, else the moment of the commit."""
    at = row.reviewed
    return at.date() if at and at.time() == time() else at


def _row(row: DocumentRow) -> tuple[Cell, ...]:
    drift = row.drift if row.drift else "as rendered" if row.rendered and not row.flaws else ""
    why = "; ".join(filter(None, (row.flaws, row.approval, drift)))
    title = f"{row.title} {row.version}".strip()
    return (
        Ref("items", row.item_id, title), Word(_state(row)), why or None, row.owner or None,
        row.approver or None, _reviewed(row), Code(row.path),
    )  # fmt: skip
