"""Hours of a place: when a channel is quiet, and when its digest is due."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"zone {name!r} is none that is known; such as Europe/Berlin") from error


def check_quiet(quiet: tuple[str, ...]) -> None:
    """Raises ValueError unless each is hours (`22:00-07:00`) or a day (`Sat`)."""
    for text in quiet:
        if text not in _DAYS and not _HOURS.fullmatch(text):
            raise ValueError(
                f"quiet {text!r} is neither hours, such as 22:00-07:00, nor a day: Sat"
            )


def is_quiet(quiet: tuple[str, ...], zone: ZoneInfo, now: datetime) -> bool:
    """Whether the clocks of `zone` show a quiet hour or day at `now`. The end is not quiet; hours
    that end before they begin go over midnight."""
    there = now.astimezone(zone)
    return any(_within(text, there) for text in quiet)


def _within(text: str, there: datetime) -> bool:
    match = _HOURS.fullmatch(text)
    if match is None:
        return _DAYS[there.weekday()] == text
    begins, ends = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    clock = there.time()
    if begins <= ends:
        return begins <= clock < ends
    return clock >= begins or clock < ends


def check_cron(cron: str) -> None:
    """Raises ValueError unless it is a cron line of a time that comes."""
    try:
        if len(cron.split()) != 5:
            raise ValueError("not five fields")
        next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration, ValueError) as error:
        raise ValueError(f"{cron!r} is not a cron line of a time that ever comes") from error


def last_tick(cron: str, zone: ZoneInfo, now: datetime) -> datetime:
    """The latest time of a cron line, read on the clocks of `zone`, that is not after `now`."""
    there = now.astimezone(zone).replace(microsecond=1)  # else it would leave out this very second
    return next(CronSim(cron, there, reverse=True)).astimezone(UTC)
