"""Times with zones only; one written form, UTC with microseconds."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from evidence.errors import InvalidItem

_STAMP = "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ"
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)


def utc(moment: datetime, *, what: str = "time") -> datetime:
    """The same moment in UTC. Raises InvalidItem if it carries no zone: nobody may guess one."""
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InvalidItem(f"{what} {moment.isoformat()} has no zone; give it one where it is read")
    return moment.astimezone(UTC)


def stamp(moment: datetime) -> str:
    """`2026-11-23T19:43:00.000000Z`: fixed width, so text order is time order."""
    at = utc(moment)
    parts = (at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond)
    return _STAMP % parts  # in half the time of isoformat, which works out the zone


def parse(text: str, *, what: str = "time") -> datetime:
    """ISO 8601 text with a zone (`Z`, `+02:00`, `+0200`) as UTC. Raises InvalidItem."""
    try:
        return utc(datetime.fromisoformat(text.strip()), what=what)
    except (ValueError, OverflowError) as error:
        raise InvalidItem(f"{what} {text!r} is not ISO 8601 with a zone") from error


def day_or_time(text: str) -> datetime:
    """`YYYY-MM-DD`, which begins at 00:00 UTC, or a time with a zone. Raises InvalidItem."""
    try:
        return datetime.combine(date.fromisoformat(text.strip()), datetime.min.time(), UTC)
    except ValueError:
        return parse(text)


def from_ms(milliseconds: int) -> datetime:
    """Milliseconds since 1970 UTC."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


LONGEST = timedelta(days=365_250)
"""Counted from any day of ours it ends before the calendar does."""


def duration(text: str) -> timedelta:
    """ISO 8601 weeks, days and times (`P90D`, `PT6H`). Raises ValueError: months have no length."""
    match = _DURATION.fullmatch(text)
    if not match or text in {"P", "PT"} or text.endswith("T"):
        raise ValueError(f"{text!r} is not an ISO 8601 duration in weeks, days, hours, minutes")
    try:
        length = timedelta(**{unit: int(n) for unit, n in match.groupdict().items() if n})
    except OverflowError:
        length = timedelta.max
    if length > LONGEST:
        raise ValueError(f"{text!r} is longer than a thousand years")
    return length
