"""What never goes, however old: the items that today's views and judgement rest on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import pyarrow as pa

from evidence.freshness import CLOCK_SKEW
from evidence.runs import PULL_KIND
from evidence.times import utc
from storage.engine import Connection
from storage.health import USUAL_OF, WEEK
from storage.pages import REGISTER_KINDS
from storage.seen import LAST, SEEN

RULES: Mapping[str, str] = {
    "a state, or a record of a register, as it stands": """
        SELECT item_id FROM latest
        WHERE change <> 'gone' AND (nature = 'state' OR list_contains($registers, kind))""",
    "the latest of a subject whose older versions are there": """
        SELECT item_id FROM latest SEMI JOIN several USING (source, kind, system, subject)""",
    "the latest of a subject that is confirmed, likewise": """
        SELECT item_id FROM seen s JOIN last l USING (source, kind, system, subject)
        SEMI JOIN several USING (source, kind, system, subject)
        WHERE s.place = l.believed_place""",
    "the pull of an item that is there": """
        SELECT item_id FROM pulls
        WHERE pull_id IN (SELECT pull_id FROM evidence WHERE kind <> $pull)""",
    "the last pull of a source that ended so and saw these states": """
        SELECT unnest([arg_max(item_id, landed_at), arg_max(item_id, row(finished_at, landed_at)),
            arg_max(item_id, finished_at) FILTER (finished_at <= $now)])
        FROM pulls GROUP BY source, outcome, backfill, states""",
    "a pull of the last seven days": """
        SELECT item_id FROM pulls WHERE finished_at > $now - to_seconds($week)""",
    "a pull since the last whole one of its source": """
        SELECT item_id FROM pulls LEFT JOIN whole USING (source)
        WHERE NOT backfill AND (last_whole IS NULL OR finished_at > last_whole)""",
    "the whole pulls by which a source's usual time is known": """
        SELECT item_id FROM pulls WHERE NOT backfill AND outcome = 'complete'
        QUALIFY row_number() OVER
            (PARTITION BY source ORDER BY finished_at DESC, landed_at DESC) <= $usual""",
    "the last event of a system that makes older evidence stale": """
        SELECT arg_max(item_id, observed_from) FROM evidence JOIN tags USING (item_id)
        WHERE starts_with(control, 'event:') AND observed_from <= $now AND landed_at <= $now
        GROUP BY system, control""",
    "the last item that names an AI system, in a register and beside it": """
        SELECT arg_max(item_id, row(landed_at, item_id)) FROM evidence WHERE system <> ''
            AND item_id NOT IN (SELECT item_id FROM lake_corrected WHERE elsewhere)
        GROUP BY system, list_contains($registers, kind)""",
    "what the judgement of today rests on": "FROM needed",
}
"""What never goes → its ids, in SQL over the views and what `living` puts beside them."""


def living(connection: Connection, needed: Iterable[str], now: datetime) -> pa.Table:
    """The ids of what never goes at `now`; `needed` are those that judgement rests on."""
    every = " UNION ALL ".join(f"({rule})" for rule in RULES.values())
    sql = f"""WITH {SEEN}, several AS (
            SELECT source, kind, system, subject FROM evidence GROUP BY ALL HAVING count(*) > 1
        ), {LAST.format(subjects="several")}, whole AS (
            SELECT source, max(finished_at) AS last_whole FROM pulls
            WHERE NOT backfill AND outcome = 'complete' GROUP BY source
        ) SELECT DISTINCT item_id FROM ({every}) WHERE item_id IS NOT NULL"""  # noqa: S608  ours
    values = {
        "now": utc(now, what="now"), "skew": CLOCK_SKEW.total_seconds(), "pull": PULL_KIND,
        "week": WEEK.total_seconds(), "usual": USUAL_OF, "registers": list(REGISTER_KINDS),
    }  # fmt: skip
    connection.register("needed", _ids(needed))
    try:
        return connection.execute(sql, values).to_arrow_table()
    finally:
        connection.unregister("needed")


def around(
    connection: Connection, claims: Iterable[tuple[str, str]], sources: Iterable[str]
) -> frozenset[str]:
    """The ids of all that is claimed for these (control, evidence), and of these sources' pulls."""
    wanted = [{"control": control, "evidence": evidence} for control, evidence in sorted(claims)]
    sql = """SELECT item_id FROM lake_claims SEMI JOIN (
            SELECT unnest($wanted::STRUCT(control VARCHAR, evidence VARCHAR)[], recursive := true)
        ) USING (control, evidence)
        UNION SELECT item_id FROM pulls WHERE list_contains($sources, source)"""
    rows = connection.execute(sql, {"wanted": wanted, "sources": sorted(sources)}).fetchall()
    return frozenset(row[0] for row in rows)


def bound(connection: Connection, going: Iterable[str]) -> frozenset[str]:
    """Of what would go, the changes whose subject has a version that landed earlier and stays.

    A change makes all that landed before it older. Without it an older version could rise again.
    """
    sql = """WITH stays AS (
            SELECT source, kind, system, subject, min(row(landed_at, item_id)) AS first
            FROM evidence ANTI JOIN going USING (item_id) GROUP BY ALL
        ) SELECT item_id FROM evidence SEMI JOIN going USING (item_id)
        JOIN stays USING (source, kind, system, subject)
        WHERE change <> 'new' AND row(landed_at, item_id) > first"""
    connection.register("going", _ids(going))
    try:
        return frozenset(row[0] for row in connection.execute(sql).fetchall())
    finally:
        connection.unregister("going")


def _ids(ids: Iterable[str]) -> pa.Table:
    return pa.table({"item_id": pa.array(sorted(ids), pa.string())})
