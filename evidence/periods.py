"""Periods of law, first hour to last, as Regulation (EEC, Euratom) No 1182/71 counts them.

Article 3: hours run from the beginning of the next hour (1, 2a), days from the beginning of the
next day to the end of the last one (1, 2b); weekends and holidays are in them (3). One of days that
would end on a day off ends with the next working day (4), and one of two days or more holds two
working days (5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from evidence.workdays import SATURDAY, SUNDAY, Workdays

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEKENDS = Workdays(frozenset({SATURDAY, SUNDAY}))
_TWO = 2
Moment = datetime | date
"""A time with a zone, or a day of which nobody said the hour."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where people act: the zone whose days and hours count, and its working days."""

    zone: ZoneInfo
    workdays: Workdays = WEEKENDS


@dataclass(frozen=True, slots=True)
class Limit:
    """A length of time in the law's own unit: hours run through the night, days end with a day."""

    length: timedelta
    in_hours: bool


@dataclass(frozen=True, slots=True)
class Period:
    """`due` is by when to act for who does not lean on the Regulation: hours from the moment
    itself, days without putting off. It `ends` then or later. Both in UTC."""

    due: datetime
    ends: datetime


def period(since: Moment, limit: Limit, place: Place) -> Period:
    """The period that something at `since` begins; of a day alone hours run from its beginning."""
    if limit.in_hours:
        start = earliest(since, place.zone)
        local = start.astimezone(place.zone)
        into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return Period(start + limit.length, start - into + HOUR + limit.length)
    first = since.astimezone(place.zone).date() if isinstance(since, datetime) else since
    last = first + limit.length
    return Period(_end_of(last, place.zone), _end_of(_put_off(first, last, place), place.zone))


def earliest(at: Moment, zone: ZoneInfo) -> datetime:
    """The first moment that it may mean, in UTC."""
    if isinstance(at, datetime):
        return at.astimezone(UTC)
    return datetime.combine(at, time.min, zone).astimezone(UTC)


def latest(at: Moment, zone: ZoneInfo) -> datetime:
    """The last moment that it may mean, in UTC."""
    return at.astimezone(UTC) if isinstance(at, datetime) else _end_of(at, zone)


def _put_off(first: date, last: date, place: Place) -> date:
    """The last day by (4) and (5)."""
    works = place.workdays.works
    last = place.workdays.on_or_after(last)
    while (last - first).days >= _TWO and _between(first, last, place.workdays) < _TWO:
        later = place.workdays.on_or_after(last + DAY)
        if not works(later):  # no working day far and wide: it is not put off for ever
            return last
        last = later
    return last


def _between(first: date, last: date, days: Workdays) -> int:
    return sum(days.works(first + n * DAY) for n in range(1, (last - first).days + 1))


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + DAY, time.min, zone).astimezone(UTC)
