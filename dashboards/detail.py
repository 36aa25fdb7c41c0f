"""What single pages show beside the board, as frozen values: flows/ assembles it when asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta


@dataclass(frozen=True, slots=True)
class AskRow:
    """One kind of evidence that a control asks for: of whom, how long it counts and why.

    `others` says what is asked of some systems instead; `unfilled` why nothing can fill it.
    """

    evidence: str
    whose: str
    counts: str
    collect: str
    rules: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    unfilled: str = ""


@dataclass(frozen=True, slots=True)
class CrossRow:
    """That the control speaks to a requirement elsewhere, by whose word."""

    framework: str
    title: str
    requirement: str
    relation: str
    confidence: str
    sources: tuple[str, ...]
    reviewed_by: str = ""
    reviewed_on: date | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class WaiverRow:
    """That a person answers for what a control lacks; `evidence` and `system` '' are all."""

    owner: str
    reason: str
    at: datetime
    until: datetime
    evidence: str
    system: str
    item_id: str


@dataclass(frozen=True, slots=True)
class FoundRow:
    """An item that speaks to a control, taken for these kinds of evidence."""

    item_id: str
    source: str
    kind: str
    system: str
    subject: str
    title: str
    outcome: str
    observed_to: datetime
    landed_at: datetime
    taken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ControlFacts:
    """A control beside its standing. `laws` and `kept` are sentences: by when to tell whom, and how
    long its kinds of items are kept and should be; `documents` what must be written down. `waivers`
    None: they are not shown to this reader."""

    guidance: str = ""
    asks: tuple[AskRow, ...] = ()
    waivers: tuple[WaiverRow, ...] | None = ()
    crosswalk: tuple[CrossRow, ...] = ()
    documents: tuple[str, ...] = ()
    laws: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One landed item in its place of a life cycle; `at` None where no time is known."""

    stage: str
    title: str
    at: datetime | None
    who: str
    outcome: str
    item_id: str


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """An edge that should be there: at which stage, what is missing, and why."""

    check: str
    stage: str
    about: str
    missing: str
    why: str
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """The life of an AI system: stage → how many nodes, the newest of them, and what is broken."""

    stages: Mapping[str, int]
    nodes: tuple[NodeRow, ...]
    broken: tuple[BrokenRow, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """How many controls stood where at a moment, as judged then, of how many of today's."""

    at: datetime
    counts: Mapping[str, int]
    of: int

    @property
    def unjudged(self) -> int:
        """How many of today's controls had not been judged by then."""
        return self.of - sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Past:
    """Where controls stood: at `points`, `step` apart and oldest first; and at `since`, by id."""

    points: tuple[Point, ...]
    step: timedelta
    since: datetime
    stood: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MovedRow:
    """What stands otherwise than before. `control` is '' where `what` is none."""

    what: str
    control: str
    before: str
    after: str
    why: str
    worse: bool


@dataclass(frozen=True, slots=True)
class LandedRow:
    """What landed between two moments, of one source and kind."""

    source: str
    kind: str
    landed: int
    changed: int
    gone: int
    failing: int


@dataclass(frozen=True, slots=True)
class Changes:
    """All that differs from one moment to another; both as `--as-of` takes them."""

    since: str
    until: str
    controls: tuple[MovedRow, ...]
    verdicts: tuple[MovedRow, ...]
    landed: tuple[LandedRow, ...]
    systems: tuple[str, ...]
    mapping: tuple[str, ...]
    decided: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EndRow:
    """Something other than evidence that ends or begins on a day: `what` is signature, waiver or
    law."""

    on: date
    what: str
    sentence: str
    control: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One landed version, or result, of a subject."""

    item_id: str
    change: str
    outcome: str
    title: str
    observed_to: datetime
    landed_at: datetime
