"""One control: what it asks, has and lacks, since when, and what it speaks to elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dashboards.asked import Asked
from dashboards.detail import ControlFacts, FoundRow
from dashboards.model import Board, ControlRow
from dashboards.pages.cells import about, verdict_cells
from dashboards.pages.page import Head, Page, found
from dashboards.reads import Reads
from dashboards.tables import Cell, Code, Ref, Table, Word
from dashboards.text import lasting
from evidence.deadline import Kept

MOST = 50
"""Items on one page of a control."""


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
            _verdicts(board, row), _evidence(board, items, whole), _continuity(board, row),
            _gaps(board, row), _periods(board, row),
            _asks(facts), *_waivers(board, facts), _crosswalk(facts), *_elsewhere(board, row),
        ),
        values={"row": row, "facts": facts, "page_at": asked.page, "pages": -(-whole // MOST)},
    )  # fmt: skip


def _verdicts(board: Board, row: ControlRow) -> Table:
    columns = ("evidence", "of", "state", "why", "newest", "fresh until", "items", "source")
    rows = tuple(verdict_cells(board, verdict) for verdict in row.standing.verdicts)
    return Table("verdicts", "Evidence asked for", columns, rows,
                 "Nothing is asked of any source: a person signs.", len(rows))  # fmt: skip


def _continuity(board: Board, row: ControlRow) -> Table:
    """How many of the last closed months were without a gap, by age limits."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (Code(v.evidence), about(board, v.system), held.kept, held.months, len(held.gaps),
         held.since)
        for v in row.standing.verdicts if (held := v.continuity) is not None
    )  # fmt: skip
    columns = ("evidence", "of", "months without a gap", "months", "gaps", "looked at since")
    return Table("continuity", "Months without a gap", columns, rows,
                 "Nothing that it asks for by an age limit was ever known.", len(rows))  # fmt: skip


def _gaps(board: Board, row: ControlRow) -> Table:
    """Each stretch out of date stays on record, also where what came later covers it."""
    found = [
        (v, gap) for v in row.standing.verdicts if v.continuity is not None
        for gap in v.continuity.gaps
    ]  # fmt: skip
    found.sort(key=lambda one: one[1].began, reverse=True)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (gap.began, Code(v.evidence), about(board, v.system), gap.ended or "it lasts",
         lasting(gap.lasted(board.as_of)),
         f"{lasting(gap.filled)} of it, later" if gap.filled else None)
        for v, gap in found
    )  # fmt: skip
    return Table("gaps", "Gaps, newest first",
                 ("began", "evidence", "of", "ended", "lasted", "covered by what came"), rows,
                 "No gap since its evidence is known.", len(rows))  # fmt: skip


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
