"""A bookmark of days: what each day of each log came to, beside settings last seen."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from collectors.base import Window
from evidence.errors import SourceBroken
from evidence.model import Cursor
from evidence.snapshot import Snapshot

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Known:
    """A day as last read at `read` (epoch seconds): how many events, and the digest of all."""

    events: int
    digest: str
    read: int

    def old(self, now: datetime, reread: timedelta) -> bool:
        """Whether it was read `reread` ago, or at a time that is still to come."""
        return not 0 <= now.timestamp() - self.read < reread.total_seconds()


Days = dict[date, Known]


@dataclass(slots=True)
class Marks:
    """`days` by `account/region/name` of a log."""

    states: Snapshot = field(default_factory=lambda: Snapshot({}))
    days: dict[str, Days] = field(default_factory=dict)

    def of(self, subject: str) -> Days:
        """The known days of a log, to be added to."""
        return self.days.setdefault(subject, {})

    def forget(self, before: datetime) -> None:
        """Drop days that are not read again."""
        kept = {
            subject: {day: known for day, known in days.items() if day >= before.date()}
            for subject, days in self.days.items()
        }
        self.days = {subject: days for subject, days in kept.items() if days}

    def cursor(self) -> Cursor:
        """The bookmark that `read_marks` understands."""
        told = {
            subject: {
                day.isoformat(): [known.events, known.digest, known.read]
                for day, known in sorted(days.items())
            }
            for subject, days in sorted(self.days.items())
        }
        seen = dict(sorted(self.states.seen.items()))
        return Cursor(json.dumps({"seen": seen, "days": told}, ensure_ascii=False))


def read_marks(cursor: Cursor | None) -> Marks:
    """Raises SourceBroken for a cursor that is not one of Marks."""
    if cursor is None:
        return Marks()
    states = Snapshot.read(cursor)
    try:
        told = json.loads(cursor.value)["days"]
        days = {
            str(subject): {
                date.fromisoformat(day): Known(int(events), str(digest), int(at))
                for day, (events, digest, at) in known.items()
            }
            for subject, known in told.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceBroken(f"the cursor is not one of days of a log: {error}") from error
    return Marks(states, days)


def closed_days(now: datetime, lookback: timedelta, window: Window | None) -> list[date]:
    """Days (UTC) that had ended by `now`, oldest first: those of `lookback`, or of the window.

    A day belongs to the window that its end lies in.
    """
    first, last = (now - lookback).date(), now.date() - _DAY
    if window is not None:
        first = window.since.astimezone(UTC).date() - _DAY
        until = window.until - timedelta(microseconds=1)
        last = min(last, until.astimezone(UTC).date() - _DAY)
    return [first + _DAY * n for n in range((last - first).days + 1)]
