"""What each question of the judge begins with: the items as of a moment, and what was corrected."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import duckdb

from evidence.times import utc
from storage.corrections import NONE_CORRECTED, any_correction, corrected_sql, corrections_sql
from storage.engine import Connection

_COMPLETE = """SELECT source, pull_id, finished_at, landed_at, states, backfill FROM pulls
    WHERE outcome = 'complete' AND finished_at <= $now AND landed_at <= $now"""
_SEEN = """
beats AS (
    SELECT source, max(finished_at) AS beat FROM complete WHERE NOT backfill GROUP BY source
), state_beats AS (
    SELECT source, kind, max(finished_at) AS beat
    FROM (SELECT source, unnest(states) AS kind, finished_at FROM complete WHERE NOT backfill)
    GROUP BY source, kind
), seen AS (
    SELECT item_id, p.source, p.kind, nature, system, subject, title, observed_from, observed_to,
        collected_at, landed_at, pull_id, change, outcome, revision, place,
        CASE nature WHEN 'state' THEN s.beat ELSE b.beat END AS beat,
        coalesce(collected_at <= b.beat, false)
            OR pull_id IN (SELECT pull_id FROM complete) AS confirmed
    FROM lake_placed p LEFT JOIN beats b ON b.source = p.source
        LEFT JOIN state_beats s ON s.source = p.source AND s.kind = p.kind
    WHERE landed_at <= $now
)"""
SEEN = f"complete AS ({_COMPLETE}), {_SEEN}"
"""The items as of $now, each with its place and whether a whole pull confirms it (`seen`)."""

LAST = """last AS (
    SELECT source, kind, system, subject, max(struct_pack(place, change)) AS newest,
        max(revision) FILTER (confirmed) AS confirmed_revision,
        max(place) FILTER (confirmed AND observed_to <= $now + to_seconds($skew)) AS believed_place
    FROM seen SEMI JOIN {subjects} USING (source, kind, system, subject)
    GROUP BY source, kind, system, subject
)"""
"""For each of some subjects its last place and change, and the last place that is confirmed and not
dated ahead."""

_CORRECTIONS = corrections_sql("(SELECT * FROM evidence WHERE landed_at <= $now)")
CORRECTED = corrected_sql(f"({_CORRECTIONS})")
"""What was corrected as of $now."""


def ask_seen(
    connection: Connection, sql: str, now: datetime, values: Mapping[str, Any]
) -> duckdb.DuckDBPyConnection:
    """Ask a question in whose text `{seen}` stands for `complete`, `seen` and `corrected`.

    Of a little lake these are made once for all questions about one moment: to plan them takes
    longer than all that is asked of them. Raises duckdb.Error, LakeError.
    """
    begun = _made(connection, utc(now, what="now")) if connection.little else _planned(connection)
    text = sql.replace("{seen}", begun)
    given = {"now": utc(now, what="now"), **values}
    return connection.execute(text, {name: given[name] for name in given if f"${name}" in text})


def _planned(connection: Connection) -> str:
    return f"{SEEN}, corrected AS ({_corrected(connection)})"


def _made(connection: Connection, now: datetime) -> str:
    at = f"{now.timestamp() * 1e6:.0f}"
    connection.once(f"seen {at}", lambda: _make(connection, now, at))
    return ", ".join(
        f"{name} AS (FROM lake_{name}_{at})" for name in ("complete", "seen", "corrected")
    )


def _make(connection: Connection, now: datetime, at: str) -> None:
    made = {
        "complete": _COMPLETE,
        "seen": f"WITH complete AS (FROM lake_complete_{at}), {_SEEN} FROM seen",
        "corrected": _corrected(connection),
    }
    for name, sql in made.items():
        values = {"now": now} if "$now" in sql else {}
        connection.execute(f"CREATE TABLE lake_{name}_{at} AS {sql}", values)


def _corrected(connection: Connection) -> str:
    return CORRECTED if any_correction(connection) else NONE_CORRECTED
