"""The window of a backfill, as a person writes it."""

from __future__ import annotations

from datetime import UTC, date, datetime

from collectors.base import Window
from evidence.errors import ConfigError, InvalidItem
from evidence.times import parse, stamp


def window_of(since: str, until: str, now: datetime) -> Window | None:
    """The window from `since` up to `until`, each a date (its start in UTC) or a time with a zone.

    None where both are empty. Raises ConfigError: one of them missing, unreadable, turned round,
    or not past yet.
    """
    if not since and not until:
        return None
    if not since or not until:
        raise ConfigError("a backfill needs both ends: --since 2026-01-01 --until 2026-02-01")
    window = Window(_moment(since, "since"), _moment(until, "until"))
    if window.until <= window.since:
        raise ConfigError(f"--until {until} does not come after --since {since}")
    if window.until > now:
        raise ConfigError(
            f"--until {until} is not past yet (it is {stamp(now)}): a backfill is of the past, "
            "what comes is collected on the schedule"
        )
    return window


def _moment(text: str, name: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError:
        pass
    try:
        return parse(text, what=f"--{name}")
    except InvalidItem as error:
        raise ConfigError(
            f"{error}: write a date such as 2026-01-31 or a time such as 2026-01-31T09:00:00Z"
        ) from error
