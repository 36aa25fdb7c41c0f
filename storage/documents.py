"""The documents and registers in git as they stand: what they say of themselves, where they lie."""

from __future__ import annotations

import json
from typing import Any

from evidence.own import DRIFT_KIND, OWN_SOURCE
from storage.engine import Connection
from storage.pages import all_rows
from storage.placed import latest_of

DOCUMENT = "git.document"
_STANDING = f"""SELECT item_id, subject, source, system, title, observed_to, payload
    FROM ({latest_of(f"(SELECT * FROM evidence WHERE kind = '{DOCUMENT}')")})
    WHERE change <> 'gone' AND (payload->>'$.level') IS NULL ORDER BY subject, source"""  # noqa: S608


_HEADERS = f"""SELECT subject, payload FROM (
        {latest_of("(SELECT * FROM evidence WHERE kind = 'git.register')")})
    WHERE change <> 'gone' AND (payload->>'$.level') = 'register' ORDER BY subject, source"""  # noqa: S608


def headers(connection: Connection) -> dict[str, dict[str, Any]]:
    """Register → what its file says of the whole: owner, approved_by … Raises LakeError."""
    rows = (json.loads(row["payload"]) for row in all_rows(connection, _HEADERS))
    return {str(row["register"]): row for row in rows}


def documents(connection: Connection) -> list[dict[str, Any]]:
    """Each document that is no draft: `fields` is its front matter with git's facts, `path` where
    it lies, beside item_id, source, system, title and observed_to. Raises LakeError."""
    return [
        {name: row[name] for name in ("item_id", "source", "system", "title", "observed_to")}
        | {"path": row["subject"], "fields": json.loads(row["payload"])}
        for row in all_rows(connection, _STANDING)
    ]


def drifts_told(connection: Connection) -> dict[str, dict[str, Any]]:
    """Subject → what was landed last of a document's drifts: the payload, title and system.

    Raises LakeError.
    """
    rows = all_rows(
        connection,
        """SELECT subject, system, title, payload FROM evidence
        WHERE source = $own AND kind = $kind QUALIFY row_number() OVER
            (PARTITION BY subject ORDER BY landed_at DESC, observed_to DESC) = 1
        ORDER BY subject""",
        {"own": OWN_SOURCE, "kind": DRIFT_KIND},
    )
    return {
        row["subject"]: json.loads(row["payload"])
        | {"title": row["title"], "system": row["system"]}
        for row in rows
    }
