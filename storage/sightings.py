"""What the judge of freshness needs to know of the lake, folded by one query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from evidence.errors import LakeError
from evidence.freshness import CLOCK_SKEW, Sighting, Support
from evidence.model import Nature
from evidence.times import utc
from storage.engine import Connection
from storage.seen import LAST, ask_seen, in_parts

Key = tuple[str, str, str]

_FOLDED = f"""
WITH {{seen}}, many AS (
    -- Most events stand alone: what is the last of one row need not be asked, nor kept in memory.
    SELECT source, kind, system, subject FROM seen GROUP BY ALL HAVING count(*) > 1
), {LAST.format(subjects="many")}, last_uncorrected AS (
    -- What a corrected item once ended counts again, or a correction could hide a failure.
    SELECT source, kind, system, subject, max(place) AS place,
        max(place) FILTER (confirmed AND observed_to <= $now + to_seconds($skew)) AS believed_place
    FROM seen
    SEMI JOIN (SELECT source, kind, system, subject FROM seen SEMI JOIN corrected USING (item_id))
        USING (source, kind, system, subject)
    ANTI JOIN corrected USING (item_id)
    GROUP BY source, kind, system, subject
), claims AS (
    SELECT item_id, control, evidence, bool_or(lake_weighs(strength)) AS weighs FROM {{claims}}
    WHERE NOT starts_with(control, 'event:') GROUP BY ALL
), claimed AS (
    SELECT c.control, c.evidence, c.weighs, s.*,
        CASE WHEN l.source IS NULL THEN s.place ELSE l.newest.place END AS last_place,
        CASE WHEN l.source IS NULL THEN s.change ELSE l.newest.change END AS last_change,
        l.source IS NULL OR l.newest.place = s.place OR l.believed_place = s.place
            OR coalesce(u.place = s.place OR u.believed_place = s.place, false)
            OR (k.item_id IS NOT NULL AND coalesce(s.place >= u.believed_place, true)) AS stands,
        k.item_id IS NOT NULL AS corrected, coalesce(overridden, false) AS overridden, says, k.why,
        s.change <> 'gone' AND (says IS NOT NULL OR outcome IN ('failed', 'error')) AS bad,
        CASE WHEN l.source IS NOT NULL THEN l.confirmed_revision
            WHEN confirmed THEN s.revision END AS confirmed_revision
    FROM seen s
    JOIN claims c USING (item_id)
    LEFT JOIN last l USING (source, kind, system, subject)
    LEFT JOIN last_uncorrected u USING (source, kind, system, subject)
    LEFT JOIN corrected k USING (item_id)
), states AS MATERIALIZED (
    SELECT item_id, source, kind, system, subject, place, confirmed FROM seen
    SEMI JOIN (SELECT source, kind, system, subject FROM seen WHERE nature = 'state')
        USING (source, kind, system, subject)
), state_claims AS (
    -- Only states ask for these: to sort every event into its subject would take half of the time.
    SELECT control, evidence, source, kind, system, subject, max(place) AS last_claim,
        max(place) FILTER (confirmed) AS last_confirmed
    FROM states JOIN claims USING (item_id)
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
    SELECT *, confirmed AND NOT corrected AND last_change <> 'gone' AND (
            (nature = 'event' AND revision = confirmed_revision)
            OR (nature = 'state' AND place = last_confirmed AND last_claim = last_place)) AS speaks,
        -- Nor is a failure ended by what no complete pull confirmed, or by what is yet to happen.
        stands AND bad AND NOT overridden AS fails, stands AND bad AND overridden AS would_fail,
        -- Of several subjects the latest by its own time: how often one was revised says nothing.
        struct_pack(observed_to, collected_at, place) AS recent,
        struct_pack(believed := observed_to <= $now + to_seconds($skew),
            seen := coalesce(CASE nature WHEN 'state' THEN beat ELSE observed_to END,
                             TIMESTAMPTZ '-infinity'),
            recent := recent) AS worth
    FROM ranked
)
SELECT control, evidence, system,
    arg_max(struct_pack(worth, observed_to, nature, item_id, title, source, beat), worth)
        FILTER (speaks AND weighs) AS best,
    arg_max(struct_pack(worth, observed_to, item_id, title), worth)
        FILTER (speaks AND NOT weighs) AS support,
    count(*) FILTER (confirmed AND NOT corrected AND last_change <> 'gone') AS count,
    count(*) FILTER (NOT confirmed AND NOT corrected) AS unconfirmed,
    count(*) FILTER (corrected AND last_change <> 'gone') AS corrected,
    list(recent) FILTER (fails) AS failing,
    max(CASE nature WHEN 'state' THEN $now ELSE observed_to END) FILTER (fails) AS failing_at,
    arg_max(struct_pack(recent, title, kind, subject, outcome, says, why), recent)
        FILTER (fails) AS failure,
    list(recent) FILTER (would_fail) AS overridden,
    max(CASE nature WHEN 'state' THEN $now ELSE observed_to END)
        FILTER (would_fail) AS overridden_at,
    arg_max(struct_pack(recent, title, kind, subject, outcome, why), recent)
        FILTER (would_fail) AS waived,
    arg_max(struct_pack(recent, source), recent) AS newest
FROM judged GROUP BY control, evidence, system
"""  # noqa: S608  no text from outside
"""What some subjects make of each key, with all by which it is put together with what others do."""
_TABLE = "lake_folded"
_TOGETHER = f"""
SELECT control, evidence, system, arg_max(best, best.worth) AS best,
    arg_max(support, support.worth) AS support, sum(count)::BIGINT AS count,
    sum(unconfirmed)::BIGINT AS unconfirmed, sum(corrected)::BIGINT AS corrected,
    [r.place.item_id FOR r IN list_sort(flatten(list(failing)), 'DESC')] AS failing,
    max(failing_at) AS failing_at, arg_max(failure, failure.recent) AS failure,
    [r.place.item_id FOR r IN list_sort(flatten(list(overridden)), 'DESC')] AS overridden,
    max(overridden_at) AS overridden_at, arg_max(waived, waived.recent) AS waived,
    arg_max(newest, newest.recent).source AS source
FROM {_TABLE} GROUP BY control, evidence, system ORDER BY control, evidence, system
"""  # noqa: S608  ours
_EVENTS = """WITH {seen} SELECT system, name, max(moment) FROM happened GROUP BY ALL"""


def sightings(connection: Connection, now: datetime) -> dict[Key, Sighting]:
    """(control, evidence kind, system) → what had landed of it by `now`.

    An item counts once a complete pull of its source confirms it; a failing one at once. A subject
    that is gone counts for nothing. A corrected item proves nothing, and what it had ended counts
    again; one that two people overrode is no failure either (`storage/corrections.py`). Items
    without a system count for the organisation only. What the connection leaves aside only
    supports: it puts nothing in date, and fails like all else. Raises LakeError.
    """
    found = Folding(connection, now)
    in_parts(connection, now, found.take)
    return found.told()


@dataclass(slots=True)
class Folding:
    """`sightings`, put together of what comes of some subjects after the others."""

    connection: Connection
    now: datetime
    _into: str = f"CREATE OR REPLACE TEMP TABLE {_TABLE} AS"

    def take(self) -> None:
        """Lay aside what comes of the subjects that are shown now. Raises LakeError."""
        if not self.connection.little:  # of which all are shown at once
            self._ask(f"{self._into} {_FOLDED}")
            self._into = f"INSERT INTO {_TABLE}"

    def told(self) -> dict[Key, Sighting]:
        """The sightings of all that was taken, once. Raises LakeError."""
        little = self.connection.little
        cursor = self._ask(f"WITH {_TABLE} AS ({_FOLDED}) {_TOGETHER}" if little else _TOGETHER)
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        events: dict[str, dict[str, datetime]] = defaultdict(dict)
        for system, name, at in self._ask(_EVENTS).fetchall():
            events[system][name] = at.astimezone(UTC)
        self._ask(f"DROP TABLE IF EXISTS {_TABLE}")
        return {
            (r["control"], r["evidence"], r["system"]): _sighting(r, events.get(r["system"], {}))
            for r in rows
        }

    def _ask(self, sql: str) -> duckdb.DuckDBPyConnection:
        try:
            values = {"skew": CLOCK_SKEW.total_seconds()}
            return ask_seen(self.connection, sql, self.now, values)
        except duckdb.Error as error:
            raise LakeError(f"the lake cannot be judged: {error}") from error


def event_times(connection: Connection, now: datetime) -> dict[str, datetime]:
    """Each event that makes older evidence stale → its latest time by `now`, whichever system it
    happened to. Raises LakeError."""
    sql = """SELECT substr(control, 7), max(observed_from)
        FROM lake_claims JOIN evidence USING (item_id)
        WHERE starts_with(control, 'event:') AND observed_from <= $now AND landed_at <= $now
        GROUP BY ALL"""
    try:
        rows = connection.execute(sql, {"now": utc(now, what="now")}).fetchall()
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be judged: {error}") from error
    return {name: at.astimezone(UTC) for name, at in rows}


def _sighting(row: Mapping[str, Any], events: Mapping[str, datetime]) -> Sighting:
    best = row["best"] or {}
    failing, overridden = tuple(row["failing"] or ()), tuple(row["overridden"] or ())
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
        events=events,
        corrected=row["corrected"],
        support=None if best else _support(row["support"]),
        overridden=overridden,
        overridden_at=_utc(row["overridden_at"]),
        overridden_why=_overridden(row["waived"], len(overridden)) if overridden else "",
    )


def _support(told: Mapping[str, Any] | None) -> Support | None:
    if not told:
        return None
    at = told["observed_to"].astimezone(UTC)
    return Support(told["item_id"], _short(told["title"]), at)


def _why(failure: Mapping[str, Any], number: int) -> str:
    told = _ended(failure, failure["says"] or failure["outcome"])
    if failure["says"]:
        told += f", as {failure['why']['one']} states: {_short(failure['why']['reason'])}"
    return told + _more(number)


def _overridden(failure: Mapping[str, Any], number: int) -> str:
    why = failure["why"]
    people = f"overridden by {why['one']} and {why['two']} because {_short(why['reason'])}"
    return f"{_ended(failure, failure['outcome'])}, {people}{_more(number)}"


def _ended(failure: Mapping[str, Any], outcome: str) -> str:
    what = _short(failure["title"]) or f"{failure['kind']} {failure['subject']}"
    return f"“{what}” {'failed' if outcome == 'failed' else 'ended in an error'}"


def _short(text: str | None) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= 160 else line[:159] + "…"


def _more(number: int) -> str:
    return f" (+{number - 1} more)" if number > 1 else ""


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
