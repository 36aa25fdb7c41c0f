"""Drafts as they stand: what they rest on, who decided what, and whether that has changed since.

The rule: a draft changes nothing, and neither does its acceptance: a text is no evidence, whoever
stands by it. Of two decisions that contradict one another the rejection stands; one person is
enough for each, and to take one back. An act answers another by its item id, so clocks that
disagree do not matter. One of a form that is not known here is no draft.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from evidence.draft import FORM, Act
from evidence.model import EvidenceItem
from evidence.own import DRAFT_KIND, OWN_SOURCE
from storage.actions import acting_user
from storage.code import code_version
from storage.engine import Connection, literal
from storage.lake import Lake
from storage.pages import all_rows

OPEN, ACCEPTED, REJECTED, ABSTAINED = "open", "accepted", "rejected", "abstained"

DRAFTS = f"""
    WITH acts AS (
        SELECT item_id AS act, landed_at, title, payload, payload->>'$.what' AS what,
            payload->>'$.answers' AS answers, coalesce(payload->>'$.by', '') AS person,
            payload->>'$.reason' AS reason
        FROM evidence WHERE source = '{OWN_SOURCE}' AND kind = '{DRAFT_KIND}'
            AND (payload->>'$.form') = '{FORM}'
    ), decided AS (
        -- A rejection first: of two that contradict one another the careful one stands.
        SELECT answers, arg_min(struct_pack(act, what, person, reason, landed_at),
            row(what = '{Act.ACCEPT}', landed_at, act)) AS decision
        FROM acts d WHERE what IN ('{Act.ACCEPT}', '{Act.REJECT}') AND person <> ''
            AND act NOT IN (SELECT answers FROM acts
                WHERE what = '{Act.WITHDRAW}' AND person <> '' AND answers IS NOT NULL)
        GROUP BY answers
    ), relied AS (
        SELECT act, unnest(TRY_CAST(payload->'$.relied' AS VARCHAR[])) AS item_id
        FROM acts WHERE what = '{Act.DRAFT}'
    ), moved AS (
        SELECT DISTINCT act FROM relied WHERE item_id NOT IN (
            SELECT item_id FROM latest WHERE change <> 'gone' AND item_id NOT IN (
                SELECT item_id FROM corrections WHERE state <> 'withdrawn'))
    )
    SELECT a.act AS draft, payload->>'$.task' AS task, payload->>'$.about' AS about,
        CASE WHEN a.what = '{Act.ABSTAIN}' THEN '{ABSTAINED}' WHEN d.decision IS NULL THEN
            '{OPEN}' WHEN d.decision.what = '{Act.ACCEPT}' THEN '{ACCEPTED}' ELSE '{REJECTED}' END
            AS state,
        m.act IS NOT NULL AS outdated, payload->>'$.why' AS why, payload->>'$.text' AS text,
        payload->>'$.text_sha256' AS text_sha256, payload->>'$.model' AS model,
        payload->>'$.model_digest' AS model_digest, payload->>'$.prompt_digest' AS prompt_digest,
        coalesce(TRY_CAST(payload->'$.cited' AS VARCHAR[]), []) AS cited,
        coalesce(json_array_length(payload->'$.sentences'), 0)::BIGINT AS sentences,
        coalesce(TRY_CAST(payload->>'$.unwritten' AS BIGINT), 0) AS unwritten,
        landed_at AS drafted_at, d.decision.act AS decision, d.decision.person AS decided_by,
        d.decision.reason AS decided_why, d.decision.landed_at AS decided_at
    FROM acts a LEFT JOIN decided d ON d.answers = a.act LEFT JOIN moved m ON m.act = a.act
    WHERE a.what IN ('{Act.DRAFT}', '{Act.ABSTAIN}')
    """  # noqa: S608  ours
"""Every draft with the decision that stands, from the relations `evidence`, `latest` and
`corrections`. `outdated` are those that rest on an item which stood when they were drafted and has
since been replaced, gone at its source, corrected or disposed of."""


def draft_item(lake: Lake, act: Act, facts: Mapping[str, Any], *, title: str) -> EvidenceItem:
    """The act as an item, to land with `land_own`.

    `facts` are those of the draft; for a person's act also `by`, `reason`, and the id of the act
    that it `answers`.
    """
    at = lake.clock()
    account = acting_user()
    payload = {"form": FORM, "what": act.value, "account": account, "code_version": code_version()}
    return EvidenceItem(
        source=OWN_SOURCE, kind=DRAFT_KIND, subject=f"{facts['task']}: {facts['about']}",
        observed_from=at, observed_to=at, collected_at=at, actor=facts.get("by") or account,
        title=title, payload=payload | dict(facts),
    )  # fmt: skip


def told_draft(row: Mapping[str, Any]) -> str:
    """A row of the view `drafts` for people: what was drafted, by which model, who decided what."""
    told = f"{row['draft'][:16]}  {row['about']}: {row['state']}"
    told += ", OUTDATED: what it rests on has changed since" if row["outdated"] else ""
    by = "code alone" if row["model"] == "none" else row["model"]
    told += f"; by {by} on {_day(row['drafted_at'])}"
    if row["state"] == ABSTAINED:
        return f"{told}: {row['why']}"
    told += f", {row['sentences']} sentences on {len(row['cited'])} items"
    if row["decided_by"]:
        told += f"; {row['state']} by {row['decided_by']} on {_day(row['decided_at'])}"
        told += f": {row['decided_why']}"
    return told


def drafts_in(connection: Connection) -> list[dict[str, Any]]:
    """All drafts, those that wait for a decision first, then the newest."""
    return all_rows(
        connection,
        f"SELECT * FROM drafts ORDER BY state <> '{OPEN}', drafted_at DESC, draft",  # noqa: S608
    )


def open_drafts(connection: Connection) -> list[dict[str, Any]]:
    """Those that wait for a decision, the oldest first; `told` is what the record of each says."""
    drafted = all_rows(
        connection,
        f"""SELECT 1 AS any FROM lake_few WHERE source = '{OWN_SOURCE}' AND kind = '{DRAFT_KIND}'
        LIMIT 1""",  # noqa: S608
    )
    if not drafted:  # the view asks how each item stands, which takes long in a large lake
        return []
    rows = all_rows(
        connection,
        f"""SELECT d.draft, about, outdated, drafted_at, payload FROM drafts d
        JOIN lake_few e ON e.item_id = d.draft WHERE state = '{OPEN}'
        ORDER BY drafted_at, d.draft""",  # noqa: S608
    )
    return [row | {"told": json.loads(row["payload"])} for row in rows]


def find_drafts(connection: Connection, what: str) -> list[dict[str, Any]]:
    """The drafts whose own id, or that of the decision in force, begins with `what`."""
    return all_rows(
        connection,
        """SELECT * FROM drafts WHERE starts_with(draft, $what)
            OR starts_with(coalesce(decision, ''), $what) ORDER BY draft""",
        {"what": what},
    )


def citable(
    connection: Connection, controls: Collection[str], systems: Collection[str], most: int
) -> tuple[list[str], int]:
    """Ids of items that stand and speak to one of these controls (none named: to any), of one of
    these AI systems (none named: of any), at most `most`; and how many there are in all.

    What failed comes first; then kinds and sources take turns, the newest item of each first.
    """
    spoken = [f"control IN ({_listed(controls)})"] if controls else []
    where = [f"system IN ({_listed(systems)})"] if systems else []
    rows = all_rows(
        connection,
        f"""SELECT item_id, count(*) OVER () AS items FROM (
            SELECT item_id, outcome IN ('failed', 'error') AS bad, observed_to, row_number() OVER (
                PARTITION BY kind, source ORDER BY observed_to DESC, item_id) AS turn
            FROM latest WHERE {" AND ".join(["change <> 'gone'", *where])}
                AND NOT starts_with(kind, 'headwater.') AND item_id IN (SELECT item_id FROM tags
                    WHERE {" AND ".join(["NOT starts_with(control, 'event:')", *spoken])})
        ) ORDER BY NOT bad, turn, observed_to DESC, item_id LIMIT $most""",  # noqa: S608  quoted
        {"most": most},
    )
    return [row["item_id"] for row in rows], rows[0]["items"] if rows else 0


def failed_first(connection: Connection, ids: Sequence[str]) -> list[str]:
    """The same ids, those of items that failed or erred first, else in their order."""
    rows = all_rows(
        connection,
        f"""SELECT item_id FROM evidence
        WHERE item_id IN ({_listed(ids)}) AND outcome IN ('failed', 'error')""",  # noqa: S608
    )
    bad = {row["item_id"] for row in rows}
    return sorted(ids, key=lambda one: one not in bad)


def standing_items(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Of these items, those that stand as the latest of their subject → their change."""
    rows = all_rows(
        connection,
        f"SELECT item_id, change FROM latest WHERE item_id IN ({_listed(ids)})",  # noqa: S608
    )
    return {row["item_id"]: row["change"] for row in rows}


def heartbeats(connection: Connection) -> dict[str, datetime]:
    """Source → when its last complete pull of the present ended."""
    rows = all_rows(
        connection,
        """SELECT source, max(finished_at) AS beat FROM pulls
        WHERE outcome = 'complete' AND NOT backfill GROUP BY source""",
    )
    return {row["source"]: row["beat"] for row in rows}


def whole_pulls(connection: Connection, ids: Collection[str]) -> set[str]:
    """Of these pulls, those that finished whole."""
    rows = all_rows(
        connection,
        f"SELECT pull_id FROM pulls WHERE outcome = 'complete' AND pull_id IN ({_listed(ids)})",  # noqa: S608
    )
    return {row["pull_id"] for row in rows}


def overtaking(connection: Connection, at: datetime) -> dict[tuple[str, str], datetime]:
    """(event, AI system) → the latest time by `at` of each event that makes evidence stale."""
    rows = all_rows(
        connection,
        """SELECT substr(control, 7) AS event, system, max(observed_from) AS at
        FROM tags JOIN evidence USING (item_id)
        WHERE starts_with(control, 'event:') AND observed_from <= $at GROUP BY ALL""",
        {"at": at},
    )
    return {(row["event"], row["system"]): row["at"] for row in rows}


def _listed(texts: Collection[str]) -> str:
    return ", ".join(map(literal, sorted(texts))) or "NULL"


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")
