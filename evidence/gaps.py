"""Gaps: the stretches of time in which evidence was out of date, by what was known then.

Evidence covers the time from when it became known until it is over its age limit, or until an
event overtook it. What nothing covers is a gap. Whatever becomes known later leaves the gap on
record; how much of it would have been covered, had it been known, is told beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

MONTHS = 12
"""Closed calendar months that are looked back on."""
SHORTEST = timedelta(seconds=1)
"""Less is no gap: rows of one landing, such as an event and what was checked after it, bear times
that are microseconds apart."""


@dataclass(frozen=True, slots=True)
class Cover:
    """A stretch in which evidence was in date by this age limit (ISO 8601), as known then; `late`:
    in which it would have been, had it been known."""

    age: str
    starts: datetime
    ends: datetime
    late: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which nothing that was known was in date; `ended` None: it lasts.

    `filled` is how much of it is covered by what became known later.
    """

    began: datetime
    ended: datetime | None
    filled: timedelta

    def lasted(self, now: datetime) -> timedelta:
        """How long, until `now` at most."""
        return (self.ended or now) - self.began


@dataclass(frozen=True, slots=True)
class Continuity:
    """The gaps `since` the first evidence was known, or since the months that are looked back on
    began; in `kept` of these `months`, all of them over, there was none. Months are UTC's."""

    since: datetime
    months: int
    kept: int
    gaps: tuple[Gap, ...] = ()


def continuity(covers: Iterable[Cover], age: str, now: datetime) -> Continuity | None:
    """What these covers leave open until `now`; None where nothing was ever known."""
    ours = [one for one in covers if one.age == age and one.starts <= now]
    known = _stretches(one for one in ours if not one.late)
    if not known:
        return None
    late = _stretches(one for one in ours if one.late)
    starts = _months(now)
    since = max(starts[0], known[0][0])
    gaps = tuple(
        Gap(began, None if ended == now and known[-1][1] <= now else ended,
            _shared(late, began, ended))
        for began, ended in _between(known, since, now)
    )  # fmt: skip
    months = [(max(one, since), end) for one, end in pairwise(starts) if end > since]
    kept = sum(not any(_meets(gap, *month, now) for gap in gaps) for month in months)
    return Continuity(since, len(months), kept, gaps)


def joined(covers: Iterable[Cover]) -> tuple[Cover, ...]:
    """The same stretches in as few covers as may be, in order."""
    by: dict[tuple[str, bool], list[Cover]] = defaultdict(list)
    for one in covers:
        by[one.age, one.late].append(one)
    return tuple(
        Cover(age, *stretch, late) for (age, late), many in sorted(by.items())
        for stretch in _stretches(many)
    )  # fmt: skip


Stretch = tuple[datetime, datetime]


def _stretches(covers: Iterable[Cover]) -> list[Stretch]:
    found: list[Stretch] = []
    for starts, ends in sorted((one.starts, one.ends) for one in covers):
        if found and starts <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], ends)
        elif ends > starts:
            found.append((starts, ends))
    return found


def _between(known: Sequence[Stretch], since: datetime, now: datetime) -> Iterator[Stretch]:
    edges = [since, *(edge for stretch in known for edge in stretch), now]
    for began, ended in zip(edges[::2], edges[1::2], strict=True):
        if min(ended, now) - max(began, since) >= SHORTEST:
            yield max(began, since), min(ended, now)


def _shared(late: Sequence[Stretch], began: datetime, ended: datetime) -> timedelta:
    parts = (min(ends, ended) - max(starts, began) for starts, ends in late)
    return sum((part for part in parts if part > timedelta(0)), timedelta(0))


def _months(now: datetime) -> list[datetime]:
    """The beginnings of the months looked back on, and of the present one."""
    number = now.year * 12 + now.month - 1
    months = (divmod(number - ago, 12) for ago in range(MONTHS, -1, -1))
    return [datetime(year, month + 1, 1, tzinfo=UTC) for year, month in months]


def _meets(gap: Gap, starts: datetime, ends: datetime, now: datetime) -> bool:
    return gap.began < ends and (gap.ended or now) > starts
