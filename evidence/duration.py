"""ISO 8601 durations with years and months, which have no length until they are counted from a day.

A month after 31 January is the last day of February; a year after 29 February is the 28th.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from evidence.times import duration

_LONG = re.compile(r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?P<rest>(?:\d+[WD])*(?:T.+)?)")
_SHORTEST_MONTH = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Duration:
    """Whole months, then the rest. Raises ValueError if it is not longer than nothing."""

    months: int
    rest: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.months < 0 or self.rest < timedelta(0) or not (self.months or self.rest):
            raise ValueError("a duration must be longer than nothing")
        if self.months > 12_000:
            raise ValueError("a duration must not be longer than a thousand years")

    def __str__(self) -> str:
        years, months = divmod(self.months, 12)
        told = (f"{years}Y" if years else "") + (f"{months}M" if months else "")
        days = f"{self.rest.days}D" if self.rest.days else ""
        seconds = int(self.rest.total_seconds()) - 86400 * self.rest.days
        return f"P{told}{days}" + (f"T{seconds}S" if seconds else "")


Span = timedelta | Duration
"""A length of time: fixed, or one that the calendar gives."""


def span(text: str) -> Span:
    """`P1Y`, `P3M`, `P1M2D`, and what `duration` reads. Raises ValueError."""
    match = _LONG.fullmatch(text)
    if not match or not (match["years"] or match["months"]):
        return duration(text)
    rest = duration(f"P{match['rest']}") if match["rest"] else timedelta(0)
    return Duration(12 * int(match["years"] or 0) + int(match["months"] or 0), rest)


def told_span(length: Span) -> str:
    """As ISO 8601 text, which `span` reads back."""
    if isinstance(length, Duration):
        return str(length)
    seconds = int(length.total_seconds()) - 86400 * length.days
    days = f"{length.days}D" if length.days or not seconds else ""
    return f"P{days}" + (f"T{seconds}S" if seconds else "")


def shortest(length: Span) -> timedelta:
    """The least that it can come to."""
    if isinstance(length, timedelta):
        return length
    return length.months * _SHORTEST_MONTH + length.rest


def plus(moment: datetime, length: Span, zone: tzinfo = UTC) -> datetime:
    """That much after `moment`, in UTC; months and days are counted by the clock of `zone`."""
    local = moment.astimezone(zone)
    months, rest = (length.months, length.rest) if isinstance(length, Duration) else (0, length)
    if months:
        year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
        last = calendar.monthrange(year, month + 1)[1]
        local = local.replace(year=year, month=month + 1, day=min(local.day, last))
    day = local.replace(tzinfo=None) + timedelta(days=rest.days)
    whole = day.replace(tzinfo=zone, fold=local.fold).astimezone(UTC)
    return whole + (rest - timedelta(days=rest.days))


def longest(text: str) -> timedelta:
    """The same text with years of 366 days and months of 31: of what is kept nothing goes early.

    Raises ValueError.
    """
    match = _LONG.fullmatch(text)
    if not match or not (match["years"] or match["months"]):
        return duration(text)
    days = 366 * int(match["years"] or 0) + 31 * int(match["months"] or 0)
    rest = duration(f"P{match['rest']}") if match["rest"] else timedelta(0)
    return timedelta(days=days) + rest
