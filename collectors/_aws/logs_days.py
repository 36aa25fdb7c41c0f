"""One day of one log group: its events counted, and compared with what was counted before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from collectors._aws.day_marks import Days, Known, closed_days
from collectors._aws.logs_groups import Group
from collectors._aws.source import Place
from collectors._json import number
from collectors._text import clean
from collectors.base import Window, system_of
from evidence.model import Change, EvidenceItem, Outcome
from evidence.times import from_ms, stamp

KIND = "aws.cloudwatch_logs.day"
MOST = 2_000_000
_DAY, _MS = timedelta(days=1), timedelta(milliseconds=1)
# A day is closed when events that were under way at its end have had time to arrive.
_SETTLE = timedelta(hours=1)


@dataclass(slots=True)
class _Count:
    """Events as they come; each counts once, however often it is shown."""

    hours: list[int] = field(default_factory=lambda: [0] * 24)
    streams: set[str] = field(default_factory=set)
    seen: set[bytes] = field(default_factory=set)
    size: int = 0
    late: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, event: Mapping[str, Any], settled: int) -> None:
        """Raises SourceBroken for an event without a time."""
        at = number(event, "timestamp", "an event of CloudWatch Logs")
        message = str(event.get("message", "")).encode("utf-8", "surrogatepass")
        stream, name = str(event.get("logStreamName", "")), str(event.get("eventId", ""))
        head = f"{name}\x1f{stream}\x1f{at}\x1f".encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(head + message).digest()
        if digest in self.seen:
            return
        self.seen.add(digest)
        self.hours[from_ms(at).hour] += 1
        self.streams.add(stream)
        self.size += len(message)
        self.late += int(event.get("ingestionTime", at)) > settled
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)

    def digest(self) -> str:
        return hashlib.sha256(b"".join(sorted(self.seen))).hexdigest()


@dataclass(slots=True)
class Reader:
    """Reads days of one group; `known` is what they came to, `now` AWS's own clock."""

    place: Place
    group: Group
    known: Days
    now: datetime
    received: int = 0

    def due(self, lookback: timedelta, reread: timedelta, window: Window | None) -> list[date]:
        """Closed days not read yet, or not since `reread`; oldest first. Of a window, each once.

        Days that began before the group was made, or that its retention may have removed in part,
        would look like days that lost events.
        """
        days = closed_days(self.now - _SETTLE, lookback, window)
        first = self.group.made.date()
        if window is None:
            first = max(first, (self.now - lookback).date() + _DAY)
        else:
            reread = timedelta.max
        if self.group.keeps is not None:
            kept = self.now - timedelta(days=self.group.keeps) + _SETTLE
            first = max(first, kept.date() + _DAY)
            if window is not None and days and days[0] < first:
                what = f"{self.place.subject(self.group.name)} before {first}"
                self.place.asking.gap(what, "its retention has removed them, or is about to")
        return [day for day in days if day >= first and self._old(day, reread)]

    def day(self, day: date) -> Iterator[EvidenceItem]:
        """The day's item, if it differs from what was known. Raises SourceError."""
        count = _Count()
        begin = datetime.combine(day, time(), UTC)
        settled = _ms(begin + _DAY + _SETTLE)
        for event in self._events(begin):
            count.add(event, settled)
            if len(count.seen) > MOST:
                what = f"{self.place.subject(self.group.name)} {day}"
                self.place.asking.gap(what, f"it has more than {MOST} events")
                return
        self.received += len(count.seen)
        old, read = self.known.get(day), int(self.now.timestamp())
        self.known[day] = Known(len(count.seen), count.digest(), read)
        if old is None or old.digest != count.digest():
            yield self._item(begin, count, old)

    def _events(self, begin: datetime) -> Iterator[Mapping[str, Any]]:
        """The end is inclusive at AWS, so it lies a millisecond before the next day."""
        return self.place.each(
            "logs", "filter_log_events", "events", logGroupName=self.group.name,
            startTime=_ms(begin), endTime=_ms(begin + _DAY) - 1,
        )  # fmt: skip

    def _old(self, day: date, reread: timedelta) -> bool:
        known = self.known.get(day)
        return known is None or known.old(self.now, reread)

    def _item(self, begin: datetime, count: _Count, old: Known | None) -> EvidenceItem:
        name, events = self.group.name, len(count.seen)
        # Late events make the day what it would have been if they had been in time.
        before = old if old is not None and events <= old.events else None
        told = {
            "account": self.place.asking.account, "region": self.place.region, "group": name,
            "day": begin.date().isoformat(), "events": events, "hours": count.hours,
            "streams": len(count.streams), "bytes": count.size, "late": count.late,
            "first": _time(count.first), "last": _time(count.last), "sha256": count.digest(),
            "before": {"events": before.events, "sha256": before.digest} if before else {},
        }  # fmt: skip
        said = f"{events} events in log group {name} on {begin:%Y-%m-%d}"
        if before:
            said += f", where there were {before.events}: some are gone or altered"
        return EvidenceItem(
            source=self.place.source.source, kind=KIND,
            subject=f"{self.place.subject(name)}/{begin:%Y-%m-%d}", observed_from=begin,
            observed_to=begin + _DAY, collected_at=self.place.asking.at, payload=told,
            system=system_of(self.place.source.systems, name),
            title=clean(said), change=Change.CHANGED if before else Change.NEW,
            outcome=Outcome.FAILED if before else Outcome.RECORDED,
            locator=str(self.group.told.get("arn", "")),
        )  # fmt: skip


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // _MS


def _time(ms: int | None) -> str:
    return "" if ms is None else stamp(from_ms(ms))
