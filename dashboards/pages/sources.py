"""The sources: their health, and each with its attempts and what it promised."""

from __future__ import annotations

from dashboards import summary
from dashboards.asked import Asked
from dashboards.model import AttemptRow, SourceRow
from dashboards.pages.page import Head, Page, found
from dashboards.reads import Reads
from dashboards.tables import Cell, Code, Ref, Table, Word
from dashboards.text import lasting

LEAD = "Where evidence is pulled from. Only a pull that finished whole refreshes anything."


def sources(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/sources`."""
    board = reads.board(asked.as_of)
    columns = ("source", "collector", "last outcome", "last attempt", "last complete", "items",
               "whole in 7 days", "attempts in 7 days", "trouble")  # fmt: skip
    table = Table("sources", "Sources", columns, tuple(map(_row, board.sources)),
                  "No source is configured, so nothing can be fresh.",
                  len(board.sources))  # fmt: skip
    return Page(Head.of(board), "Sources", LEAD, tables=(table,))


def _row(source: SourceRow) -> tuple[Cell, ...]:
    missed = ("a run was due and did not start",) if source.missed_run else ()
    trouble = (*missed, *filter(None, (source.error,)), *source.gaps)
    return (
        Ref("sources", source.source, source.source), Code(source.collector),
        Word(source.outcome or "never ran"), source.last_attempt, source.last_complete,
        source.items, source.completes, source.tries, trouble or None,
    )  # fmt: skip


def source(reads: Reads, key: str, asked: Asked) -> Page:
    """The page of one source. Raises LookupError."""
    board = reads.board(asked.as_of)
    row = found(board.sources, key, lambda one: one.source)
    return Page(
        Head.of(board), row.source, summary.collector_clock(row), "source.html",
        (_attempts(row), _totals(row)), values={"s": row},
    )  # fmt: skip


def _attempts(source: SourceRow) -> Table:
    columns = ("started", "outcome", "took", "new", "received", "promised", "what was missing")
    return Table("attempts", "Last attempts, newest first", columns,
                 tuple(map(_attempt, source.attempts)), "It was never pulled.",
                 len(source.attempts))  # fmt: skip


def _attempt(one: AttemptRow) -> tuple[Cell, ...]:
    outcome: tuple[Cell, ...] = (Word(one.outcome), *(("backfill",) if one.backfill else ()))
    return (one.started_at, outcome, lasting(one.took), one.new, one.received, one.promised,
            one.why or None)  # fmt: skip


def _totals(source: SourceRow) -> Table:
    rows = tuple((one.what, one.promised, one.received, one.short) for one in source.totals)
    return Table("totals", "Promised and received at the last attempt",
                 ("question", "promised", "received", "missing"), rows,
                 "The source does not say beforehand how much it has.", len(rows))  # fmt: skip
