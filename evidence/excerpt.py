"""The part of a lake that somebody is shown, where it is not all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from evidence.times import stamp


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is shown: of these AI systems, for these controls, of this period; None: of all.

    The system `''` is the organisation itself. Of a period is what was observed at some time from
    `since` (included) to `until` (not).
    """

    systems: tuple[str, ...] | None = None
    controls: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def limited(self) -> bool:
        """Whether anything is left out."""
        return self != EVERYTHING

    @property
    def sentence(self) -> str:
        """For people: what is shown."""
        return "; ".join(self._told()) or "everything"

    def _told(self) -> Iterator[str]:
        if self.systems is not None:
            named = (system or "the organisation itself" for system in self.systems)
            yield f"of AI systems only {', '.join(named) or 'none'}"
        if self.controls is not None:
            yield f"for controls only {', '.join(self.controls) or 'none'}"
        if self.since or self.until:
            begin = stamp(self.since) if self.since else "the beginning"
            end = stamp(self.until) if self.until else "now"
            yield f"only what was observed from {begin} to {end}"


EVERYTHING = Excerpt()
