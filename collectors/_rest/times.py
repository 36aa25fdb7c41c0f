"""Times and numbers that a list is read by: as a source writes them and wants to be asked."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from evidence.errors import InvalidItem
from evidence.times import from_ms

SENT = ("iso", "iso_ms", "minute", "date", "epoch", "epoch_ms", "http", "number")
"""How a mark may be written for the source; anything with % is a pattern for strftime."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NET = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
_ONLY_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOST_SECONDS, _MOST_MS, _MOST_MICROSECONDS = 1e11, 1e14, 1e17
_SECOND = 1_000_000
_STEPS = {
    "iso": _SECOND, "iso_ms": 1_000, "epoch": _SECOND, "epoch_ms": 1_000, "http": _SECOND,
    "minute": 60 * _SECOND,
}  # fmt: skip
_DAY = timedelta(days=1)


def read_time(value: Any, zone: str, pattern: str = "") -> datetime:
    """A moment in UTC, from ISO 8601, seconds, milli-, micro- or nanoseconds since 1970, or text of
    `pattern`.

    `zone` is where clocks stand that write no zone; without it such a time is refused, since nobody
    may guess one. A date is the beginning of its day, there or in UTC. Raises InvalidItem.
    """
    if isinstance(value, str) and value:
        return _from_text(value.strip(), zone, pattern)
    if isinstance(value, bool) or value is None or value == "":
        raise InvalidItem(f"{value!r} is no time")
    if isinstance(value, int | float):
        return _from_number(value)
    return _from_text(str(value).strip(), zone, pattern)


@lru_cache(maxsize=1024)
def _from_text(text: str, zone: str, pattern: str) -> datetime:
    """Kept, since a record's time is read for its mark and for the item, and many share a day."""
    if not pattern and text[10:11] == "T":  # neither a number nor a day
        return _zoned(_naive(text, pattern, zone), zone, text)
    if match := _NET.fullmatch(text):
        return from_ms(int(match[1]))
    if not pattern and re.fullmatch(r"\d{9,}(\.\d+)?", text):
        return _from_number(float(text) if "." in text else int(text))
    return _zoned(_naive(text, pattern, zone), zone, text)


def to_mark(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_mark(mark: int) -> datetime:
    """The moment of a mark."""
    return _EPOCH + timedelta(microseconds=mark)


def write_mark(mark: int, sent: str, zone: str) -> str:
    """A mark as the source wants it, rounded down to what that form can say.

    Raises ValueError if `sent` is no form that is known.
    """
    if sent == "number":
        return str(mark)
    moment = from_mark(mark)
    if sent in {"epoch", "epoch_ms"}:
        return str(mark // (1_000_000 if sent == "epoch" else 1_000))
    if sent in {"iso", "iso_ms"}:
        return _iso(moment, "seconds" if sent == "iso" else "milliseconds")
    if sent == "http":
        return format_datetime(moment, usegmt=True)
    local = moment.astimezone(_zone(zone)) if zone else moment
    if sent in {"minute", "date"}:
        return local.strftime("%Y-%m-%d %H:%M" if sent == "minute" else "%Y-%m-%d")
    if "%" not in sent:
        raise ValueError(
            f"send is {sent!r}; known: {', '.join(SENT)}, or a pattern such as %d.%m.%Y"
        )
    return local.strftime(sent)


def write_end(mark: int, sent: str, zone: str) -> str:
    """As `write_mark`, rounded up: nothing up to the mark lies behind it. A date, or a pattern that
    may be one, is that of the next day."""
    step = _STEPS.get(sent)
    up = from_mark(mark) + _DAY if step is None else from_mark(-(-mark // step) * step)
    return write_mark(to_mark(up), sent, zone)


def known_zone(zone: str) -> None:
    """Raises ValueError if there is no zone of that name."""
    if zone:
        _zone(zone)


def _zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError(f"zone {zone!r} is not known; write one such as Europe/Berlin") from error


def _from_number(value: float) -> datetime:
    try:
        if abs(value) >= _MOST_MS:
            fine = abs(value) < _MOST_MICROSECONDS
            return from_mark(int(value) if fine else int(value) // 1000)
        return from_ms(int(value) if abs(value) >= _MOST_SECONDS else int(value * 1000))
    except (OverflowError, ValueError) as error:
        raise InvalidItem(f"{value!r} is no time since 1970") from error


def _naive(text: str, pattern: str, zone: str) -> datetime:
    try:
        if pattern:
            return datetime.strptime(text, pattern)  # noqa: DTZ007  the zone is judged by _zoned
        if _ONLY_DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=None if zone else UTC)
        return datetime.fromisoformat(text.replace(" UTC", "Z"))
    except (ValueError, OverflowError) as error:
        wanted = f"of the form {pattern}" if pattern else "ISO 8601; give its pattern with `times`"
        raise InvalidItem(f"{text[:40]!r} is no time {wanted}") from error


def _zoned(moment: datetime, zone: str, text: str) -> datetime:
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    if not zone:
        raise InvalidItem(f"{text[:40]!r} has no zone: say with `zone` where its clock stands")
    return moment.replace(tzinfo=_zone(zone)).astimezone(UTC)


def _iso(moment: datetime, precision: str) -> str:
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
