"""What each question of the judge begins with: the items as of a moment, and what was corrected.

Of a large lake they are shown in parts of the subjects, one after the other: what is asked of a
subject hangs on its own items, so memory need not hold all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import duckdb

from evidence.errors import LakeError
from evidence.times import utc
from storage.corrections import NONE_CORRECTED, any_correction, corrected_sql, corrections_sql
from storage.engine import Connection

_COMPLETE = """SELECT source, pull_id, finished_at, landed_at, states, backfill FROM pulls
    WHERE outcome = 'complete' AND finished_at <= $now AND landed_at <= $now"""
_HAPPENED = """SELECT DISTINCT substr(t.control, 7) AS name, e.system, e.observed_from AS moment,
        greatest(e.observed_from, e.landed_at) AS told
    FROM lake_claims t JOIN evidence e USING (item_id)
    WHERE starts_with(t.control, 'event:') AND e.observed_from <= $now AND e.landed_at <= $now"""
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

AT_ONCE = 500_000
"""Items whose subjects are shown together at most."""
PER_MEBIBYTE = 250
"""Items of which the engine holds all that it needs to judge them in so much memory."""
PART, CLAIMS = "lake_part_seen", "lake_part_claims"
_PART = f"""WITH complete AS (FROM lake_complete_{{at}}), {_SEEN} FROM seen
    WHERE hash(source, kind, system, subject) % {{parts}} = {{part}}"""
_PART_CLAIMS = f"""SELECT item_id, control, evidence, strength FROM lake_claims
    SEMI JOIN {PART} USING (item_id) WHERE NOT starts_with(control, 'event:')"""  # noqa: S608  ours


def in_parts(connection: Connection, now: datetime, work: Callable[[], None]) -> None:
    """Do some work for each part of the subjects: what it asks by `ask_seen`, as of this moment, is
    asked of that part alone. Of a little lake there is one. Raises LakeError.
    """
    if connection.little:
        work()
        return
    moment = utc(now, what="now")
    try:
        begun = _begun(connection, moment)
        parts = _parts(connection)
        for part in range(parts):
            seen = _PART.format(at=_at(moment), parts=parts, part=part)
            _table(connection, PART, seen, moment)
            _table(connection, CLAIMS, _PART_CLAIMS, moment)
            connection.shown = f"{begun}, seen AS NOT MATERIALIZED (FROM {PART})"
            work()
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be judged: {error}") from error
    finally:
        connection.shown = ""
        for name in (PART, CLAIMS):
            connection.execute(f"DROP TABLE IF EXISTS {name}")


def _parts(connection: Connection) -> int:
    (rows,) = connection.execute("SELECT count(*) FROM evidence").fetchone() or (0,)
    return 1 + int(rows) // min(AT_ONCE, connection.memory_mb * PER_MEBIBYTE)


def _table(connection: Connection, name: str, sql: str, now: datetime) -> None:
    values = {"now": now} if "$now" in sql else {}
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS {sql}", values)


def ask_seen(
    connection: Connection, sql: str, now: datetime, values: Mapping[str, Any]
) -> duckdb.DuckDBPyConnection:
    """Ask a question in whose text `{seen}` stands for `complete`, `happened`, `corrected` and
    `seen`, and `{claims}` for what is claimed of the items seen.

    The first three, and of a little lake the last, are made once for all questions about one
    moment: to plan them takes longer than all that is asked of them. Raises duckdb.Error,
    LakeError.
    """
    moment = utc(now, what="now")
    begun = connection.shown or f"{_begun(connection, moment)}, {_all(connection, moment)}"
    text = sql.replace("{seen}", begun).replace("{claims}", shown_claims(connection))
    given = {"now": moment, **values}
    return connection.execute(text, {name: given[name] for name in given if f"${name}" in text})


def shown_claims(connection: Connection) -> str:
    """The relation of what is claimed of the items that are shown now."""
    return CLAIMS if connection.shown else "lake_claims"


def _at(now: datetime) -> str:
    return f"{now.timestamp() * 1e6:.0f}"


def _begun(connection: Connection, now: datetime) -> str:
    """What is so of all items: made once as of a moment."""
    made: Mapping[str, Callable[[], str]] = {
        "complete": lambda: _COMPLETE, "happened": lambda: _HAPPENED,
        "corrected": lambda: _corrected(connection),
    }  # fmt: skip
    return ", ".join(_once(connection, name, sql, now) for name, sql in made.items())


def _all(connection: Connection, now: datetime) -> str:
    if not connection.little:
        return _SEEN
    sql = f"WITH complete AS (FROM lake_complete_{_at(now)}), {_SEEN} FROM seen"
    return _once(connection, "seen", lambda: sql, now)


def _once(connection: Connection, name: str, sql: Callable[[], str], now: datetime) -> str:
    table = f"lake_{name}_{_at(now)}"
    connection.once(table, lambda: _table(connection, table, sql(), now))
    return f"{name} AS NOT MATERIALIZED (FROM {table})"


def _corrected(connection: Connection) -> str:
    return CORRECTED if any_correction(connection) else NONE_CORRECTED
