"""What time it is elsewhere: the Date of an HTTP answer, held against a clock of ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import requests

_SECOND = timedelta(seconds=1)


def ahead_of(origin: str, clock: Callable[[], datetime], patience: float = 5.0) -> timedelta | None:
    """How far `clock` is ahead of the server's at `origin` (behind: negative), as far as certain.

    Asked without a key, once; whatever the status, an answer has a Date (RFC 9110 §6.6.1), in
    whole seconds, and a cache adds its Age. None where nothing comes in `patience` seconds.
    """
    before = clock()
    try:
        with requests.head(origin, timeout=patience, allow_redirects=False) as answer:
            told = parsedate_to_datetime(answer.headers["Date"])
            told += timedelta(seconds=int(answer.headers.get("Age", 0)))
    except (requests.RequestException, KeyError, ValueError, OverflowError):
        return None
    after = clock()
    told = told if told.tzinfo else told.replace(tzinfo=UTC)
    if told + _SECOND < before:
        return before - told - _SECOND
    return after - told if told > after else timedelta()
