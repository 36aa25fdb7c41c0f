"""The overview: where everything stands, with denominators, and what needs a person now."""

from __future__ import annotations

from dashboards import summary
from dashboards.asked import Asked
from dashboards.detail import Past
from dashboards.model import Attention, Board
from dashboards.pages.page import Head, Page
from dashboards.reads import Reads
from dashboards.tables import Cell, Ref, Table, Word

NOT_JUDGED = "not judged"


def overview(reads: Reads, _key: str, asked: Asked) -> Page:
    """The page `/`."""
    board, past = reads.board(asked.as_of), reads.past(asked.as_of)
    return Page(
        Head.of(board), summary.headline(board), template="overview.html",
        tables=(
            _standing(board), _attention(board),
            *((_moved(board, past), trend(past)) if past is not None else ()),
        ),
        values=drawn(board) | {"past": past},
    )  # fmt: skip


def drawn(board: Board) -> dict[str, object]:
    """What the parts of the overview are drawn from; the one file draws the same parts."""
    return {
        "board": board,
        "parts": summary.parts(board),
        "urgencies": summary.urgencies(board),
        "columns": summary.columns(board),
        "next_expiry": summary.next_expiry(board),
        "controls": {row.control: row for row in board.controls},
        "systems": names(board),
    }


def names(board: Board) -> dict[str, str]:
    """System → its name, also of those that no inventory holds."""
    return {row.system: row.name for row in summary.columns(board)}


def _standing(board: Board) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (part.name, Word(standing.value), number, part.total)
        for part in summary.parts(board)
        for standing, number in part.counts.items()
    ]
    return Table("standing", "Where controls stand", ("part", "standing", "controls", "of"),
                 tuple(rows), "No clause or control is loaded.", len(rows))  # fmt: skip


def _attention(board: Board) -> Table:
    entries = [a for urgency in summary.urgencies(board) for a in urgency.entries]
    columns = ("severity", "sentence", "action", "control", "system", "source", "item")
    return Table("attention", "What needs a person now", columns, tuple(map(_entry, entries)),
                 "Nothing on the list.", len(entries))  # fmt: skip


def _entry(entry: Attention) -> tuple[Cell, ...]:
    return (
        Word(entry.severity), entry.sentence, entry.action,
        Ref("controls", entry.control, entry.control), Ref("systems", entry.system, entry.system),
        Ref("sources", entry.source, entry.source), Ref("items", entry.item_id, entry.item_id),
    )  # fmt: skip


_SAME = "Every control stands where it stood a week ago."
_NOTHING_THEN = "A week ago nothing had been judged here: there is nothing to compare with."


def _moved(board: Board, past: Past) -> Table:
    """What stands otherwise than a week ago; what was not judged then is told as such."""
    then = past.stood
    rows = [row for row in board.controls
            if then and then.get(row.control, "") != row.standing.standing.value]  # fmt: skip
    cells: tuple[tuple[Cell, ...], ...] = tuple(
        (Ref("controls", row.control, row.number), row.title,
         Word(then.get(row.control, NOT_JUDGED)), Word(row.standing.standing.value),
         row.standing.why)
        for row in rows
    )  # fmt: skip
    return Table("changed", "Stands otherwise than a week ago",
                 ("control", "title", "a week ago", "now", "why"), cells,
                 _SAME if then else _NOTHING_THEN, len(cells))  # fmt: skip


def trend(past: Past) -> Table:
    """How many controls stood where, at each of the moments, as judged then."""
    words = [standing.value for standing in summary.WORST_FIRST]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (point.at, *(point.counts.get(word, 0) for word in words), point.unjudged, point.of)
        for point in past.points
    )
    return Table("trend", "Where controls stood", ("as judged by", *words, NOT_JUDGED, "of"), rows,
                 "Nothing was judged by then: `headwater freshness` keeps what it judges.",
                 len(rows))  # fmt: skip
