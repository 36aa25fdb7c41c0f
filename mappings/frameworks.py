"""Other frameworks beside ISO/IEC 42001: their requirements, and which controls speak to them.

A row is somebody's judgement, with its source. It counts in full only once a named person of the
organisation has looked at it (`reviews`): who wrote the row is a stranger to what is asked there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from evidence.model import ControlId

CONFIDENCES = ("high", "medium", "low")
RATIONALES = ("semantic", "functional", "syntactic")
COVERAGES = ("none", "weak")


class Relation(StrEnum):
    """What the control is to the requirement, as sets of what each asks (NIST IR 8477, OSCAL)."""

    EQUAL = "equal-to"
    EQUIVALENT = "equivalent-to"
    SUBSET = "subset-of"
    SUPERSET = "superset-of"
    INTERSECTS = "intersects-with"
    NONE = "no-relationship"

    @property
    def whole(self) -> bool:
        """Whether the control asks all that the requirement asks."""
        return self in {Relation.EQUAL, Relation.EQUIVALENT, Relation.SUPERSET}


@dataclass(frozen=True, slots=True)
class Review:
    """That a person looked at a row, and what they say the relation is."""

    by: str
    on: date
    relation: Relation
    why: str


@dataclass(frozen=True, slots=True)
class Row:
    """That a control speaks to a requirement; `review` is the last one, None if there is none."""

    control: ControlId
    requirement: str
    relation: Relation
    rationale: str
    confidence: str
    sources: tuple[str, ...]
    note: str = ""
    review: Review | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """That a control has no counterpart in a framework (`none`), or a `weak` one, and why."""

    control: ControlId
    coverage: str
    note: str


@dataclass(frozen=True, slots=True)
class LegalDate:
    """From when something of the framework applies, as `source` says.

    `moved_from` is the date that older texts give; None where it never was another.
    """

    on: date
    what: str
    articles: str
    source: str
    moved_from: date | None = None

    @property
    def sentence(self) -> str:
        """What applies from when, and whether it was another day once."""
        was = f"; moved from {self.moved_from}" if self.moved_from else ""
        return f"from {self.on}: {self.what} ({self.articles}{was})"


@dataclass(frozen=True, slots=True)
class Framework:
    """`requirements` maps each id to its group, in the framework's order.

    `outside` says of requirements what no control of ISO/IEC 42001 can give.
    """

    id: str
    title: str
    short: str
    edition: str
    rights: str
    requirements: Mapping[str, str]
    rows: tuple[Row, ...]
    outside: Mapping[str, str]
    gaps: tuple[Gap, ...]
    dates: tuple[LegalDate, ...]

    def rows_of(self, requirement: str) -> tuple[Row, ...]:
        """The rows that speak to a requirement."""
        return tuple(row for row in self.rows if row.requirement == requirement)
