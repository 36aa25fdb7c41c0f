"""How far a control in date carries a requirement elsewhere: by the weakest link, never by sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from evidence.freshness import ControlStanding, Standing
from evidence.model import ControlId
from mappings.frameworks import Framework, Relation, Row

REVIEW_HOLDS = timedelta(days=366)
"""Editions and laws change: a review is a person's word of that day, as an attestation is."""


_LACKS = {
    Standing.FAILED: "failed",
    Standing.STALE: "stale",
    Standing.MISSING: "without evidence",
    Standing.WAIVED: "waived for a time",
    Standing.NEEDS_JUDGEMENT: "not signed for",
    Standing.NOT_APPLICABLE: "left out as not applicable",
}


class Reach(StrEnum):
    """What today's evidence carries of a requirement. Parts are never added up to a whole."""

    WHOLE = "whole"
    PART = "part"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Link:
    """One row with where its control stands; `lacks` says what keeps it from carrying the whole."""

    row: Row
    standing: Standing
    reach: Reach
    lacks: str = ""

    @property
    def fails(self) -> bool:
        """Whether the control failed: then something that the requirement asks may have, too."""
        return self.standing is Standing.FAILED


@dataclass(frozen=True, slots=True)
class Carried:
    """What the evidence for ISO/IEC 42001 carries of one requirement, and what stays open."""

    requirement: str
    group: str
    reach: Reach
    links: tuple[Link, ...]
    open: str

    @property
    def failing(self) -> tuple[ControlId, ...]:
        """The controls that speak to it and failed."""
        return tuple(link.row.control for link in self.links if link.fails)


def carry(
    framework: Framework, standings: Mapping[ControlId, ControlStanding], on: date
) -> Iterator[Carried]:
    """Every requirement of the framework, in its order, as of a day."""
    for name, group in framework.requirements.items():
        links = tuple(
            _link(row, standings[row.control].standing, on)
            for row in framework.rows_of(name)
            if _relation(row) is not Relation.NONE
        )
        reach = _reach(links)
        yield Carried(name, group, reach, links, _open(framework, name, reach, links))


def _relation(row: Row) -> Relation:
    return row.review.relation if row.review else row.relation


def _link(row: Row, standing: Standing, on: date) -> Link:
    if standing in _LACKS:
        return Link(row, standing, Reach.OPEN, _LACKS[standing])
    lacks = next(_short_of_whole(row, standing, on), "")
    return Link(row, standing, Reach.PART if lacks else Reach.WHOLE, lacks)


def _short_of_whole(row: Row, standing: Standing, on: date) -> Iterator[str]:
    relation = _relation(row)
    if not relation.whole:
        yield "a part of it only" if relation is Relation.SUBSET else "has a part in common with it"
    if row.review is None:
        yield "said to cover it, which nobody here reviewed"
    elif row.review.on > on:
        yield f"reviewed on {row.review.on}, a day to come"
    elif on - row.review.on > REVIEW_HOLDS:
        yield f"reviewed on {row.review.on}, which is over a year ago"
    if standing is Standing.ATTESTED:
        yield "rests on a signature alone"


def _reach(links: tuple[Link, ...]) -> Reach:
    """The best single link; with a failed control beside it, at most a part."""
    if any(link.reach is Reach.WHOLE for link in links):
        return Reach.PART if any(link.fails for link in links) else Reach.WHOLE
    return Reach.PART if any(link.reach is Reach.PART for link in links) else Reach.OPEN


def _open(framework: Framework, name: str, reach: Reach, links: tuple[Link, ...]) -> str:
    """What stays open of a requirement; empty where nothing does."""
    if reach is Reach.WHOLE:
        return ""
    outside = framework.outside.get(name, "")
    if not links:
        return outside or "no control of ISO/IEC 42001 speaks to it"
    lacking: dict[str, list[str]] = {}
    for link in sorted(links, key=lambda link: (link.reach is Reach.PART, link.standing)):
        lacking.setdefault(link.lacks, []).append(link.row.control.partition(":")[2])
    told = [f"{what}: {', '.join(numbers)}" for what, numbers in lacking.items() if what]
    rest = ["what else it asks is not shown"] if reach is Reach.PART else []
    return "; ".join([*told, *rest, *([outside.rstrip(".")] if outside else [])])
