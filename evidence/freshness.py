"""Pure judgement: how fresh is what landed, and where does that leave a control.

Two clocks are read. The fact's own clock says how old the evidence is; the collector's heartbeat
(its last complete pull) says whether we would know of anything newer. Silence never looks fresh:
no data, an unreadable time, a partial pull or a dead collector are each named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from evidence.ageing import State, aged, day, outlived
from evidence.asked import (
    CLOCK_SKEW,
    ORGANISATION,
    Expectation,
    Scope,
    Sighting,
    Special,
    Support,
    together,
)
from evidence.deadline import Met
from evidence.gaps import Continuity
from evidence.model import ControlId
from evidence.waiver import Waiver

__all__ = [
    "CLOCK_SKEW", "ORGANISATION", "Attestation", "ControlStanding", "Expectation", "Scope",
    "Sighting", "Special", "Standing", "State", "Support", "Verdict", "badness", "judge",
    "overridden_words", "stand", "together", "worst",
]  # fmt: skip


class Standing(StrEnum):
    """What a control ends as. People decide conformity; this says what the evidence carries."""

    PROVED = "proved"
    ATTESTED = "attested"
    FAILED = "failed"
    STALE = "stale"
    MISSING = "missing"
    WAIVED = "waived"
    NEEDS_JUDGEMENT = "needs judgement"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judged expectation: its state, until when, and one sentence why.

    `overridden` are the failures that would count, had not two people said that they are none;
    `history` are the closed periods of its deadline, the newest last; `continuity` the gaps by its
    age limit.
    """

    control: ControlId
    evidence: str
    system: str
    state: State
    failed: bool
    why: str
    judged_at: datetime
    fresh_until: datetime | None = None
    newest: datetime | None = None
    item_id: str = ""
    source: str = ""
    count: int = 0
    overridden: tuple[str, ...] = ()
    history: tuple[Met, ...] = ()
    continuity: Continuity | None = None

    @property
    def in_date(self) -> bool:
        """Fresh enough to stand on: fresh, due or recovered."""
        return self.state in {State.FRESH, State.DUE, State.RECOVERED}


def judge(
    expectation: Expectation, system: str, seen: Sighting | None, now: datetime,
    began: datetime | None = None,
) -> Verdict:  # fmt: skip
    """The verdict on one expectation for one system at `now` (zone-aware). Never raises.

    `began` is when the lake was begun: no deadline before that was missed by it.
    """
    seen = seen or Sighting()
    found = aged(expectation, seen, now, began)
    why = found.why
    failed = bool(seen.failing) and not outlived(expectation, seen.failing_at, now)
    if failed:
        why = f"{seen.failing_why or 'the latest evidence reports a failure'}; {why}"
    overridden = () if outlived(expectation, seen.overridden_at, now) else seen.overridden
    if overridden:
        why = f"{why}; {seen.overridden_why}"
    return Verdict(
        control=expectation.control, evidence=expectation.evidence, system=system,
        state=found.state, failed=failed, why=why, judged_at=now, fresh_until=found.until,
        newest=seen.newest, item_id=seen.failing[0] if failed else _behind(seen),
        source=seen.source, count=seen.count, overridden=overridden, history=found.history,
        continuity=found.continuity,
    )  # fmt: skip


def _behind(seen: Sighting) -> str:
    """The item that a verdict rests on; '' if none does."""
    return seen.support.item_id if seen.support else seen.item_id


@dataclass(frozen=True, slots=True)
class Attestation:
    """A person's signed statement for a control, in force from `at` until `until`."""

    control: ControlId
    by: str
    at: datetime
    until: datetime
    item_id: str = ""


_WAIVABLE = {Standing.WAIVED, Standing.MISSING, Standing.NEEDS_JUDGEMENT}


@dataclass(frozen=True, slots=True)
class ControlStanding:
    """Where a control stands, with its denominators: `in_date` of `expected` expectations.

    `overridden` counts the failures that two people said are none: it is shown beside the standing;
    `waived` the expectations not in date that somebody answers for.
    """

    control: ControlId
    standing: Standing
    why: str
    in_date: int
    expected: int
    due: int = 0
    verdicts: tuple[Verdict, ...] = ()
    overridden: int = 0
    waived: int = 0


def stand(
    control: ControlId,
    verdicts: Sequence[Verdict],
    now: datetime,
    *,
    attestation: Attestation | None = None,
    attestation_needed: bool = False,
    excluded: str = "",
    waivers: Sequence[Waiver] = (),
) -> ControlStanding:
    """Fold a control's verdicts into its standing; the worst word wins and nothing is averaged.

    `excluded` is the Statement of Applicability's reason for leaving the control out; `waivers` are
    those of this control, of which the ones in force count.
    """
    held = [waiver for waiver in waivers if waiver.in_force(now)]
    covered = [v for v in verdicts if not v.in_date and not v.failed and _covering(held, v)]
    if excluded:
        standing, why = Standing.NOT_APPLICABLE, excluded
    else:
        standing, why = _lacking(verdicts, covered) or _signed(
            verdicts, now, attestation, attestation_needed
        )
    if standing in _WAIVABLE and (waiver := _waiver(standing, covered, held)):
        standing, why = Standing.WAIVED, f"{waiver.sentence}; {why}"
    overridden = len({item for verdict in verdicts for item in verdict.overridden})
    return ControlStanding(
        control=control, standing=standing, expected=len(verdicts),
        why=f"{why}; {overridden_words(overridden)}" if overridden else why,
        in_date=sum(v.in_date and not v.failed for v in verdicts),
        due=sum(v.state is State.DUE for v in verdicts), verdicts=tuple(verdicts),
        overridden=overridden, waived=len(covered),
    )  # fmt: skip


def overridden_words(number: int) -> str:
    """What is said beside a standing that two people made better than its evidence."""
    return f"{number} failure{'s' if number > 1 else ''} overridden by two people"


def _lacking(
    verdicts: Sequence[Verdict], covered: Sequence[Verdict]
) -> tuple[Standing, str] | None:
    """What is wrong with the evidence, the worst first; what is covered comes last."""
    if bad := [v for v in verdicts if v.failed]:
        return Standing.FAILED, _first(bad, verdicts)
    left = [v for v in verdicts if v not in covered]
    if old := [v for v in left if v.state is State.STALE]:
        return Standing.STALE, _first(old, verdicts)
    if absent := [v for v in left if not v.in_date]:
        return Standing.MISSING, f"{len(absent)} of {len(verdicts)}: {_first(absent, verdicts)}"
    if covered:
        return Standing.WAIVED, f"{len(covered)} of {len(verdicts)}: {_first(covered, verdicts)}"
    return None


def _waiver(
    standing: Standing, covered: Sequence[Verdict], held: Sequence[Waiver]
) -> Waiver | None:
    """The waiver by which nothing else is wrong; for a missing signature one of the control."""
    if covered:
        return _covering(held, covered[0]) if standing is Standing.WAIVED else None
    return next((waiver for waiver in held if not waiver.evidence and not waiver.system), None)


def _covering(held: Sequence[Waiver], verdict: Verdict) -> Waiver | None:
    found = (waiver for waiver in held if waiver.covers(verdict.evidence, verdict.system))
    return next(found, None)


def _signed(
    verdicts: Sequence[Verdict], now: datetime, attestation: Attestation | None, needed: bool
) -> tuple[Standing, str]:
    """Where a control stands of which all evidence is in date."""
    if attestation is not None and attestation.at <= now < attestation.until:
        signed = f"{attestation.by} signed on {day(attestation.at)}"
        word = Standing.PROVED if verdicts else Standing.ATTESTED
        return word, f"{_all(verdicts)}{signed}, until {day(attestation.until)}"
    if attestation is not None and verdicts:
        return Standing.NEEDS_JUDGEMENT, f"the statement of {attestation.by} is out of date"
    if needed and verdicts:
        return Standing.NEEDS_JUDGEMENT, "evidence is in date; a person has yet to sign for it"
    if not verdicts:
        return Standing.MISSING, "nothing is expected of any source, and nobody signed for it"
    return Standing.PROVED, f"{_all(verdicts)}no signature needed"


def _all(verdicts: Sequence[Verdict]) -> str:
    return f"all {len(verdicts)} expectations in date; " if verdicts else ""


def _first(verdicts: Sequence[Verdict], asked: Sequence[Verdict]) -> str:
    """The first of them, and of how many AI systems that are asked for it so many lack it."""
    verdict = verdicts[0]
    about = f" for {verdict.system}" if verdict.system else ""
    whole, lack = (
        {v.system for v in many if v.system and v.evidence == verdict.evidence}
        for many in (asked, verdicts)
    )
    about += f" ({len(lack)} of {len(whole)} AI systems)" if len(whole) > 1 else ""
    more = f" (+{len(verdicts) - 1} more)" if len(verdicts) > 1 else ""
    return f"{verdict.evidence}{about}: {verdict.why}{more}"


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """What a heat map cell shows: failed, then stale, unknown, due, recovered, fresh."""
    return min(verdicts, key=badness, default=None)


_BADNESS = (State.STALE, State.UNKNOWN, State.DUE, State.RECOVERED, State.FRESH)


def badness(verdict: Verdict) -> tuple[bool, int]:
    """What sorts verdicts as `worst` does."""
    return not verdict.failed, _BADNESS.index(verdict.state)
