"""Reading one merged change after the other, and going on where one cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from collectors._review.host import Host, absent
from collectors._review.pull import Making
from collectors._review.walk import Seen
from evidence.errors import SourceBusy, SourceRefused
from evidence.model import EvidenceItem
from evidence.runs import Gap

_FAILING = 500


@dataclass(frozen=True, slots=True)
class Readings:
    """What came of reading some changes: `held` is the earliest that could not be read."""

    items: tuple[EvidenceItem, ...]
    gaps: tuple[Gap, ...]
    held: datetime | None


def readings(host: Host, made: Making, chunk: Sequence[Seen]) -> Readings:
    """One change that the host chokes on, or does not show, is a gap and does not stop the rest;
    two failures in a row are the host's own trouble, and stop all. Raises SourceError."""
    items, gaps, held = [], [], None
    failing = False
    for one in chunk:
        try:
            items.append(host.merged(made.repository, one.number).item(made))
            failing = False
        except (SourceBusy, SourceRefused) as error:
            ill = isinstance(error, SourceBusy) and error.status >= _FAILING and not failing
            if not ill and not absent(error):
                raise
            failing = ill
            gaps.append(Gap(f"{made.repository.name}#{one.number}", str(error)))
            held = min(held or one.updated, one.updated)
    return Readings(tuple(items), tuple(gaps), held)
