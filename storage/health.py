"""How each source does, from the records of its pulls: what an engineer looks at first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from evidence.runs import PULL_KIND, Gap, PullOutcome, Total
from storage.pages import Connection, all_rows

WEEK = timedelta(days=7)
USUAL_OF = 20
"""Of so many whole pulls, the last ones, the usual time is the median: older ones may be gone."""

_SQL = f"""
WITH scheduled AS (SELECT * FROM pulls WHERE NOT backfill),
whole AS (
    SELECT source, max(finished_at) AS last_complete,
        median(epoch(finished_at) - epoch(started_at)) AS usual
    FROM (SELECT * FROM scheduled WHERE outcome = 'complete' QUALIFY row_number() OVER
        (PARTITION BY source ORDER BY finished_at DESC, landed_at DESC) <= {USUAL_OF})
    GROUP BY source
), landed AS (
    SELECT source, count(*) AS items, max(observed_to) AS newest, max(landed_at) AS brought
    FROM evidence WHERE kind <> '{PULL_KIND}' GROUP BY source
), brought AS (
    SELECT pull_id, count(*) AS new FROM evidence WHERE kind <> '{PULL_KIND}' GROUP BY pull_id
), filled AS (
    SELECT source, count(*) AS backfills FROM pulls WHERE backfill GROUP BY source
)
SELECT s.source, w.last_complete, w.usual, l.items, l.newest, l.brought, f.backfills,
    max(s.finished_at) FILTER (s.cursor_after IS DISTINCT FROM s.cursor_before) AS moved,
    arg_max(s, row(s.finished_at, s.landed_at)) AS last,
    arg_max(b.new, row(s.finished_at, s.landed_at)) AS new,
    count(*) FILTER (w.last_complete IS NULL OR s.finished_at > w.last_complete) AS streak,
    min(s.finished_at) FILTER (w.last_complete IS NULL OR s.finished_at > w.last_complete)
        AS failing_since,
    count(*) FILTER (s.finished_at > $since) AS tries,
    count(*) FILTER (s.finished_at > $since AND s.outcome = 'complete') AS completes
FROM scheduled s LEFT JOIN whole w USING (source) LEFT JOIN landed l USING (source)
    LEFT JOIN filled f USING (source) LEFT JOIN brought b ON b.pull_id = s.pull_id
GROUP BY ALL ORDER BY s.source
"""  # noqa: S608  no text from outside


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt as its record tells. `new` items were not known before it."""

    pull_id: str
    collector: str
    outcome: str
    started_at: datetime
    finished_at: datetime
    new: int
    received: int
    promised: int | None
    error: str = ""
    gaps: tuple[Gap, ...] = ()
    totals: tuple[Total, ...] = ()
    identity: str = ""
    query: str = ""
    api_version: str = ""
    backfill: bool = False
    pages: int = 0


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """A source by its scheduled pulls; backfills are only counted.

    `streak` attempts in a row did not end whole, the first of them at `failing_since`; in the last
    seven days `completes` of `tries` did. `usual` is the median time of the last whole pulls;
    `newest` the latest time that any landed fact is about, `brought` when the last item landed that
    was new. `moved` is the end of the last pull that moved the source's bookmark, as far as the 200
    signs of it tell that a record keeps.
    """

    source: str
    last: Attempted
    last_complete: datetime | None
    streak: int
    failing_since: datetime | None
    tries: int
    completes: int
    usual: timedelta | None
    items: int
    newest: datetime | None
    backfills: int = 0
    brought: datetime | None = None
    moved: datetime | None = None


def healths(connection: Connection, now: datetime) -> dict[str, SourceHealth]:
    """Source → its health, for each source that was ever pulled on schedule. Raises LakeError."""
    rows = all_rows(connection, _SQL, {"since": now - WEEK})
    return {row["source"]: _health(row) for row in rows}


def attempts(connection: Connection, source: str, most: int) -> list[Attempted]:
    """The latest attempts at a source, newest first, backfills too. Raises LakeError."""
    return lately(connection, most, source).get(source, [])


def lately(connection: Connection, most: int, source: str = "") -> dict[str, list[Attempted]]:
    """Source (only the one named, if one is) → its latest attempts as `attempts` gives them."""
    rows = all_rows(
        connection,
        """WITH last AS (SELECT * FROM pulls WHERE $source IN ('', source) QUALIFY row_number()
                OVER (PARTITION BY source ORDER BY finished_at DESC, landed_at DESC) <= $most),
            brought AS (SELECT pull_id, count(*) AS new FROM evidence
                WHERE kind <> $kind AND pull_id IN (SELECT pull_id FROM last) GROUP BY pull_id)
        SELECT last.*, brought.new FROM last LEFT JOIN brought USING (pull_id)
        ORDER BY source, finished_at DESC, landed_at DESC""",
        {"source": source, "most": most, "kind": PULL_KIND},
    )
    found: dict[str, list[Attempted]] = {}
    for row in rows:
        found.setdefault(row["source"], []).append(_attempted(row, row["new"]))
    return found


def _health(row: Mapping[str, Any]) -> SourceHealth:
    return SourceHealth(
        source=row["source"], last=_attempted(row["last"], row["new"]),
        last_complete=row["last_complete"], streak=row["streak"],
        failing_since=row["failing_since"], tries=row["tries"], completes=row["completes"],
        usual=None if row["usual"] is None else timedelta(seconds=row["usual"]),
        items=row["items"] or 0, newest=row["newest"], backfills=row["backfills"] or 0,
        brought=row["brought"], moved=row["moved"],
    )  # fmt: skip


def _attempted(row: Mapping[str, Any], new: int | None) -> Attempted:
    names = (
        "pull_id", "outcome", "started_at", "finished_at", "promised", "identity", "query",
        "api_version", "backfill",
    )  # fmt: skip
    gaps = json.loads(row["gaps"] or "[]")
    return Attempted(
        **{name: row[name] for name in names}, collector=row["collector"] or "",
        new=new or 0, received=row["received"] or 0, pages=row["pages"] or 0,
        error=row["error"] or "", gaps=tuple(Gap(gap["what"], gap["why"]) for gap in gaps),
        totals=tuple(Total(**total) for total in json.loads(row["totals"] or "[]")),
    )  # fmt: skip


def is_well(health: SourceHealth | None) -> bool:
    """Whether the last attempt ended whole."""
    return health is not None and health.last.outcome == PullOutcome.COMPLETE
