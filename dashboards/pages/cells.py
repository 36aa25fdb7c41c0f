"""Cells that several pages show: a verdict, and whom it is about."""

from __future__ import annotations

from dashboards import summary
from dashboards.model import Board
from dashboards.pages.overview import names
from dashboards.tables import Cell, Code, Ref, Word
from dashboards.text import many
from evidence.freshness import ORGANISATION, Verdict


def verdict_cells(board: Board, verdict: Verdict) -> tuple[Cell, ...]:
    """A verdict without its control, as the pages of controls and of systems show it."""
    state: Cell = Word(summary.word(verdict))
    if verdict.failed:
        state = (state, Word(verdict.state.value))
    return (
        Code(verdict.evidence), about(board, verdict.system), state, verdict.why, verdict.newest,
        verdict.fresh_until,
        Ref("items", verdict.item_id, many(verdict.count or 1, "item"))
        if verdict.item_id else None,
        Ref("sources", verdict.source, verdict.source) if verdict.source else None,
    )  # fmt: skip


def about(board: Board, system: str) -> Cell:
    """A system by its name; the organisation has no page of its own."""
    if system == ORGANISATION:
        return "Organisation"
    return Ref("systems", system, names(board).get(system, system))
