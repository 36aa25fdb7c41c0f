"""Incidents as they stand in the lake: records of registers, and tickets taken for one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from storage.engine import Connection
from storage.pages import all_rows

EVIDENCE = "incident_ticket"
_THING = "source, kind, subject"
_SAID = "json_object({})::VARCHAR".format(
    ", ".join(f"'{name}', payload->'$.{name}'" for name in ("became_aware", "kind", "labels"))
)


def incident_rows(connection: Connection, registers: Sequence[str]) -> list[dict[str, Any]]:
    """The last version of each incident, also of one that is `gone` at its source by now.

    Columns: item_id, source, kind, subject, system, title, payload (parsed), gone, opened (the
    earliest time that any version of it is about, or was committed at), and said: what all versions
    told of its kind and since when it is known, as payloads. Raises LakeError.
    """
    rows = all_rows(
        connection,
        f"""WITH wanted AS (
            SELECT {_THING} FROM evidence WHERE kind = 'git.register'
                AND (payload->>'$.register') IN (SELECT unnest($registers::VARCHAR[]))
                AND (payload->>'$.level') = 'record'
            UNION SELECT {_THING} FROM evidence SEMI JOIN (
                SELECT item_id FROM tags WHERE evidence = $evidence) USING (item_id)
                WHERE kind <> 'git.register'
        ), stands AS (
            SELECT arg_max(item_id, place) FILTER (change <> 'gone') AS item_id,
                arg_max(change, place) = 'gone' AS gone,
                min(coalesce(TRY_CAST(payload->>'$.committed_at' AS TIMESTAMPTZ), observed_from))
                    AS opened,
                list(DISTINCT {_SAID}) FILTER (change <> 'gone') AS said
            FROM lake_placed SEMI JOIN wanted USING ({_THING}) GROUP BY {_THING}
        ) SELECT item_id, source, kind, subject, system, title, payload, gone, opened, said
        FROM evidence JOIN stands USING (item_id) ORDER BY kind, subject, item_id""",  # noqa: S608
        {"registers": list(registers), "evidence": EVIDENCE},
    )
    return [
        row | {"payload": json.loads(row["payload"]), "said": [json.loads(s) for s in row["said"]]}
        for row in rows
    ]
