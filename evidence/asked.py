"""What is asked of a control, and what landed of it: the two that a verdict is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from evidence.deadline import Arrival, Deadline
from evidence.duration import Span, shortest
from evidence.gaps import Cover
from evidence.model import ControlId, Nature

ORGANISATION = ""
CLOCK_SKEW = timedelta(minutes=5)


class Scope(StrEnum):
    """Whom an expectation is asked of: every AI system, or the organisation once."""

    SYSTEM = "system"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Special:
    """What is asked instead of the AI system named, or of all of one risk class; None: nothing."""

    system: str
    risk_class: str
    expectation: Expectation | None


@dataclass(frozen=True, slots=True)
class Expectation:
    """That a control needs a kind of evidence, for whom, and until when it is in date.

    `max_age` says how old it may be, `deadline` when it is due again; with both, what ends first
    counts. `warn_before` is how long before that the verdict turns to due; `stale_on` names the
    events after which older evidence no longer speaks, save what came at most `lead` before: a
    change is approved before it goes live. `silence` is how long a collector may be without a
    complete pull before its evidence is no longer believed. `special` is what is asked of some
    systems instead. Raises ValueError.
    """

    control: ControlId
    evidence: str
    scope: Scope
    max_age: Span | None
    warn_before: timedelta
    silence: timedelta = timedelta(days=2)
    stale_on: tuple[str, ...] = ()
    source_types: tuple[str, ...] = ()
    collect: str = ""
    why: str = ""
    override: str = ""
    lead: timedelta = timedelta(0)
    deadline: Deadline | None = None
    special: tuple[Special, ...] = ()

    def __post_init__(self) -> None:
        what = f"{self.control} {self.evidence}"
        if self.max_age is None and self.deadline is None:
            raise ValueError(f"{what}: needs a max_age or a deadline")
        longest = timedelta.max if self.max_age is None else shortest(self.max_age)
        if not timedelta(0) <= self.warn_before < longest:
            raise ValueError(f"{what}: warn_before must be shorter than max_age")

    def of(self, system: str, risk_class: str) -> Expectation | None:
        """What is asked of this AI system; None if it is asked nothing.

        What is said of it by name goes before what is said of its risk class. A system whose class
        nobody gave is in none.
        """
        for one in self.special:
            if one.system and one.system == system:
                return one.expectation
        for one in self.special:
            if not one.system and one.risk_class == risk_class:
                return one.expectation
        return self


@dataclass(frozen=True, slots=True)
class Support:
    """The newest item that only supports other evidence: it puts nothing in date alone."""

    item_id: str
    title: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """What landed for one expectation and one system, folded as of one moment.

    `newest` is the end of the latest confirmed item's observed time, `item_id` that item;
    `failing` the ids of subjects whose latest item failed or erred, `failing_at` the latest of
    their times (None: it holds still); `heartbeat` the last complete
    pull of `source`; `unconfirmed` counts items that only a partial pull brought;
    `events` the latest start of each stale-on event for this system; `corrected` counts items that
    prove nothing because somebody corrected them; `overridden` are failures of which two people
    said that they are none, with the latest of their times and why. `arrivals` are what served the
    periods of a deadline, `covers` the stretches in which it was in date. `support` is there only
    where nothing else speaks.
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
    arrivals: tuple[Arrival, ...] = ()
    covers: tuple[Cover, ...] = ()
    support: Support | None = None


def together(seen: Sequence[Sighting], events: Mapping[str, datetime]) -> Sighting | None:
    """What is asked of the organisation once, from what landed for it and for each AI system.

    The freshest evidence counts, every failure counts, and `events` are those of all systems.
    None if nothing landed at all.
    """
    if not seen:
        return None
    dated = [sighting for sighting in seen if sighting.newest is not None]
    best = max(dated, key=clock_of, default=seen[0])
    failing = [sighting for sighting in seen if sighting.failing]
    overridden = [sighting for sighting in seen if sighting.overridden]
    supports = [s.support for s in seen if s.support and not dated]
    return replace(
        best,
        support=max(supports, key=lambda one: (one.at, one.item_id), default=None),
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
        arrivals=tuple(arrival for sighting in seen for arrival in sighting.arrivals),
        covers=tuple(cover for sighting in seen for cover in sighting.covers),
    )


def _latest(moments: Sequence[datetime | None]) -> datetime | None:
    """None among them means that it holds still, which is later than any moment."""
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None


def clock_of(seen: Sighting) -> datetime:
    """The moment that a dated sighting ages from; a state without a heartbeat is the oldest."""
    clock = seen.heartbeat if seen.nature is Nature.STATE else seen.newest
    return clock or datetime.min.replace(tzinfo=UTC)
