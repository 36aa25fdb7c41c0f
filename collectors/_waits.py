"""How long a throttling source asks to wait, whatever way it writes it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from evidence.times import from_ms

LONGEST = timedelta(days=1)
"""No source is believed that asks for more."""

_RESETS = (
    "x-ratelimit-reset",
    "ratelimit-reset",
    "x-rate-limit-reset",
    "x-ratelimit-requests-reset",
    "x-ratelimit-complexity-reset",
    "x-ratelimit-reset-after",
)
_LEFT = re.compile(r"\b(?:r|remaining)=(\d+)")
_FILLED = re.compile(r"\b(?:t|reset)=(\d+)")
_EPOCH_SECONDS, _EPOCH_MS = 1e9, 1e11


def wait_of(
    headers: Mapping[str, str], now: datetime, resets: Sequence[str] = ()
) -> timedelta | None:
    """The wait that an answer's headers ask for, 0 to LONGEST; None where they do not say.

    Reads seconds (also fractions), HTTP dates, epoch seconds, epoch milliseconds and ISO 8601
    (also to the minute) from Retry-After, else from a reset header whose budget is used up: the
    usual ones, `resets`, and the IETF's one `RateLimit` of all drafts. `now` is used unless the
    answer carries its own Date: both sides of the sum are one clock.
    """
    named = {name.lower(): value for name, value in headers.items()}
    now = moment_of(named.get("date", "")) or now
    known = (*(name.lower() for name in resets), *_RESETS)
    spent = [named.get(name, "") for name in known if named.get(_left(name), "0").strip() == "0"]
    for text in (named.get("retry-after", ""), *spent, *_filled(named.get("ratelimit", ""))):
        wait = _wait(text, now)
        if wait is not None:
            return min(max(wait, timedelta(0)), LONGEST)
    return None


def _left(reset: str) -> str:
    """The header that says how much of the budget is left, named as its reset header is."""
    return reset.removesuffix("-after").replace("reset", "remaining")


def _filled(text: str) -> list[str]:
    """`limit=10, remaining=0, reset=7` or `"min";r=0;t=7`: the longest wait for what is spent."""
    policies = [text] if "remaining=" in text else text.split(",")
    waits = [_FILLED.search(p) for p in policies if (left := _LEFT.search(p)) and left[1] == "0"]
    return [max((match[1] for match in waits if match), key=int, default="")]


def moment_of(text: str) -> datetime | None:
    """An HTTP date or ISO 8601 text as UTC; both are UTC where they carry no zone."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _wait(text: str, now: datetime) -> timedelta | None:
    try:
        number = float(text)
    except ValueError:
        until = moment_of(text)
        return None if until is None else until - now
    if not math.isfinite(number) or abs(number) > 1e15:
        return None
    if number >= _EPOCH_MS:
        return from_ms(int(number)) - now
    if number >= _EPOCH_SECONDS:
        return from_ms(int(number * 1000)) - now
    return timedelta(seconds=number)
