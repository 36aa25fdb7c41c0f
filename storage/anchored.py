"""What the timestamps show of the lake's own clock: nothing was dated back or ahead."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from cryptography.x509 import Certificate

from evidence.freshness import CLOCK_SKEW
from evidence.times import stamp
from storage.clocks import Landing
from storage.note import VerifierKey
from storage.place import Place
from storage.survey import Finding
from storage.timestamps import Stamped, stamps, timestamp_sizes

PATIENCE = timedelta(days=2)
"""Items that were not stamped within this are named: nothing outside shows how old they are."""


def examine_timestamps(
    lake: Place,
    key: VerifierKey,
    roots: Sequence[Certificate] | None,
    landings: Sequence[Landing],
    sealed: int,
    now: datetime | None,
) -> Iterator[Finding]:
    """What is wrong with the stored timestamps, and until when the lake is anchored (a note).

    `roots` None: no authority is configured; then timestamps that lie there are a note. `now` None:
    the age of what is not stamped is counted to the newest landing.
    """
    if roots is None:
        if there := len(timestamp_sizes(lake)):
            told = f"{there} timestamps were not checked: give the authority's --roots"
            yield Finding("timestamp", told, fatal=False)
        return
    bad = list[str]()
    found = list(stamps(lake, key, roots, bad.append))
    yield from (Finding("timestamp", sentence) for sentence in bad)
    times = _Times.of(landings)
    for finding in (disorder(found), _future(found, times), _dated_back(found, times)):
        if finding:
            yield finding
    yield from _late(found, times)
    yield from _reach(found, times, sealed, now)


@dataclass(frozen=True, slots=True)
class _Times:
    """When items say they landed, by leaf: asked for each timestamp, answered in O(log n)."""

    landings: Sequence[Landing]
    newest_until: Sequence[datetime]
    oldest_from: Sequence[datetime]

    @classmethod
    def of(cls, landings: Sequence[Landing]) -> _Times:
        newest = list(accumulate((one.last for one in landings), max))
        oldest = list(accumulate((one.first for one in reversed(landings)), min))
        return cls(landings, newest, oldest[::-1])

    def newest(self, size: int) -> datetime | None:
        """The latest landing among the first `size` leaves."""
        place = bisect_right(self.landings, size, key=lambda one: one.end)
        return self.newest_until[place - 1] if place else None

    def oldest(self, size: int) -> datetime | None:
        """The earliest landing among the leaves from `size` on."""
        place = bisect_left(self.landings, size, key=lambda one: one.leaf)
        return self.oldest_from[place] if place < len(self.landings) else None


def disorder(found: Sequence[Stamped]) -> Finding | None:
    """Whether a seal was stamped after one that continues it: then it was made after it."""
    for before, after in pairwise(found):
        if after.at < before.earliest:
            told = (
                f"the seal of {before.size} items was stamped at {stamp(before.earliest)}, after "
                f"the one of {after.size} items ({stamp(after.at)}): it was made later and "
                "dated back"
            )
            return Finding("backdated", told)
    return None


def _future(found: Sequence[Stamped], times: _Times) -> Finding | None:
    """Nothing in a tree landed after its stamp."""
    for one in found:
        newest = times.newest(one.size)
        if newest is not None and newest > one.at + CLOCK_SKEW:
            told = (
                f"an item says that it landed at {stamp(newest)}, but the seal that holds it was "
                f"stamped at {stamp(one.at)}: its time is false"
            )
            return Finding("timestamp", told)
    return None


def _dated_back(found: Sequence[Stamped], times: _Times) -> Finding | None:
    """Nothing after a stamped tree landed before the tree's last item did."""
    for one in found:
        newest, oldest = times.newest(one.size), times.oldest(one.size)
        if newest and oldest and oldest < newest - CLOCK_SKEW:
            told = (
                f"items say that they landed at {stamp(oldest)}, but the {one.size} items stamped "
                f"at {stamp(one.at)}, of which the last landed at {stamp(newest)}, do not hold "
                "them: they were dated back"
            )
            return Finding("backdated", told)
    return None


def _late(found: Sequence[Stamped], times: _Times) -> Iterator[Finding]:
    """The longest time that items lay there unstamped: their age is our own word."""
    starts = [0, *(one.size for one in found)]
    waits = [
        (one.at - oldest, oldest, one.at)
        for start, one in zip(starts, found, strict=False)
        if (oldest := times.oldest(start)) is not None and oldest < one.at
    ]
    wait, since, at = max(waits, default=(timedelta(), None, None))
    if wait > PATIENCE and since and at:
        told = (
            f"items that say they landed at {stamp(since)} were first stamped at {stamp(at)}: "
            "nothing outside shows that they were there before"
        )
        yield Finding("late", told, fatal=False)


def _reach(
    found: Sequence[Stamped], times: _Times, sealed: int, now: datetime | None
) -> Iterator[Finding]:
    """Until when the lake is anchored; a lake that should be and is not is no reassurance."""
    size = found[-1].size if found else 0
    if found:
        told = f"the first {size} of {sealed} sealed items existed at {stamp(found[-1].at)}"
        yield Finding("timestamp", f"{told}, says the time authority", fatal=False)
    oldest, newest = times.oldest(size), times.newest(sealed)
    if size >= sealed or oldest is None or newest is None:
        return
    told = f"no timestamp covers the sealed items that landed since {stamp(oldest)}"
    hint = "; run `headwater anchor`, or find out who removed them"
    yield Finding("timestamp", told + hint, fatal=(now or newest) - oldest > PATIENCE)
