"""What looks better because it went away: failures at their source, records in registers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from storage.pages import REGISTER_KINDS, Connection, all_rows, item_tags
from storage.placed import SUBJECT, of_kinds, placed_sql

_BAD = "outcome IN ('failed', 'error') AND change <> 'gone'"
_SQL = f"""
WITH moved AS (
    SELECT DISTINCT {SUBJECT} FROM evidence
    WHERE change IN ('gone', 'changed') AND landed_at > $since AND NOT ({_BAD})
), failing AS (
    SELECT DISTINCT {SUBJECT} FROM evidence SEMI JOIN moved USING ({SUBJECT})
    WHERE {_BAD}
), whole AS (
    SELECT * FROM evidence SEMI JOIN failing USING ({SUBJECT})
), told AS (
    SELECT {SUBJECT}, arg_max(w, place) AS now,
        arg_max(w, place) FILTER ({_BAD}) AS before,
        max(place) AS last, max(place) FILTER ({_BAD}) AS last_bad
    FROM ({placed_sql("whole")}) w GROUP BY {SUBJECT}
)
SELECT before.item_id AS item_id, source, system, kind, subject, before.title AS title,
    before.outcome AS outcome, now.outcome AS says, now.change = 'gone' AS gone,
    now.item_id AS by_item, now.landed_at AS landed_at, now.actor AS actor,
    before.nature AS nature
FROM told
WHERE last > last_bad AND now.landed_at > $since AND (now.change = 'gone' OR (
    now.nature = 'event' AND now.change = 'changed' AND now.observed_to <= before.observed_to))
ORDER BY landed_at DESC, item_id
"""  # noqa: S608  no text from outside


_TAKEN_OUT = f"""
SELECT before.item_id AS item_id, subject, system, before.title AS title,
    before.payload->>'$.register' AS register, now.landed_at AS landed_at, now.actor AS actor
FROM (
    SELECT {SUBJECT}, arg_max(w, place) AS now,
        arg_max(w, place) FILTER (change <> 'gone') AS before
    FROM ({placed_sql(of_kinds(*REGISTER_KINDS))}) w GROUP BY {SUBJECT}
)
WHERE now.change = 'gone' AND now.landed_at > $since AND (before.payload->>'$.level') = 'record'
ORDER BY register, actor, subject, item_id
"""  # noqa: S608  no text from outside


def taken_out(connection: Connection, since: datetime) -> list[dict[str, Any]]:
    """The records that registers hold no more since then.

    A row holds the record as it was (`item_id`, `subject`, `system`, `title`, `register`), who took
    it out (`actor`, as git tells) and when that landed (`landed_at`). Raises LakeError.
    """
    return all_rows(connection, _TAKEN_OUT, {"since": since})


def vanished(connection: Connection, since: datetime) -> list[dict[str, Any]]:
    """The failures that count no more since then though no later result took their place.

    A row holds the failing item (`item_id`, `source`, `system`, `kind`, `subject`, `title`,
    `outcome`, `nature`) and what took it away: whether it is `gone`, or what it `says` instead of
    the same time, by which item (`by_item`), who did (`actor`, as the source tells) and when it
    landed (`landed_at`). Newest first. Raises LakeError.
    """
    rows = all_rows(connection, _SQL, {"since": since})
    # Asked of few ids: to hold the claims of all items beside them would take memory for each.
    claimed = {row["item_id"] for row in item_tags(connection, [row["item_id"] for row in rows])
               if not row["control"].startswith("event:")} if rows else set()  # fmt: skip
    return [row for row in rows if row["item_id"] in claimed]
