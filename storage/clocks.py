"""What the written times say of the clocks: none proves a forgery, none should stay unseen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from evidence.freshness import CLOCK_SKEW
from evidence.times import parse, stamp
from storage.commits import Commit
from storage.files import read_rows
from storage.lake import Lake

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Landing:
    """The times of one commit of evidence, by its log: first and last landed, last collected.

    Its items are the leaves from `leaf` to before `end`.
    """

    version: int
    first: datetime
    last: datetime
    collected: datetime
    leaf: int = 0
    end: int = 0


def landing(commit: Commit, leaf: int = 0) -> Landing | None:
    """The times of a commit that landed items, None for any other or one that names none.

    `leaf` is the number of items that landed before it.
    """
    adds = [add for add in commit.adds if add.data_change]
    first = [moment for add in adds if (moment := _moment(add.least, "landed_at"))]
    last = [moment for add in adds if (moment := _moment(add.greatest, "landed_at"))]
    collected = [moment for add in adds if (moment := _moment(add.greatest, "collected_at"))]
    if not first or not last:
        return None
    latest = max(collected, default=max(last))
    end = leaf + landed_rows(commit)
    return Landing(commit.version, min(first), max(last), latest, leaf, end)


def landed_rows(commit: Commit) -> int:
    """How many rows a commit landed; a rewrite of files lands none."""
    return sum(add.rows for add in commit.adds if add.data_change)


def _moment(values: object, name: str) -> datetime | None:
    text = values.get(name) if isinstance(values, dict) else None
    return parse(text) if isinstance(text, str) else None


def landed_ahead(lake: Lake, now: datetime) -> tuple[int, datetime] | None:
    """How many items landed later than `now`, clock skew allowed, and the latest of their times.

    None if none did. Only files that say they hold such a time are read. Raises LakeError.
    """
    late = now + CLOCK_SKEW
    count, latest = 0, late
    for file in lake.files("evidence"):
        if file.greatest.get("landed_at", late) <= late:
            continue
        times = read_rows(file.path, {}, ["landed_at"])["landed_at"].to_pylist()
        ahead = [moment for moment in times if moment is not None and moment > late]
        count, latest = count + len(ahead), max([latest, *ahead])
    return (count, latest) if count else None


def wrong_clocks(landings: Iterable[Landing], now: datetime | None) -> Iterator[str]:
    """One sentence for each way in which the times of landings cannot all be true.

    Differences up to CLOCK_SKEW are those of well-kept machines. Without `now` nothing is said of
    the future.
    """
    backwards, early, ahead = list[str](), list[str](), list[str]()
    newest: Landing | None = None
    for one in landings:
        if newest is not None and one.last < newest.last - CLOCK_SKEW:
            backwards.append(
                f"version {one.version} landed at {stamp(one.last)}, after version "
                f"{newest.version} of {stamp(newest.last)}"
            )
        if newest is None or one.last > newest.last:
            newest = one
        if one.collected > one.last + CLOCK_SKEW:
            early.append(
                f"version {one.version} landed at {stamp(one.last)} what was collected at "
                f"{stamp(one.collected)}"
            )
        if now is not None and one.last > now + CLOCK_SKEW:
            ahead.append(f"version {one.version} landed at {stamp(one.last)}")
    if backwards:
        yield f"the clock went backwards between landings, or one is back-dated: {_some(backwards)}"
    if early:
        yield f"items were collected after they landed: a clock was wrong: {_some(early)}"
    if ahead:
        yield (
            f"items landed later than now ({stamp(now) if now else ''}): a clock is wrong, and "
            f"until then no view as of now shows them: {_some(ahead)}"
        )


def _some(told: list[str]) -> str:
    more = f"; and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return "; ".join(told[:_NAMED]) + more
