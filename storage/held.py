"""What registers, documents and models in the lake say, for one look at how they fit together."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from evidence.own import CONSISTENCY_KIND
from storage.engine import Connection
from storage.few import MODELS, OFFERED
from storage.own_records import Open, open_of
from storage.pages import all_rows
from storage.placed import SUBJECT, latest_of, of_kinds

_FILES = latest_of(of_kinds("git.register", "git.document"))
_MODELS = latest_of(of_kinds(*MODELS))
_OFFERED = latest_of(of_kinds(OFFERED))
_SPEAKING = latest_of(f"""(SELECT * FROM evidence SEMI JOIN (
    SELECT {SUBJECT} FROM evidence SEMI JOIN claimed USING (item_id)) USING ({SUBJECT}))""")  # noqa: S608


def register_files(connection: Connection) -> list[dict[str, Any]]:
    """Registers as wholes, and documents, that stand now and are no drafts.

    Columns: item_id, kind, subject, payload (parsed). Raises LakeError.
    """
    rows = all_rows(
        connection,
        f"""SELECT item_id, kind, subject, payload FROM ({_FILES}) WHERE change <> 'gone'
            AND coalesce(payload->>'$.level', 'document') IN ('register', 'document')
        ORDER BY subject, item_id""",  # noqa: S608  ours
    )
    return [row | {"payload": json.loads(row["payload"])} for row in rows]


def first_authors(connection: Connection, registers: Collection[str]) -> dict[str, str]:
    """Register and id of a record, as in `risks/R-1` → who committed its first version.

    Raises LakeError.
    """
    rows = all_rows(
        connection,
        """SELECT (payload->>'$.register') || '/' || (payload->>'$.id') AS record,
            arg_min(payload->>'$.author', payload->>'$.committed_at') AS author
        FROM lake_few WHERE kind = 'git.register' AND (payload->>'$.level') = 'record'
            AND (payload->>'$.register') IN (SELECT unnest($registers::VARCHAR[]))
        GROUP BY record""",
        {"registers": sorted(registers)},
    )
    return {row["record"]: row["author"] or "" for row in rows}


def models_offered(connection: Connection) -> list[dict[str, Any]]:
    """Each foundation model that can be called in Bedrock, by its id, once for each region.

    Columns: name, at (since when the region's list is as it is), item_id. Raises LakeError.
    """
    return all_rows(
        connection,
        f"""SELECT unnest(payload->>'$.usable[*].id') AS name, observed_to AS at, item_id
        FROM ({_OFFERED}) WHERE change <> 'gone' ORDER BY name, item_id""",  # noqa: S608  ours
    )


def models_used(connection: Connection) -> list[dict[str, Any]]:
    """Each version of a model that evidence shows, once, with the last time that it does.

    Columns: kind, name, version (empty where the name says it), system, at, item_id. Of MLflow only
    what an alias of production names. Raises LakeError.
    """
    return all_rows(
        connection,
        f"""SELECT kind, name, version, system, max(observed_to) AS at,
            arg_max(item_id, row(observed_to, item_id)) AS item_id
        FROM (SELECT kind, item_id, system, observed_to,
                coalesce(nullif(payload->>'$.group', ''), payload->>'$.model',
                    payload->>'$.name') AS name,
                coalesce(payload->>'$.version', '') AS version
            FROM ({_MODELS}) WHERE change <> 'gone'
                AND (kind <> 'mlflow.model_alias' OR (payload->>'$.production') = 'true'))
        WHERE name <> '' GROUP BY ALL ORDER BY kind, name, version, system""",  # noqa: S608  ours
    )


def speaking(
    connection: Connection, left_out: Collection[str], applying: Collection[str]
) -> list[dict[str, Any]]:
    """What stands in the lake for controls that were left out, and for none of those that apply.

    Columns: control, items, and title and item_id of the newest. What only supports, failed or was
    corrected does not count. Raises LakeError.
    """
    if not left_out:
        return []
    return all_rows(
        connection,
        f"""WITH of AS (SELECT DISTINCT control, item_id, strength FROM lake_claims
            WHERE control IN (SELECT unnest($left_out::VARCHAR[]) UNION ALL
                SELECT unnest($applying::VARCHAR[]))),
        claimed AS (SELECT DISTINCT control, item_id FROM of
            WHERE control IN (SELECT unnest($left_out::VARCHAR[])) AND strength <> 'supporting'
                AND item_id NOT IN (SELECT item_id FROM of
                    WHERE control IN (SELECT unnest($applying::VARCHAR[]))))
        SELECT control, count(*) AS items, arg_max(title, row(observed_to, item_id)) AS title,
            arg_max(item_id, row(observed_to, item_id)) AS item_id
        FROM claimed JOIN ({_SPEAKING}) USING (item_id)
        WHERE change <> 'gone' AND outcome NOT IN ('failed', 'error')
            AND item_id NOT IN (SELECT item_id FROM lake_corrected)
        GROUP BY control ORDER BY control""",  # noqa: S608  ours
        {"left_out": sorted(left_out), "applying": sorted(applying)},
    )


def open_findings(connection: Connection) -> dict[str, Open]:
    """Subject → what its last record says, for findings that have not ended. Raises LakeError."""
    return open_of(connection, CONSISTENCY_KIND)
