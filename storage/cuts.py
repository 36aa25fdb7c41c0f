"""What events overtake: from when evidence is out of date by them. So of all subjects and of many
ages alike, it is made once for all that are asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from evidence.canonical import digest
from evidence.times import stamp, utc
from storage.engine import Connection
from storage.seen import ask_seen

_SQL = """WITH {seen}, sorts AS (
    SELECT unnest($sorts::STRUCT(cuts INT, stale_on VARCHAR[], everywhere BOOLEAN)[],
        recursive := true)
)
-- What an event overtook is out of date from when that is known; a later one changes nothing.
SELECT cuts, CASE WHEN everywhere THEN '' ELSE system END AS about, moment,
    min(told) OVER (PARTITION BY cuts, about ORDER BY moment
        RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS told
FROM happened JOIN sorts ON list_contains(stale_on, name)
"""


class Overtaken(Protocol):
    """What may be overtaken: by these events of its own AI system, or of all (`everywhere`)."""

    @property
    def stale_on(self) -> tuple[str, ...]:
        """The names of the events."""

    @property
    def everywhere(self) -> bool:
        """Whether those of all AI systems."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """A table of the connection: `cuts` (a number), `about` (the AI system, empty for all), the
    `moment` of an event and when it was `told`."""

    table: str
    numbers: Mapping[tuple[tuple[str, ...], bool], int]

    def number(self, one: Overtaken) -> int | None:
        """Under which number its events are in the table; None if nothing overtakes it."""
        return self.numbers.get((one.stale_on, one.everywhere))


def cuts(connection: Connection, now: datetime, of: Sequence[Overtaken]) -> Cuts:
    """The table of what overtakes these as of a moment. Raises duckdb.Error, LakeError."""
    sorts = dict.fromkeys((one.stale_on, one.everywhere) for one in of if one.stale_on)
    rows = [
        {"cuts": number, "stale_on": list(names), "everywhere": everywhere}
        for number, (names, everywhere) in enumerate(sorts)
    ]
    name = f"lake_cuts_{digest([stamp(utc(now, what='now')), rows])}"
    sql = f"CREATE TABLE {name} AS {_SQL}"
    connection.once(name, lambda: ask_seen(connection, sql, now, {"sorts": rows}))
    return Cuts(name, {one: number for number, one in enumerate(sorts)})
