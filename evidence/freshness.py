"""Pure judgement: how fresh is what landed, and where does that leave a control.

Two clocks are read. The fact's own clock says how old the evidence is; the collector's heartbeat
(its last complete pull) says whether we would know of anything newer. Silence never looks fresh:
no data, an unreadable time, a partial pull or a dead collector are each named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from evidence.model import ControlId, Nature

ORGANISATION = ""
CLOCK_SKEW = timedelta(minutes=5)


class State(StrEnum):
    """Freshness of one kind of evidence for one control and system."""

    FRESH = "fresh"
    DUE = "due"
    STALE = "stale"
    RECOVERED = "recovered"
    UNKNOWN = "unknown"


class Standing(StrEnum):
    """What a control ends as. People decide conformity; this says what the evidence carries."""

    PROVED = "proved"
    ATTESTED = "attested"
    FAILED = "failed"
    STALE = "stale"
    MISSING = "missing"
    NEEDS_JUDGEMENT = "needs judgement"
    NOT_APPLICABLE = "not applicable"


class Scope(StrEnum):
    """Whom an expectation is asked of: every AI system, or the organisation once."""

    SYSTEM = "system"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Expectation:
    """That a control needs a kind of evidence, for whom, and not older than `max_age`.

    `warn_before` is how long before `fresh_until` the verdict turns to due; `stale_on` names the
    events after which older evidence no longer speaks, save what came at most `lead` before: a
    change is approved before it goes live. `silence` is how long a collector may be without a
    complete pull before its evidence is no longer believed. Raises ValueError.
    """

    control: ControlId
    evidence: str
    scope: Scope
    max_age: timedelta
    warn_before: timedelta
    silence: timedelta = timedelta(days=2)
    stale_on: tuple[str, ...] = ()
    source_types: tuple[str, ...] = ()
    collect: str = ""
    why: str = ""
    override: str = ""
    lead: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if not timedelta(0) <= self.warn_before < self.max_age:
            raise ValueError(
                f"{self.control} {self.evidence}: warn_before must be shorter than max_age"
            )


@dataclass(frozen=True, slots=True)
class Sighting:
    """What landed for one expectation and one system, folded as of one moment.

    `newest` is the end of the latest confirmed item's observed time, `item_id` that item;
    `failing` the ids of subjects whose latest item failed or erred, `failing_at` the latest of
    their times (None: it holds still); `heartbeat` the last complete
    pull of `source`; `unconfirmed` counts items that only a partial pull brought;
    `events` the latest start of each stale-on event for this system; `corrected` counts items that
    prove nothing because somebody corrected them; `overridden` are failures of which two people
    said that they are none, with the latest of their times and why.
    """

    newest: datetime | None = None
    nature: Nature = Nature.EVENT
    item_id: str = ""
    title: str = ""
    source: str = ""
    heartbeat: datetime | None = None
    failing: tuple[str, ...] = ()
    failing_at: datetime | None = None
    failing_why: str = ""
    count: int = 0
    unconfirmed: int = 0
    events: Mapping[str, datetime] = field(default_factory=dict)
    corrected: int = 0
    overridden: tuple[str, ...] = ()
    overridden_at: datetime | None = None
    overridden_why: str = ""


def together(seen: Sequence[Sighting], events: Mapping[str, datetime]) -> Sighting | None:
    """What is asked of the organisation once, from what landed for it and for each AI system.

    The freshest evidence counts, every failure counts, and `events` are those of all systems.
    None if nothing landed at all.
    """
    if not seen:
        return None
    dated = [sighting for sighting in seen if sighting.newest is not None]
    best = max(dated, key=_clock, default=seen[0])
    failing = [sighting for sighting in seen if sighting.failing]
    overridden = [sighting for sighting in seen if sighting.overridden]
    return replace(
        best,
        failing=tuple(item for sighting in failing for item in sighting.failing),
        failing_at=_latest([sighting.failing_at for sighting in failing]),
        failing_why="; ".join(sighting.failing_why for sighting in failing),
        count=sum(sighting.count for sighting in seen),
        unconfirmed=sum(sighting.unconfirmed for sighting in seen),
        events=events,
        corrected=sum(sighting.corrected for sighting in seen),
        overridden=tuple(item for sighting in overridden for item in sighting.overridden),
        overridden_at=_latest([sighting.overridden_at for sighting in overridden]),
        overridden_why="; ".join(sighting.overridden_why for sighting in overridden),
    )


def _latest(moments: Sequence[datetime | None]) -> datetime | None:
    """None among them means that it holds still, which is later than any moment."""
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None


def _clock(seen: Sighting) -> datetime:
    """The moment that a dated sighting ages from; a state without a heartbeat is the oldest."""
    clock = seen.heartbeat if seen.nature is Nature.STATE else seen.newest
    return clock or datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judged expectation: its state, until when, and one sentence why.

    `overridden` are the failures that would count, had not two people said that they are none.
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

    @property
    def in_date(self) -> bool:
        """Fresh enough to stand on: fresh, due or recovered."""
        return self.state in {State.FRESH, State.DUE, State.RECOVERED}


def judge(expectation: Expectation, system: str, seen: Sighting | None, now: datetime) -> Verdict:
    """The verdict on one expectation for one system at `now` (zone-aware). Never raises."""
    state, why, until = _state(expectation, seen or Sighting(), now)
    seen = seen or Sighting()
    failed = bool(seen.failing) and not _outlived(expectation, seen.failing_at, now)
    if failed:
        why = f"{seen.failing_why or 'the latest evidence reports a failure'}; {why}"
    overridden = () if _outlived(expectation, seen.overridden_at, now) else seen.overridden
    if overridden:
        why = f"{why}; {seen.overridden_why}"
    return Verdict(
        control=expectation.control, evidence=expectation.evidence, system=system, state=state,
        failed=failed, why=why, judged_at=now, fresh_until=until, newest=seen.newest,
        item_id=seen.failing[0] if failed else seen.item_id, source=seen.source, count=seen.count,
        overridden=overridden,
    )  # fmt: skip


def _outlived(expectation: Expectation, failed_at: datetime | None, now: datetime) -> bool:
    """A failure older than the age limit of what is asked says no more than old evidence does."""
    return failed_at is not None and failed_at + expectation.max_age <= now


def _state(
    expectation: Expectation, seen: Sighting, now: datetime
) -> tuple[State, str, datetime | None]:
    if seen.newest is None:
        return State.UNKNOWN, _nothing(expectation, seen), None
    if seen.newest > now + CLOCK_SKEW:
        return State.STALE, f"its time {_day(seen.newest)} lies in the future: not believed", None
    if seen.heartbeat is None:
        return State.UNKNOWN, f"{seen.source or 'its source'} never finished a complete pull", None
    clock = _clock(seen)
    until = clock + expectation.max_age
    overtaken = _overtaken(expectation, seen, clock)
    if overtaken:
        return State.STALE, overtaken, until
    if now >= until:
        return (
            State.STALE,
            f"last from {_day(clock)}, {_ago(now - until)} over its age limit",
            until,
        )
    if now - seen.heartbeat > expectation.silence:
        silent = _ago(now - seen.heartbeat)
        return State.UNKNOWN, f"{seen.source} has not finished a pull for {silent}", until
    if now >= until - expectation.warn_before:
        return State.DUE, f"from {_day(clock)}, due again by {_day(until)}", until
    return State.FRESH, f"from {_day(clock)}, good until {_day(until)}", until


def _nothing(expectation: Expectation, seen: Sighting) -> str:
    if seen.unconfirmed:
        return f"{seen.unconfirmed} items, but only from a pull that did not finish whole"
    if seen.corrected:
        return f"nothing that counts: {seen.corrected} items landed and were corrected"
    kinds = ", ".join(expectation.source_types)
    return f"nothing landed yet (expected from {kinds})" if kinds else "nothing landed yet"


def _overtaken(expectation: Expectation, seen: Sighting, clock: datetime) -> str:
    for event in expectation.stale_on:
        at = seen.events.get(event)
        if at is not None and at > clock + expectation.lead:
            name = event.replace("_", " ")
            return f"{name} on {_day(at)} came after the evidence of {_day(clock)}"
    return ""


@dataclass(frozen=True, slots=True)
class Attestation:
    """A person's signed statement for a control, in force from `at` until `until`."""

    control: ControlId
    by: str
    at: datetime
    until: datetime
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class ControlStanding:
    """Where a control stands, with its denominators: `in_date` of `expected` expectations.

    `overridden` counts the failures that two people said are none: it is shown beside the standing.
    """

    control: ControlId
    standing: Standing
    why: str
    in_date: int
    expected: int
    due: int = 0
    verdicts: tuple[Verdict, ...] = ()
    overridden: int = 0


def stand(
    control: ControlId,
    verdicts: Sequence[Verdict],
    now: datetime,
    *,
    attestation: Attestation | None = None,
    attestation_needed: bool = False,
    excluded: str = "",
) -> ControlStanding:
    """Fold a control's verdicts into its standing; the worst word wins and nothing is averaged.

    `excluded` is the Statement of Applicability's reason for leaving the control out.
    """
    standing, why = _standing(verdicts, now, attestation, attestation_needed, excluded)
    overridden = len({item for verdict in verdicts for item in verdict.overridden})
    return ControlStanding(
        control=control, standing=standing, expected=len(verdicts),
        why=f"{why}; {overridden_words(overridden)}" if overridden else why,
        in_date=sum(v.in_date and not v.failed for v in verdicts),
        due=sum(v.state is State.DUE for v in verdicts), verdicts=tuple(verdicts),
        overridden=overridden,
    )  # fmt: skip


def overridden_words(number: int) -> str:
    """What is said beside a standing that two people made better than its evidence."""
    return f"{number} failure{'s' if number > 1 else ''} overridden by two people"


def _standing(
    verdicts: Sequence[Verdict],
    now: datetime,
    attestation: Attestation | None,
    attestation_needed: bool,
    excluded: str,
) -> tuple[Standing, str]:
    if excluded:
        return Standing.NOT_APPLICABLE, excluded
    if bad := [v for v in verdicts if v.failed]:
        return Standing.FAILED, _first(bad)
    if old := [v for v in verdicts if v.state is State.STALE]:
        return Standing.STALE, _first(old)
    if absent := [v for v in verdicts if not v.in_date]:
        return Standing.MISSING, f"{len(absent)} of {len(verdicts)}: {_first(absent)}"
    if attestation is not None and attestation.at <= now < attestation.until:
        signed = f"{attestation.by} signed on {_day(attestation.at)}"
        word = Standing.PROVED if verdicts else Standing.ATTESTED
        return word, f"{_all(verdicts)}{signed}, until {_day(attestation.until)}"
    if attestation is not None and verdicts:
        return Standing.NEEDS_JUDGEMENT, f"the statement of {attestation.by} is out of date"
    if attestation_needed and verdicts:
        return Standing.NEEDS_JUDGEMENT, "evidence is in date; a person has yet to sign for it"
    if not verdicts:
        return Standing.MISSING, "nothing is expected of any source, and nobody signed for it"
    return Standing.PROVED, f"{_all(verdicts)}no signature needed"


def _all(verdicts: Sequence[Verdict]) -> str:
    return f"all {len(verdicts)} expectations in date; " if verdicts else ""


def _first(verdicts: Sequence[Verdict]) -> str:
    verdict = verdicts[0]
    about = f" for {verdict.system}" if verdict.system else ""
    more = f" (+{len(verdicts) - 1} more)" if len(verdicts) > 1 else ""
    return f"{verdict.evidence}{about}: {verdict.why}{more}"


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """What a heat map cell shows: failed, then stale, unknown, due, recovered, fresh."""
    order = [State.STALE, State.UNKNOWN, State.DUE, State.RECOVERED, State.FRESH]
    return min(verdicts, key=lambda v: (not v.failed, order.index(v.state)), default=None)


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")


def _ago(span: timedelta) -> str:
    if span >= timedelta(days=2):
        return f"{span.days} days"
    hours = int(span.total_seconds() // 3600)
    return f"{hours} hours" if hours >= 2 else f"{int(span.total_seconds() // 60)} minutes"
