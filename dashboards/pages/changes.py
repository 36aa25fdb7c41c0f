"""What changed since a moment: where controls stand, what landed, what judges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dashboards.asked import Asked
from dashboards.detail import Changes, MovedRow
from dashboards.pages.page import Head, Page
from dashboards.reads import Reads
from dashboards.tables import Cell, Code, Ref, Table, Word
from evidence.times import stamp

SINCE = "since"
FILTERS = (SINCE,)
LEAD = (
    "Both moments are judged by the rules and the catalogue of their day. An address that says no "
    "other is since a week before."
)
_AGO = {"a day": 1, "a week": 7, "30 days": 30, "90 days": 90, "a year": 365}


def changes(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/changes`."""
    board = reads.board(asked.as_of)
    found = reads.changes(asked.filters.get(SINCE, ""), asked.as_of)
    names = {row.control: row.number for row in board.controls}
    tables = (
        _moved("controls", "Controls that stand otherwise", found.controls, names),
        _moved("verdicts", "Expectations that stand otherwise", found.verdicts, names),
        _landed(found), _lines(found),
    )  # fmt: skip
    values = {"found": found, "ago": _ago(board.as_of)}
    return Page(Head.of(board), "Changes", LEAD, "changes.html", tables, values=values)


def _ago(at: datetime) -> dict[str, str]:
    return {words: stamp(at - timedelta(days=days)) for words, days in _AGO.items()}


def _moved(name: str, title: str, rows: Sequence[MovedRow], numbers: dict[str, str]) -> Table:
    """The worse first."""
    ordered = sorted(rows, key=lambda one: not one.worse)
    cells: tuple[tuple[Cell, ...], ...] = tuple(
        (Ref("controls", one.control, numbers.get(one.control, one.control)),
         one.what.removeprefix(one.control).strip() or "the control",
         "yes" if one.worse else "no", _words(one.before), _words(one.after), one.why)
        for one in ordered
    )  # fmt: skip
    return Table(name, title, ("control", "what", "worse", "before", "after", "why"), cells,
                 "None.", len(cells))  # fmt: skip


def _words(told: str) -> tuple[Cell, ...]:
    """A state, or two: `failed, fresh`."""
    return tuple(Word(word) for word in told.split(", "))


def _landed(found: Changes) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (Ref("sources", one.source, one.source), Code(one.kind), one.landed, one.changed, one.gone,
         one.failing)
        for one in found.landed
    )  # fmt: skip
    return Table("landed", "What landed between them",
                 ("source", "kind", "items", "changed", "gone", "failing"), rows,
                 "Nothing landed.", len(rows))  # fmt: skip


def _lines(found: Changes) -> Table:
    told = [("AI system", line) for line in found.systems]
    told += [("mapping", line) for line in found.mapping]
    told += [("decided by people", line) for line in found.decided]
    return Table("lines", "AI systems, mapping and decisions", ("what", "change"), tuple(told),
                 "The same systems, judged by the same mapping; nothing was decided.",
                 len(told))  # fmt: skip
