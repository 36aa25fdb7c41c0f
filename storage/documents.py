"""The documents and registers in git as they stand: what they say of themselves, where they lie."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evidence.own import DRIFT_KIND, OWN_SOURCE
from evidence.reviewers import Merge
from storage.engine import Connection
from storage.pages import all_rows
from storage.placed import latest_of, of_kinds

DOCUMENT = "git.document"
_PAPERS = f"""CREATE TEMP TABLE IF NOT EXISTS lake_papers AS
    SELECT item_id, source, kind, system, subject, title, change, observed_to, collected_at,
        landed_at, payload
    FROM lake_few WHERE kind = '{DOCUMENT}'"""  # noqa: S608
"""Read once a connection: boards ask for documents several times."""
_STANDING = f"""SELECT item_id, subject, source, system, title, observed_to, payload
    FROM ({latest_of("lake_papers")})
    WHERE change <> 'gone' AND (payload->>'$.level') IS NULL ORDER BY subject, source"""  # noqa: S608
_ONCE = """SELECT source, subject,
    arg_max(payload->>'$.rendered.template', row(landed_at, collected_at))
        FILTER ((payload->>'$.rendered.template') IS NOT NULL) AS template,
    arg_max(payload, row(landed_at, collected_at))
        FILTER ((payload->>'$.text_sha256') IS NOT NULL) AS asking,
    list({'rendered': payload->'$.rendered', 'body': payload->>'$.body_sha256'}
        ORDER BY landed_at, collected_at)
        FILTER ((payload->>'$.rendered.template') IS NOT NULL) AS versions
    FROM lake_papers GROUP BY ALL"""
_HEADERS = f"""SELECT subject, payload FROM (
        {latest_of("(SELECT * FROM lake_few WHERE kind = 'git.register')")})
    WHERE change <> 'gone' AND (payload->>'$.level') = 'register' ORDER BY subject, source"""  # noqa: S608


def headers(connection: Connection) -> dict[str, dict[str, Any]]:
    """Register → what its file says of the whole: owner, approved_by … Raises LakeError."""
    rows = (json.loads(row["payload"]) for row in all_rows(connection, _HEADERS))
    return {str(row["register"]): row for row in rows}


def documents(connection: Connection) -> list[dict[str, Any]]:
    """Each document that is no draft: `fields` is its front matter with git's facts, `path` where
    it lies, beside item_id, source, system, title and observed_to. `template` is what the last of
    its versions that was rendered was made by, `asked` the fields of the last that asked for
    approval; both empty where none did. `versions` are those that were rendered, oldest first:
    `rendered` of each, and the SHA-256 of its `body`. Raises LakeError."""
    connection.execute(_PAPERS)
    rows = all_rows(connection, _STANDING)
    once = {(row["source"], row["subject"]): row for row in all_rows(connection, _ONCE)} \
        if rows else {}  # fmt: skip
    return [_document(row, once[row["source"], row["subject"]]) for row in rows]


def _document(row: Mapping[str, Any], once: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in ("item_id", "source", "system", "title", "observed_to")}
    return kept | {
        "path": row["subject"], "fields": json.loads(row["payload"]),
        "template": once["template"] or "", "asked": json.loads(once["asking"] or "{}"),
        "versions": [one | {"rendered": json.loads(one["rendered"])}
                     for one in once["versions"] or ()],
    }  # fmt: skip


def drifts_told(connection: Connection) -> dict[str, dict[str, Any]]:
    """Subject → what was landed last of a document's drifts: the payload, and the system.

    Raises LakeError.
    """
    rows = all_rows(
        connection,
        """SELECT subject, system, payload FROM lake_few
        WHERE source = $own AND kind = $kind QUALIFY row_number() OVER
            (PARTITION BY subject ORDER BY landed_at DESC, observed_to DESC) = 1
        ORDER BY subject""",
        {"own": OWN_SOURCE, "kind": DRIFT_KIND},
    )
    return {row["subject"]: json.loads(row["payload"]) | {"system": row["system"]} for row in rows}


_ASKING = f"""SELECT item_id, source, kind, system, subject, title, payload
    FROM ({latest_of(of_kinds("git.document", "git.register"))})
    WHERE change <> 'gone' AND (payload->>'$.text_sha256') IS NOT NULL
    ORDER BY kind, subject, source"""  # noqa: S608
_BROUGHT = f"""SELECT source, subject, payload->>'$.text_sha256' AS sha256,
    list(DISTINCT {{'commit': payload->>'$.commit', 'file': payload->>'$.file',
        'blob': payload->>'$.blob'}}) AS versions
    FROM {of_kinds("git.document", "git.register")}
    WHERE (payload->>'$.text_sha256') IS NOT NULL GROUP BY ALL"""  # noqa: S608
_BRANCHES = "(SELECT * FROM evidence WHERE kind = 'git.branch')"
_CLAIMING = f"""SELECT item_id FROM evidence WHERE item_id IN (SELECT unnest($items::VARCHAR[]))
    AND source IN (SELECT source FROM ({latest_of(_BRANCHES)})
        WHERE change <> 'gone' AND (payload->>'$.claimed_counts') = 'true')"""  # noqa: S608
_PULLS = "(SELECT * FROM evidence WHERE kind = 'review.pull')"
_REVIEWED = f"""SELECT source, payload FROM ({latest_of(_PULLS)})
    WHERE (payload->>'$.commit') IN (SELECT unnest($commits::VARCHAR[]))
        AND item_id NOT IN (SELECT item_id FROM lake_corrected) ORDER BY source, subject"""  # noqa: S608
_ACCOUNTS = f"""SELECT DISTINCT source, one->>'$.id' AS number, one->>'$.login' AS login FROM (
        SELECT source, unnest([payload->'$.author', payload->'$.merged_by']
            || (payload->'$.contributors[*]') || (payload->'$.reviews[*].by')) AS one
        FROM {_PULLS} WHERE source IN (SELECT unnest($sources::VARCHAR[]))
            AND (payload->'$.files') IS NOT NULL)
    WHERE (one->>'$.id') IS NOT NULL ORDER BY ALL"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Asking:
    """A document or record that asks named people to approve it: `fields` say whom, `sha256` is of
    the text. `of` is how approvals call it, `versions` are those of this very text: `commit` that
    brought it, `file`, `blob`. `dropped`: a version before asked, and this one does no more."""

    item_id: str
    source: str
    kind: str
    system: str
    of: str
    title: str
    fields: Mapping[str, Any]
    sha256: str
    versions: tuple[Mapping[str, str], ...]
    dropped: bool = False


def asking(connection: Connection) -> list[Asking]:
    """Each text that stands and asks for approval. Raises LakeError."""
    rows = all_rows(connection, _ASKING)
    if not rows:
        return []
    brought = {
        (row["source"], row["subject"], row["sha256"]): tuple(sorted(row["versions"], key=str))
        for row in all_rows(connection, _BROUGHT)
    }
    return [_asking(row, json.loads(row["payload"]), brought) for row in rows]


def _asking(
    row: Mapping[str, Any], fields: Mapping[str, Any],
    brought: Mapping[tuple[str, str, str], tuple[Mapping[str, str], ...]],
) -> Asking:  # fmt: skip
    key = row["source"], row["subject"], fields["text_sha256"]
    return Asking(
        item_id=row["item_id"], source=row["source"], kind=row["kind"], system=row["system"],
        of=row["subject"].removeprefix("register/") if row["kind"] != DOCUMENT else row["subject"],
        title=row["title"], fields=fields, sha256=fields["text_sha256"],
        versions=brought.get(key, ()),
    )  # fmt: skip


def asking_no_more(connection: Connection) -> list[Asking]:
    """Each document that stands and asks nobody, though a version before it did: those who were
    asked then approve the text without it, by the SHA-256 of its body. Raises LakeError."""
    return [
        Asking(
            item_id=row["item_id"], source=row["source"], kind=DOCUMENT, system=row["system"],
            of=row["path"], title=row["title"], fields=row["asked"],
            sha256=str(row["fields"]["body_sha256"]), versions=(row["fields"],), dropped=True,
        )
        for row in documents(connection)
        if row["asked"] and "text_sha256" not in row["fields"]
    ]  # fmt: skip


def claims_count(connection: Connection, records: Iterable[str]) -> frozenset[str]:
    """Of these records of registers, by item id, those from sources whose settings say that what
    somebody else claims counts, as of their last pull. Raises LakeError."""
    rows = all_rows(connection, _CLAIMING, {"items": sorted(records)})
    return frozenset(row["item_id"] for row in rows)


def merges(connection: Connection, commits: Iterable[str]) -> dict[str, list[Merge]]:
    """Commit → the merged changes that made it, each as it was told last. Raises LakeError."""
    found: dict[str, list[Merge]] = defaultdict(list)
    for row in all_rows(connection, _REVIEWED, {"commits": sorted(set(commits))}):
        told = json.loads(row["payload"])
        found[told["commit"]].append(Merge(
            row["source"], f"{told.get('repository', '')}#{told.get('number', '')}",
            told.get("files"), told.get("author"), told.get("contributors", ()),
            bool(told.get("commits_whole")), told.get("reviews", ()),
        ))  # fmt: skip
    return found


def accounts_seen(connection: Connection, sources: Iterable[str]) -> list[tuple[str, str, str]]:
    """Source, number and login of each account in merges of repositories that hold documents, by
    any version that landed. Raises LakeError."""
    rows = all_rows(connection, _ACCOUNTS, {"sources": sorted(set(sources))})
    return [(row["source"], row["number"], row["login"] or "") for row in rows]
