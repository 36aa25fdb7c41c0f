"""Deadlines with memory: which period each piece of evidence served, on time, late or not at all.

A period ends when something is due, and closes when its grace is over. Evidence serves the period
that its time lies in, and no other; the grace is for it to become known. What becomes known after
the period closed closes the gap, but the period stays late for ever.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Protocol

HISTORY = 12
"""Closed periods that are looked back on: a year of months."""


class Clock(StrEnum):
    """By which time evidence finds its period: that of the fact, or of its landing."""

    OBSERVED = "observed"
    LANDED = "landed"


class Deadline(Protocol):
    """When something is due again and again. All moments are in UTC."""

    @property
    def since(self) -> datetime | None:
        """From when it is asked; None: since the lake began."""

    @property
    def clock(self) -> Clock:
        """The time that decides which period evidence speaks for."""

    def after(self, moment: datetime, most: int) -> tuple[datetime, ...]:
        """The first `most` dues later than `moment`, in order."""

    def until(self, moment: datetime, most: int) -> tuple[datetime, ...]:
        """The last `most` dues not later than `moment`, in order."""

    def closes(self, due: datetime) -> datetime:
        """When the grace of a due is over."""

    def told(self, moment: datetime) -> str:
        """A moment for people, by the clock of the deadline's zone."""


class Kept(StrEnum):
    """How a period ended, or that it has not."""

    ON_TIME = "on time"
    LATE = "late"
    MISSING = "missing"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Period:
    """Evidence later than `opens` and not later than `ends` serves it; it is `due` at the end, and
    `closes` when its grace is over."""

    opens: datetime
    ends: datetime
    due: datetime
    closes: datetime


@dataclass(frozen=True, slots=True)
class Arrival:
    """A piece of evidence: the time that says which period it speaks for, and when it was known."""

    at: datetime
    known: datetime


@dataclass(frozen=True, slots=True)
class Met:
    """A period and when evidence for it became known (None: not yet), as of `now`."""

    period: Period
    known: datetime | None
    now: datetime

    @property
    def kept(self) -> Kept:
        """On time if it was known before the period closed."""
        if self.known is not None:
            return Kept.LATE if self.known >= self.period.closes else Kept.ON_TIME
        return Kept.MISSING if self.now >= self.period.closes else Kept.OPEN

    @property
    def late(self) -> timedelta:
        """How long after its due it was known, or has been missing."""
        return max((self.known or self.now) - self.period.due, timedelta(0))

    @property
    def closed(self) -> bool:
        """Whether its grace is over."""
        return self.now >= self.period.closes


def periods(deadline: Deadline, began: datetime | None, now: datetime) -> tuple[Period, ...]:
    """The last closed periods that were asked for, and all that are open until the next two dues.

    A period is asked for if its due lies after `deadline.since`, or `began` where that is None. By
    the clock of landing, evidence serves a period until it closes: it is known when it lands.
    """
    start = deadline.since or began
    dues = (*deadline.until(now, HISTORY + 3), *deadline.after(now, 2))
    landed = deadline.clock is Clock.LANDED
    ends = [deadline.closes(due) for due in dues] if landed else dues
    made = [
        Period(opens, end, due, deadline.closes(due))
        for (opens, end), due in zip(pairwise(ends), dues[1:], strict=True)
    ]
    asked = [period for period in made if start is None or period.due > start]
    closed = sum(period.closes <= now for period in asked)
    return tuple(asked[max(0, closed - HISTORY) :])


def met(asked: Sequence[Period], arrivals: Iterable[Arrival], now: datetime) -> tuple[Met, ...]:
    """For each of consecutive periods when it was served first, by what was known by `now`."""
    ends = [period.ends for period in asked]
    known: list[datetime | None] = [None] * len(asked)
    for arrival in sorted(arrivals, key=lambda one: one.known):
        place = bisect_left(ends, arrival.at)
        inside = place < len(asked) and arrival.at > asked[place].opens and arrival.known <= now
        if inside and known[place] is None:
            known[place] = arrival.known
    return tuple(Met(period, at, now) for period, at in zip(asked, known, strict=True))
