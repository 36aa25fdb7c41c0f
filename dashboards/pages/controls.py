"""The controls: all of them under filters, and each with what it asks, has and lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dashboards import summary
from dashboards.asked import Asked
from dashboards.detail import ControlFacts, FoundRow
from dashboards.model import Board, ControlRow
from dashboards.pages.overview import names
from dashboards.pages.page import Facet, Head, Page, facet, found
from dashboards.reads import Reads
from dashboards.tables import Cell, Code, Ref, Table, Word
from dashboards.text import lasting, many
from evidence.deadline import Kept
from evidence.freshness import ORGANISATION, Verdict

FILTERS = ("state", "owner", "system", "framework")
NOBODY = "nobody"
"""The owner of a control that has none."""
LEAD = (
    "Where each clause and control stands. The worst verdict on the evidence that it asks for "
    "decides; nothing is averaged."
)
MOST = 50
"""Items on one page of a control."""


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
    only = len(numbered) == 1
    row = numbered[0] if only else found(board.controls, key, lambda one: one.control)
    facts = reads.control(row.control, asked.as_of)
    items = reads.found(row.control, (asked.page - 1) * MOST, MOST, asked.as_of)
    if asked.page > 1 and not items:
        raise LookupError(f"{key} page {asked.page}")
    whole = board.evidence_total.get(row.control, len(items))
    return Page(
        Head.of(board), f"{row.number} {row.title}", row.summary, "control.html",
        tables=(
            _verdicts(board, row), _periods(board, row), _evidence(board, items, whole),
            _asks(facts), *_waivers(board, facts), _crosswalk(facts), *_elsewhere(board, row),
        ),
        values={"row": row, "facts": facts, "page_at": asked.page, "pages": -(-whole // MOST)},
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
        Ref("items", verdict.item_id, many(verdict.count or 1, "item"))
        if verdict.item_id else None,
        Ref("sources", verdict.source, verdict.source) if verdict.source else None,
    )  # fmt: skip


def about(board: Board, system: str) -> Cell:
    """A system by its name; the organisation has no page of its own."""
    if system == ORGANISATION:
        return "Organisation"
    return Ref("systems", system, names(board).get(system, system))


def _periods(board: Board, row: ControlRow) -> Table:
    """Each closed period of each deadline: a missed one stays on record."""
    told = [
        (Code(v.evidence), about(board, v.system), met.period.due, Word(met.kept.value), met.known,
         lasting(met.late) if met.kept is not Kept.ON_TIME else None)
        for v in row.standing.verdicts for met in reversed(v.history)
    ]  # fmt: skip
    cells: tuple[tuple[Cell, ...], ...] = tuple(told)
    return Table("periods", "Periods of its deadlines, newest first",
                 ("evidence", "of", "due", "kept", "known from", "late by"), cells,
                 "No deadline of it has closed a period.", len(cells))  # fmt: skip


def _evidence(board: Board, items: Sequence[FoundRow], whole: int) -> Table:
    columns = ("item", "outcome", "taken for", "kind", "of", "happened", "landed", "source")
    rows = tuple(_item(board, one) for one in items)
    return Table("evidence", "Evidence, newest first", columns, rows,
                 "No item speaks to it.", whole)  # fmt: skip


def _item(board: Board, one: FoundRow) -> tuple[Cell, ...]:
    return (
        Ref("items", one.item_id, one.title or one.subject), Word(one.outcome),
        tuple(Code(name) for name in one.taken), Code(one.kind), about(board, one.system),
        one.observed_to, one.landed_at, Ref("sources", one.source, one.source),
    )  # fmt: skip


def _asks(facts: ControlFacts) -> Table:
    columns = ("evidence", "of", "what", "how long it counts", "otherwise for", "rules",
               "nothing can fill it")  # fmt: skip
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (Code(one.evidence), one.whose, one.collect, one.counts, one.others or None,
         tuple(Code(name) for name in one.rules) or None, one.unfilled or None)
        for one in facts.asks
    )  # fmt: skip
    return Table("asks", "What it asks for, and which rules speak to it", columns, rows,
                 "It asks nothing of any source.", len(rows))  # fmt: skip


def _waivers(board: Board, facts: ControlFacts) -> Iterator[Table]:
    if facts.waivers is None:
        return
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (Ref("items", one.item_id, one.owner) if one.item_id else one.owner, one.reason, one.at,
         one.until, Word("waived" if one.at <= board.as_of < one.until else "over"),
         Code(one.evidence) if one.evidence else "all",
         about(board, one.system) if one.system else "all")
        for one in facts.waivers
    )  # fmt: skip
    yield Table("waivers", "Waivers", ("owner", "reason", "from", "until", "state", "evidence",
                 "system"), rows, "Nothing of it is waived.", len(rows))  # fmt: skip


def _crosswalk(facts: ControlFacts) -> Table:
    columns = ("framework", "requirement", "relation", "confidence", "by", "reviewed", "note")
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (Ref("frameworks", one.framework, one.title), one.requirement, one.relation,
         one.confidence, one.sources,
         (one.reviewed_by, one.reviewed_on) if one.reviewed_on else "not reviewed here",
         one.note or None)
        for one in facts.crosswalk
    )  # fmt: skip
    return Table("crosswalk", "What it speaks to elsewhere, by whose word", columns, rows,
                 "No row says that it speaks to another framework.", len(rows))  # fmt: skip


def _elsewhere(board: Board, row: ControlRow) -> Iterator[Table]:
    if board.excerpt:  # a board that was cut holds no other framework
        return
    columns = ("framework", "requirement", "carried", "what stays open")
    rows = tuple(
        (Ref("frameworks", known.framework, known.title), one.requirement, Word(one.reach),
         one.open or None)
        for known in board.frameworks for one in known.requirements
        if row.control in {*one.by, *one.failing}
    )  # fmt: skip
    yield Table("elsewhere", "Requirements elsewhere that it carries, or fails", columns, rows,
                 "It carries nothing of another framework today.", len(rows))  # fmt: skip
