"""What served the periods of a deadline: the evidence of each that became known first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb

from evidence.deadline import Arrival
from evidence.errors import LakeError
from storage.engine import Connection
from storage.seen import ask_seen, in_parts
from storage.sightings import Key

_SUBJECT = "source, kind, system, subject"
CLAIMED = """claims AS (
    SELECT DISTINCT item_id, control, evidence FROM {claims}
    SEMI JOIN asked USING (control, evidence) {only} WHERE lake_weighs(strength)
)"""
"""What is claimed of the controls and kinds that are `asked` for; `{only}` chooses some items."""
SPEAKING = f"""held AS (
    -- A version that took the date of an earlier one back; what went away counts for nothing.
    SELECT item_id, coalesce(min(CASE WHEN confirmed THEN observed_to END) OVER (
            PARTITION BY {_SUBJECT} ORDER BY place
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) < observed_to, false) AS withdrawn,
        last_value(change) OVER (PARTITION BY {_SUBJECT} ORDER BY place
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) = 'gone' AS lost
    FROM seen SEMI JOIN (SELECT {_SUBJECT} FROM seen WHERE change <> 'new') USING ({_SUBJECT})
), speaking AS (
    SELECT item_id, source, system, nature, observed_to, collected_at, landed_at, pull_id
    FROM seen SEMI JOIN claims USING (item_id)
    ANTI JOIN corrected USING (item_id)
    ANTI JOIN (SELECT item_id FROM held WHERE withdrawn OR lost) USING (item_id)
    WHERE confirmed AND change <> 'gone'
)"""  # noqa: S608  ours
"""The items that count for something: `speaking`."""
KNOWN = """whole AS (
    -- A pull is known to be whole when its record has landed.
    SELECT pull_id, min(landed_at) AS told FROM complete GROUP BY pull_id
), collected AS (
    SELECT DISTINCT source, collected_at FROM speaking ANTI JOIN whole USING (pull_id)
), confirmed AS (
    SELECT c.source, c.collected_at, b.told
    FROM collected c ASOF LEFT JOIN (
            SELECT source, finished_at, greatest(finished_at, landed_at) AS told
            FROM complete WHERE NOT backfill
        ) b ON c.source = b.source AND c.collected_at <= b.finished_at
), known AS (
    SELECT s.*, greatest(s.observed_to, s.landed_at, coalesce(w.told, c.told)) AS known
    FROM speaking s LEFT JOIN whole w USING (pull_id)
        LEFT JOIN confirmed c ON s.source = c.source AND s.collected_at = c.collected_at
)"""
"""Those that are `speaking`, with when they became `known`."""
_SQL = f"""
WITH {{seen}}, asked AS (
    SELECT unnest($asked::STRUCT(control VARCHAR, evidence VARCHAR, opens TIMESTAMPTZ,
        ends TIMESTAMPTZ, landed BOOLEAN)[], recursive := true)
), {CLAIMED.replace("{only}", "")}, {SPEAKING}, {KNOWN}
SELECT control, evidence, system, opens, ends,
    min(struct_pack(known, moment, item_id)) AS first
FROM (
    SELECT a.*, k.item_id, k.system, k.known,
        CASE WHEN a.landed THEN k.known ELSE k.observed_to END AS moment
    FROM known k JOIN claims c USING (item_id)
        JOIN asked a ON a.control = c.control AND a.evidence = c.evidence
)
WHERE moment > opens AND moment <= ends
GROUP BY control, evidence, system, opens, ends
"""  # noqa: S608  no text from outside


@dataclass(frozen=True, slots=True)
class Asked:
    """A stretch of time that evidence of a kind is asked for, for a control: later than `opens`,
    not later than `ends`. `landed` chooses by when it became known, not by its own time."""

    control: str
    evidence: str
    opens: datetime
    ends: datetime
    landed: bool = False


def arrivals(
    connection: Connection, now: datetime, asked: Sequence[Asked]
) -> dict[Key, tuple[Arrival, ...]]:
    """(control, evidence kind, system) → for each stretch the evidence that became known first.

    An item is known once it landed with a complete pull, or a later complete pull of its source
    confirmed it; a backfill confirms only what it brought. What was corrected, went away or had its
    date taken back served nothing. Raises LakeError.
    """
    found = Served(connection, now, asked)
    in_parts(connection, now, found.take)
    return found.told()


@dataclass(slots=True)
class Served:
    """`arrivals`, put together of what some subjects served after the others."""

    connection: Connection
    now: datetime
    asked: Sequence[Asked]
    items: set[str] = field(default_factory=set)
    """All that served first among the subjects that were shown together."""
    _first: dict[tuple[Any, ...], tuple[datetime, datetime, str]] = field(default_factory=dict)

    def take(self) -> None:
        """Look at the subjects that are shown now. Raises LakeError."""
        if not self.asked:
            return
        values = {"asked": [asdict(one) for one in self.asked]}
        try:
            rows = ask_seen(self.connection, _SQL, self.now, values).fetchall()
        except duckdb.Error as error:
            raise LakeError(f"the lake cannot be judged: {error}") from error
        for *stretch, first in rows:
            one = first["known"], first["moment"], first["item_id"]
            known = self._first.setdefault(tuple(stretch), one)
            self._first[tuple(stretch)] = min(one, known)
            self.items.add(one[2])

    def told(self) -> dict[Key, tuple[Arrival, ...]]:
        """`arrivals` of all that was looked at."""
        found: dict[Key, list[Arrival]] = defaultdict(list)
        for (*key, _opens, _ends), (known, moment, _) in sorted(self._first.items()):
            arrival = Arrival(moment.astimezone(UTC), known.astimezone(UTC))
            found[key[0], key[1], key[2]].append(arrival)
        return {key: tuple(many) for key, many in found.items()}


def began(connection: Connection) -> datetime | None:
    """When the first item landed: no deadline before that was missed by it. Raises LakeError."""
    try:
        row = connection.execute("SELECT min(landed_at) FROM evidence").fetchone()
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be judged: {error}") from error
    return row[0].astimezone(UTC) if row and row[0] else None
