"""The record of one attempt to pull a source (auditors: information produced by the entity)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from evidence.times import stamp

PULL_KIND = "headwater.pull"


class PullOutcome(StrEnum):
    """Only `complete` refreshes anything."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    BUSY = "busy"
    REFUSED = "refused"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be examined, as a value with its reason: never only a log line."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Total:
    """A control total: how many of `what` the source said there are, and how many came.

    `what` names the question (a project, an endpoint); the same one adds up over batches.
    """

    what: str
    promised: int
    received: int

    @property
    def short(self) -> int:
        """How many did not come; a surplus (the source grew while it was read) is none."""
        return max(0, self.promised - self.received)


@dataclass(frozen=True, slots=True)
class PullFacts:
    """What one batch (or, added up, one pull) asked for and got.

    `promised` is what the source said there would be (None: it does not say), `totals` the same
    for each question by itself, so that more of one does not hide less of another; `raw_sha256` the
    SHA-256 of each raw answer, in order; `states` the evidence kinds of which a whole snapshot was
    read, so that an unchanged state may be taken as seen.
    """

    pages: int = 0
    received: int = 0
    promised: int | None = None
    query: str = ""
    window_from: datetime | None = None
    window_to: datetime | None = None
    api_version: str = ""
    identity: str = ""
    raw_sha256: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    states: tuple[str, ...] = ()
    totals: tuple[Total, ...] = ()

    def __add__(self, other: PullFacts) -> PullFacts:
        return PullFacts(
            pages=self.pages + other.pages,
            received=self.received + other.received,
            promised=_sum(self.promised, other.promised),
            query=self.query or other.query,
            window_from=_least(self.window_from, other.window_from),
            window_to=_greatest(self.window_to, other.window_to),
            api_version=self.api_version or other.api_version,
            identity=self.identity or other.identity,
            raw_sha256=self.raw_sha256 + other.raw_sha256,
            gaps=self.gaps + other.gaps,
            states=tuple(dict.fromkeys(self.states + other.states)),
            totals=_together(self.totals + other.totals),
        )

    def shortfall(self) -> int:
        """How many promised rows did not come; 0 where nothing was promised."""
        whole = 0 if self.promised is None else max(0, self.promised - self.received)
        return max(whole, sum(total.short for total in self.totals))


def _sum(one: int | None, two: int | None) -> int | None:
    return None if one is None and two is None else (one or 0) + (two or 0)


def _together(totals: tuple[Total, ...]) -> tuple[Total, ...]:
    sums: dict[str, Total] = {}
    for one in totals:
        before = sums.get(one.what, Total(one.what, 0, 0))
        sums[one.what] = Total(
            one.what, before.promised + one.promised, before.received + one.received
        )
    return tuple(sums.values())


def _least(one: datetime | None, two: datetime | None) -> datetime | None:
    return min((t for t in (one, two) if t is not None), default=None)


def _greatest(one: datetime | None, two: datetime | None) -> datetime | None:
    return max((t for t in (one, two) if t is not None), default=None)


@dataclass(frozen=True, slots=True)
class Pull:
    """One attempt, whatever came of it. `settings` are the collector's, without secrets.

    `hidden` counts the values that were hidden at landing, by why; `redaction` is the digest of the
    rules that said so.
    """

    pull_id: str
    source: str
    collector: str
    started_at: datetime
    finished_at: datetime
    outcome: PullOutcome
    facts: PullFacts
    items: int
    settings: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    code_version: str = ""
    cursor_before: str = ""
    cursor_after: str = ""
    backfill: bool = False
    hidden: Mapping[str, int] = field(default_factory=dict)
    redaction: str = ""

    def payload(self) -> dict[str, Any]:
        """The record as JSON-like values, times as text: what lands in the lake."""
        facts = {f.name: getattr(self.facts, f.name) for f in fields(self.facts)}
        facts["gaps"] = [{"what": gap.what, "why": gap.why} for gap in self.facts.gaps]
        facts["raw_sha256"] = list(self.facts.raw_sha256)
        facts["states"] = list(self.facts.states)
        facts["totals"] = [
            {"what": one.what, "promised": one.promised, "received": one.received}
            for one in self.facts.totals
        ]
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "facts"}
        own["hidden"] = dict(self.hidden)
        record = own | facts | {"outcome": self.outcome.value}
        return {k: stamp(v) if isinstance(v, datetime) else v for k, v in record.items()}
