"""The board cut to a reader's excerpt: what was judged, without what is of others."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dashboards.model import Attention, Board, ControlRow, ItemPage, LakeFacts, about_draft
from evidence.excerpt import Excerpt
from evidence.freshness import ControlStanding, State, Verdict


def cut(
    board: Board, excerpt: Excerpt, *, evidence: Mapping[str, tuple[str, ...]],
    items: Mapping[str, ItemPage], totals: Mapping[str, int], number: int,
) -> Board:  # fmt: skip
    """The part of the board that the excerpt shows.

    What speaks of the whole (sources, the queue, other frameworks) is left out. `evidence`,
    `items`, `totals` and `number` are of the items in the excerpt, from a connection cut to it.
    """
    # Built anew, never by replace: what a board will hold one day is left out until it is cut too.
    return Board(
        organisation=board.organisation,
        as_of=board.as_of,
        built_at=board.built_at,
        controls=tuple(
            _control(row, excerpt)
            for row in board.controls
            if _among(row.control, excerpt.controls)
        ),
        systems=tuple(row for row in board.systems if _among(row.system, excerpt.systems)),
        sources=(),
        attention=tuple(one for one in board.attention if _concerns(one, excerpt)),
        lake=LakeFacts(
            items=number, version=board.lake.version, ledger_size=board.lake.ledger_size,
            ledger_root=board.lake.ledger_root, ledger_origin=board.lake.ledger_origin, untagged=0,
            mapping_digest=board.lake.mapping_digest, shown=board.lake.shown,
            result=board.lake.result,
        ),
        evidence=evidence,
        items=items,
        evidence_total=totals,
        excerpt=excerpt.sentence,
        late=board.late,
    )  # fmt: skip


def _control(row: ControlRow, excerpt: Excerpt) -> ControlRow:
    return ControlRow(
        control=row.control, framework=row.framework, number=row.number, title=row.title,
        group=row.group, summary=row.summary, standing=standing_of(row.standing, excerpt),
        attestation_needed=row.attestation_needed, owner=row.owner,
        overrides=tuple(
            one for one in row.overrides if not one.system or _among(one.system, excerpt.systems)
        ),
    )  # fmt: skip


def standing_of(whole: ControlStanding, excerpt: Excerpt) -> ControlStanding:
    """A standing without a word of other systems than the excerpt's.

    Where it stands is said of all systems: of some alone it could look better than it is.
    """
    if excerpt.systems is None:
        return whole
    verdicts = tuple(v for v in whole.verdicts if v.system in excerpt.systems)
    in_date = sum(v.in_date and not v.failed for v in verdicts)
    why = (
        f"{in_date} of {len(verdicts)} expectations of what is shown are in date; the "
        "word is that of all systems together"
    )
    return ControlStanding(
        whole.control, whole.standing, why, in_date, len(verdicts),
        sum(v.state is State.DUE for v in verdicts), verdicts, _overridden(verdicts),
    )  # fmt: skip


def _overridden(verdicts: Collection[Verdict]) -> int:
    return len({item for verdict in verdicts for item in verdict.overridden})


def _concerns(one: Attention, excerpt: Excerpt) -> bool:
    """Whether it is about what is shown and nothing else: its sentence may name all it is about."""
    if about_draft(one):
        return False
    controls = {*one.controls, *filter(None, (one.control,))}
    if excerpt.controls is not None and not (controls and controls <= set(excerpt.controls)):
        return False
    return excerpt.systems is None or (bool(one.system) and one.system in excerpt.systems)


def _among(value: str, shown: Collection[str] | None) -> bool:
    return shown is None or value in shown
