"""What landed, as the judge is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from evidence.freshness import Sighting
from storage.arrivals import Asked, arrivals
from storage.engine import Connection
from storage.sightings import Key, sightings


def landed(connection: Connection, now: datetime, asked: Sequence[Asked]) -> dict[Key, Sighting]:
    """The sightings as the connection shows them, with what served these stretches of time.

    Raises LakeError.
    """
    served = arrivals(connection, now, asked)
    seen = sightings(connection, now)
    return {key: replace(one, arrivals=served.get(key, ())) for key, one in seen.items()}
