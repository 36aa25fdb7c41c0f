"""What waits for a person's word on a rule, and what is declared to need none."""

from __future__ import annotations

from dashboards.asked import Asked
from dashboards.model import ContextRow, QueueRow
from dashboards.pages.page import Head, Page
from dashboards.reads import Reads
from dashboards.tables import Cell, Code, Ref, Table


def queue(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/queue`."""
    board = reads.board(asked.as_of)
    columns = ("kind", "items", "what waits", "source", "newest", "such as")
    table = Table("queue", "Waiting for a rule", columns, tuple(map(_row, board.queue)),
                  "No item waits: every one speaks to a control, and to one thing of it.",
                  len(board.queue))  # fmt: skip
    context = Table("context", "Context only", ("declaration", "items", "why", "kinds", "such as"),
                    tuple(map(_declared, board.context)),
                    "Nothing is declared to be context only.", len(board.context))  # fmt: skip
    return Page(Head.of(board), "Waiting for a rule", template="queue.html",
                tables=(table, context), values={"board": board})  # fmt: skip


def _row(row: QueueRow) -> tuple[Cell, ...]:
    waits = f"taken for {row.evidence} by {row.rules}" if row.evidence else "no rule takes them"
    return (
        Code(row.kind), row.items, waits,
        Ref("sources", row.source, row.source) if row.source else "any", row.newest,
        Ref("items", row.item_id, row.title or "an item"),
    )  # fmt: skip


def _declared(row: ContextRow) -> tuple[Cell, ...]:
    such = Ref("items", row.item_id, row.title or "an item")
    return Code(row.declaration), row.items, row.rationale.replace("`", ""), row.kinds, such
