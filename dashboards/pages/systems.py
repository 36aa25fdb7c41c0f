"""The AI systems: controls by system, and each system with what the inventory says of it."""

from __future__ import annotations

from dashboards import summary
from dashboards.asked import Asked
from dashboards.detail import Life
from dashboards.model import Board, SystemRow
from dashboards.pages.cells import verdict_cells
from dashboards.pages.overview import drawn
from dashboards.pages.page import Head, Page, found
from dashboards.reads import Reads
from dashboards.tables import Cell, Ref, Table, Word
from evidence.freshness import ORGANISATION, Verdict, badness, worst

LEAD = "What the inventory says of each AI system, and how much of the evidence asked is in date."


def systems(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/systems`."""
    board = reads.board(asked.as_of)
    rows = [row for row in summary.columns(board) if row.system != ORGANISATION]
    columns = ("system", "owner", "risk class", "stage", "worst", "in date", "asked")
    table = Table("systems", "AI systems", columns, tuple(_row(board, row) for row in rows),
                  "No AI system is registered, and no evidence names one.", len(rows))  # fmt: skip
    return Page(Head.of(board), "Systems", LEAD, "systems.html", (table,), values=drawn(board))


def _of(board: Board, system: str) -> list[Verdict]:
    return [v for row in board.controls for v in row.standing.verdicts if v.system == system]


def _row(board: Board, row: SystemRow) -> tuple[Cell, ...]:
    verdicts = _of(board, row.system)
    bad = worst(verdicts)
    return (
        Ref("systems", row.system, row.name), row.owner or None, row.risk_class or None,
        row.stage or None, Word(summary.word(bad)) if bad else None,
        sum(v.in_date and not v.failed for v in verdicts), len(verdicts),
    )  # fmt: skip


def system(reads: Reads, key: str, asked: Asked) -> Page:
    """The page of one AI system. Raises LookupError."""
    board = reads.board(asked.as_of)
    row = found(summary.columns(board), key, lambda one: one.system)
    lives = reads.lives(asked.as_of)
    life = None if lives is None else lives.get(row.system, Life({}, (), ()))
    return Page(
        Head.of(board), row.name, template="system.html",
        tables=(
            _verdicts(board, row.system),
            *((_broken(life), _nodes(life)) if life is not None else ()),
        ),
        values={"row": row, "life": life},
    )  # fmt: skip


def _broken(life: Life) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.stage, one.about, one.missing, one.why,
         Ref("items", one.item_id, "the item") if one.item_id else None)
        for one in life.broken
    )  # fmt: skip
    empty = "No edge is broken among what landed of it." if life.nodes else "Nothing landed of it."
    return Table("broken", "Broken edges of its life",
                 ("stage", "what", "missing", "why", "item"), rows, empty, len(rows))  # fmt: skip


def _nodes(life: Life) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.stage, Ref("items", one.item_id, one.title) if one.item_id else one.title, one.at,
         one.who or None, Word(one.outcome) if one.outcome else None)
        for one in life.nodes
    )  # fmt: skip
    return Table("life", "Its life, from requirement to change: the newest of each stage",
                 ("stage", "what", "when", "who", "outcome"), rows,
                 "Nothing of its life has landed.", sum(life.stages.values()))  # fmt: skip


def _verdicts(board: Board, system: str) -> Table:
    """Worst first: what is wrong with the system stands at the top."""
    numbers = {row.control: row.number for row in board.controls}
    verdicts = sorted(_of(board, system), key=badness)
    rows = tuple(
        (Ref("controls", v.control, numbers[v.control]), *_without(verdict_cells(board, v)))
        for v in verdicts
    )
    columns = ("control", "evidence", "state", "why", "newest", "fresh until", "items", "source")
    return Table("verdicts", "Evidence asked of this system, worst first", columns, rows,
                 "No control asks anything of this system.", len(rows))  # fmt: skip


def _without(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Without the system: the page is of one."""
    return (cells[0], *cells[2:])
