"""What the judge of freshness needs to know of the lake, folded by one query."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb

from evidence.errors import LakeError
from evidence.freshness import CLOCK_SKEW, Sighting
from evidence.model import Nature
from evidence.times import utc
from storage.engine import Connection

Key = tuple[str, str, str]

SEEN = """
complete AS (
    SELECT source, pull_id, finished_at, states, backfill FROM pulls
    WHERE outcome = 'complete' AND finished_at <= $now AND landed_at <= $now
), beats AS (
    SELECT source, max(finished_at) AS beat FROM complete WHERE NOT backfill GROUP BY source
), state_beats AS (
    SELECT source, kind, max(finished_at) AS beat
    FROM (SELECT source, unnest(states) AS kind, finished_at FROM complete WHERE NOT backfill)
    GROUP BY source, kind
), seen AS (
    SELECT item_id, p.source, p.kind, nature, system, subject, title, observed_from, observed_to,
        collected_at, change, outcome, revision, place,
        CASE nature WHEN 'state' THEN s.beat ELSE b.beat END AS beat,
        coalesce(collected_at <= b.beat, false)
            OR pull_id IN (SELECT pull_id FROM complete) AS confirmed
    FROM lake_placed p LEFT JOIN beats b ON b.source = p.source
        LEFT JOIN state_beats s ON s.source = p.source AND s.kind = p.kind
    WHERE landed_at <= $now
)"""
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

_SQL = f"""
WITH {SEEN}, many AS (
    -- Most events stand alone: what is the last of one row need not be asked, nor kept in memory.
    SELECT source, kind, system, subject FROM seen GROUP BY ALL HAVING count(*) > 1
), {LAST.format(subjects="many")}, claims AS (
    SELECT DISTINCT item_id, control, evidence FROM tags WHERE NOT starts_with(control, 'event:')
), claimed AS (
    SELECT c.control, c.evidence, s.*,
        CASE WHEN l.source IS NULL THEN s.place ELSE l.newest.place END AS last_place,
        CASE WHEN l.source IS NULL THEN s.change ELSE l.newest.change END AS last_change,
        l.source IS NULL OR l.newest.place = s.place OR l.believed_place = s.place AS stands,
        CASE WHEN l.source IS NOT NULL THEN l.confirmed_revision
            WHEN confirmed THEN s.revision END AS confirmed_revision
    FROM seen s
    JOIN claims c USING (item_id)
    LEFT JOIN last l USING (source, kind, system, subject)
), state_claims AS (
    -- Only states ask for these: to sort every event into its subject would take half of the time.
    SELECT control, evidence, source, kind, system, subject, max(place) AS last_claim,
        max(place) FILTER (confirmed) AS last_confirmed
    FROM claims JOIN seen USING (item_id)
    SEMI JOIN (SELECT DISTINCT source, kind, system, subject FROM seen WHERE nature = 'state')
        USING (source, kind, system, subject)
    GROUP BY ALL
), ranked AS (
    SELECT c.*, s.last_claim, s.last_confirmed
    FROM claimed c LEFT JOIN state_claims s
        ON c.control IS NOT DISTINCT FROM s.control AND c.evidence IS NOT DISTINCT FROM s.evidence
        AND c.source = s.source AND c.kind = s.kind AND c.system = s.system
        AND c.subject = s.subject
), judged AS (
    -- A state speaks only while it is what the source holds: not once it has turned into
    -- something that no longer earns the tag. An event stays what happened, unless a later version
    -- of it took its place.
    SELECT *, confirmed AND last_change <> 'gone' AND (
            (nature = 'event' AND revision = confirmed_revision)
            OR (nature = 'state' AND place = last_confirmed AND last_claim = last_place)) AS speaks,
        -- Nor is a failure ended by what no complete pull confirmed, or by what is yet to happen.
        stands AND change <> 'gone' AND outcome IN ('failed', 'error') AS fails,
        -- Of several subjects the latest by its own time: how often one was revised says nothing.
        row(observed_to, collected_at, place) AS recent,
        row(observed_to <= $now + to_seconds($skew),
            coalesce(CASE nature WHEN 'state' THEN beat ELSE observed_to END,
                     TIMESTAMPTZ '-infinity'),
            recent) AS worth
    FROM ranked
), event_times AS (
    SELECT system, map_from_entries(list(row(name, latest))) AS events FROM (
        SELECT s.system, substr(t.control, 7) AS name, max(s.observed_from) AS latest
        FROM tags t JOIN seen s USING (item_id)
        WHERE starts_with(t.control, 'event:') AND s.observed_from <= $now
        GROUP BY ALL)
    GROUP BY system
), folded AS (
    SELECT control, evidence, system,
        arg_max(struct_pack(observed_to, nature, item_id, title, source, beat), worth)
            FILTER (speaks) AS best,
        count(*) FILTER (confirmed AND last_change <> 'gone') AS count,
        count(*) FILTER (NOT confirmed) AS unconfirmed,
        list(item_id ORDER BY recent DESC) FILTER (fails) AS failing,
        max(CASE nature WHEN 'state' THEN $now ELSE observed_to END) FILTER (fails) AS failing_at,
        arg_max(struct_pack(title, kind, subject, outcome, source), recent)
            FILTER (fails) AS failure,
        arg_max(source, recent) AS source
    FROM judged GROUP BY control, evidence, system
)
SELECT f.*, e.events FROM folded f LEFT JOIN event_times e USING (system)
ORDER BY control, evidence, system
"""  # noqa: S608  no text from outside


def sightings(connection: Connection, now: datetime) -> dict[Key, Sighting]:
    """(control, evidence kind, system) → what had landed of it by `now`.

    An item counts once a complete pull of its source confirms it; a failing one at once. A subject
    that is gone counts for nothing. Items without a system count for the organisation only.
    Raises LakeError.
    """
    moment = utc(now, what="now")
    values = {"now": moment, "skew": CLOCK_SKEW.total_seconds()}
    try:
        cursor = connection.execute(_SQL, values)
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be judged: {error}") from error
    return {(r["control"], r["evidence"], r["system"]): _sighting(r) for r in rows}


def event_times(connection: Connection, now: datetime) -> dict[str, datetime]:
    """Each event that makes older evidence stale → its latest time by `now`, whichever system it
    happened to. Raises LakeError."""
    sql = """SELECT substr(control, 7), max(observed_from) FROM tags JOIN evidence USING (item_id)
        WHERE starts_with(control, 'event:') AND observed_from <= $now AND landed_at <= $now
        GROUP BY ALL"""
    try:
        rows = connection.execute(sql, {"now": utc(now, what="now")}).fetchall()
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be judged: {error}") from error
    return {name: at.astimezone(UTC) for name, at in rows}


def _sighting(row: Mapping[str, Any]) -> Sighting:
    best = row["best"] or {}
    failing = tuple(row["failing"] or ())
    return Sighting(
        newest=_utc(best.get("observed_to")),
        nature=Nature(best.get("nature", Nature.EVENT)),
        item_id=best.get("item_id", ""),
        title=best.get("title", ""),
        source=best.get("source", row["source"]),
        heartbeat=_utc(best.get("beat")),
        failing=failing,
        failing_at=_utc(row["failing_at"]),
        failing_why=_why(row["failure"], len(failing)) if failing else "",
        count=row["count"],
        unconfirmed=row["unconfirmed"],
        events={name: at.astimezone(UTC) for name, at in (row["events"] or {}).items()},
    )


def _why(failure: Mapping[str, str], number: int) -> str:
    what = " ".join(failure["title"].split()) or f"{failure['kind']} {failure['subject']}"
    what = what if len(what) <= 160 else what[:159] + "…"
    word = "failed" if failure["outcome"] == "failed" else "ended in an error"
    more = f" (+{number - 1} more)" if number > 1 else ""
    return f"“{what}” {word}{more}"


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
