"""What a made-up source of tickets answers: plain dictionaries, the same for everybody measured."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2024, 11, 1, tzinfo=UTC)
SPAN = timedelta(days=720)
"""The months that the tickets of a lake are spread over, oldest first."""


def record(number: int, at: datetime) -> dict[str, Any]:
    """Ticket `number`, about 1.2 KB as a row; hashes keep it from compressing too well."""
    dice = random.Random(number)
    words = [hashlib.sha256(f"{number}:{n}".encode()).hexdigest() for n in range(9)]
    return {
        "subject": f"T-{number}",
        "system": f"system-{number % 200}",
        "title": f"Ticket {number}",
        "at": at,
        "payload": {"id": number, "status": dice.choice(["open", "done"]), "words": words},
    }


def spread(low: int, high: int) -> Iterator[dict[str, Any]]:
    """Tickets `low` up to `high`, evenly over the months, as a source gives them."""
    for number in range(low, high):
        yield record(number, moment(number, low, high))


def moment(number: int, low: int, high: int) -> datetime:
    """When ticket `number` of `low` up to `high` was: they lie evenly over the months."""
    return START + SPAN * ((number - low) / (high - low))


def scattered(numbers: range) -> Iterator[dict[str, Any]]:
    """Tickets of any minute of those months, in no order."""
    for number in numbers:
        minutes = random.Random(-number).randrange(SPAN // timedelta(minutes=1))
        yield record(number, START + timedelta(minutes=minutes))


def today(numbers: range, minute: int) -> Iterator[dict[str, Any]]:
    """Tickets of one minute after those months: what a collector finds when it comes again."""
    for number in numbers:
        yield record(number, START + SPAN + timedelta(minutes=minute))
