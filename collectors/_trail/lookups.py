"""Reads one region's event history, and remembers how far."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from collectors._aws.source import Place
from collectors._text import clean
from collectors._trail import events
from collectors._trail.findings import KIND as DIGEST_KIND
from collectors.base import Window
from evidence.errors import InvalidItem, SourceBroken
from evidence.model import Cursor, EvidenceItem, Outcome
from evidence.times import parse, stamp, utc

KEPT = timedelta(days=90)
FULL, MOST = 2_000, 20_000
_LONGEST, _DAY, _SECOND = timedelta(days=10), timedelta(days=1), timedelta(seconds=1)
# The oldest of what is kept may go while it is asked for.
_MARGIN = timedelta(hours=1)

Marks = dict[str, datetime]
"""Up to when the events of each `account/region` were read."""


@dataclass(frozen=True, slots=True)
class Step:
    """What came of `since` up to `until`."""

    items: tuple[EvidenceItem, ...]
    since: datetime
    until: datetime


@dataclass(slots=True)
class Reader:
    """Reads the events of a region; `marks` move on with every step."""

    place: Place
    marks: Marks
    lookback: timedelta
    window: Window | None
    found: dict[str, EvidenceItem] = field(default_factory=dict)

    def steps(self) -> Iterator[Step]:
        """Slices of time, oldest first, each whole. Raises SourceError.

        LookupEvents tells the newest first and may be cut off anywhere: a slice that holds too
        much to be read at once is made smaller.
        """
        since, until = self._bounds()
        begun, length = since, _DAY
        self._first(since)
        while since < until:
            end = min(since + length, until)
            if not self._slice(since, end, whole=length <= _SECOND):
                length = max(_whole(length / 4), _SECOND)
                continue
            since, length = end, min(length * 2, _LONGEST)
            if len(self.found) >= FULL and since < until:
                yield self._step(begun, since)
                begun = since
        yield self._step(begun, max(since, until))

    def _step(self, begun: datetime, until: datetime) -> Step:
        self.marks[self.place.subject()] = until
        items, self.found = tuple(self.found.values()), {}
        return Step(items, begun, until)

    def _bounds(self) -> tuple[datetime, datetime]:
        """Whole seconds, as the times of events are, by the clock of AWS."""
        now = _floor(self.place.asking.now)
        wanted, oldest = self._wanted(), now - KEPT + _MARGIN
        if self.window is not None:
            return max(wanted or oldest, oldest), min(_floor(self.window.until), now)
        return max(wanted - self.lookback, oldest) if wanted else oldest, now

    def _slice(self, since: datetime, until: datetime, *, whole: bool) -> bool:
        """Read it into `found`; False where it holds too many, unless it must be read `whole`."""
        came: dict[str, EvidenceItem] = {}
        received = 0
        # Both ends are inclusive at AWS.
        for told in self.place.each(
            "cloudtrail", "lookup_events", "Events", StartTime=since, EndTime=until - _SECOND
        ):
            received += 1
            if received > MOST and not whole:
                return False
            item = self._item(told, since)
            came[item.item_id] = item
        self.found |= came
        self.place.asking.received += received
        return True

    def _item(self, told: Mapping[str, Any], since: datetime) -> EvidenceItem:
        """The event as it would lie in S3, or what says that it cannot be read."""
        source = self.place.source
        name = clean(str(told.get("EventId") or "without an id"), 100)
        subject = self.place.subject(name)
        try:
            return events.item(
                json.loads(told["CloudTrailEvent"]), source=source.source, systems=source.systems,
                locator=f"aws:{subject}", at=self.place.asking.at,
            )  # fmt: skip
        except (KeyError, ValueError, TypeError, RecursionError, InvalidItem) as error:
            why = clean(f"{type(error).__name__}: {error}")
            self.place.asking.gap(f"event {subject}", why)
            at = utc(told["EventTime"]) if "EventTime" in told else since
            return self._finding(subject, at, at, "unreadable event", why)

    def _first(self, since: datetime) -> None:
        """What must be said before anything is read. The gap makes one pull partial; the next has
        none, so a lasting word stays of what nobody can read any more."""
        subject, now = self.place.subject(), self.place.asking.now
        wanted = self._wanted()
        if wanted is None:
            day = now.replace(hour=0, minute=0, second=0, microsecond=0)
            why = "events were looked up: no digest chain proves that none is missing or altered"
            self._keep(self._finding(subject, day, day, "not validated", why))
        elif wanted < since:
            why = f"events of {stamp(wanted)} to {stamp(since)} are older than CloudTrail shows"
            self.place.asking.gap(f"events in {self.place.region}", why)
            if self.window is None:
                self._keep(self._finding(subject, wanted, since, "events lost", why))

    def _wanted(self) -> datetime | None:
        """From when events were never read; None before the first pull."""
        start = _floor(self.window.since) if self.window else None
        return self.marks.get(self.place.subject(), start)

    def _keep(self, item: EvidenceItem) -> None:
        self.found[item.item_id] = item

    def _finding(
        self, subject: str, since: datetime, at: datetime, name: str, why: str
    ) -> EvidenceItem:
        where = {"account": self.place.asking.account, "region": self.place.region}
        problem = {"name": name, "what": subject, "why": why}
        return EvidenceItem(
            source=self.place.source.source, kind=DIGEST_KIND, subject=subject, observed_from=since,
            observed_to=at, collected_at=self.place.asking.at, outcome=Outcome.ERROR,
            title=f"{self.place.subject()}: {why}", payload={**where, "problems": [problem]},
            locator=f"aws:{self.place.subject()}",
        )  # fmt: skip


def _floor(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _whole(length: timedelta) -> timedelta:
    return length // _SECOND * _SECOND


def read_marks(cursor: Cursor | None) -> Marks:
    """Raises SourceBroken for a cursor that `write_marks` did not write."""
    if cursor is None:
        return {}
    try:
        return {str(k): parse(v) for k, v in json.loads(cursor.value)["looked_up"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, InvalidItem) as error:
        raise SourceBroken(f"the cursor is not one of CloudTrail's history: {error}") from error


def write_marks(marks: Marks) -> Cursor:
    """The bookmark that `read_marks` understands."""
    told = {name: stamp(at) for name, at in sorted(marks.items())}
    return Cursor(json.dumps({"looked_up": told}, ensure_ascii=False))
