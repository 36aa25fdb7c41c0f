"""Proposals of a model as they stand: who decided what, and which tags that makes.

The rule: a model's proposal changes nothing. A person's acceptance as a tag makes the item speak to
the control at once, as a rule does that one person wrote; until a second person confirms it, the
board names it. To take a decision back one person is enough, and so it is to reject: where one
person accepted and another rejected, the proposal stands rejected.

An act answers another by its item id, so clocks that disagree do not matter. One of a form that is
not known here makes no tag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from evidence.model import EvidenceItem
from evidence.own import ACTION_KIND, OWN_SOURCE, SUGGESTION_KIND
from evidence.suggestion import FORM, Act, AskedModel, Becomes
from storage.actions import acting_user
from storage.code import code_version
from storage.engine import Connection, literal
from storage.lake import Lake
from storage.pages import all_rows, any_act

OPEN, ACCEPTED, CONFIRMED, REJECTED = "open", "accepted", "confirmed", "rejected"
_RULE = "accepted:"
LOOKED = "suggest"
"""The subject of the act that a run lands: which items it looked at, and what came of that."""


def suggestions_sql(evidence: str) -> str:
    """Every proposal with the decision that stands, from a relation like `evidence`."""
    return f"""
    WITH acts AS (
        SELECT item_id AS act, landed_at, payload->>'$.what' AS what,
            payload->>'$.answers' AS answers, payload->>'$.item_id' AS item_id,
            payload->>'$.control' AS control, payload->>'$.evidence' AS evidence,
            TRY_CAST(payload->>'$.score' AS DOUBLE) AS score,
            TRY_CAST(payload->>'$.threshold' AS DOUBLE) AS threshold,
            payload->>'$.said.text' AS said, payload->>'$.asked.text' AS asked,
            payload->>'$.model' AS model, payload->>'$.model_digest' AS model_digest,
            payload->>'$.prompt_digest' AS prompt_digest, payload->>'$.becomes' AS becomes,
            payload->>'$.rule' AS rule, coalesce(payload->>'$.by', '') AS person,
            payload->>'$.reason' AS reason,
            lower(trim(regexp_replace(coalesce(payload->>'$.by', ''), '\\s+', ' ', 'g'))) AS who
        FROM {evidence} WHERE source = '{OWN_SOURCE}' AND kind = '{SUGGESTION_KIND}'
            AND (payload->>'$.form') = '{FORM}'
    ), decisions AS (
        SELECT d.* FROM acts d ANTI JOIN (
            SELECT answers FROM acts WHERE what = '{Act.WITHDRAW}' AND who <> ''
        ) w ON w.answers = d.act
        WHERE d.what IN ('{Act.ACCEPT}', '{Act.REJECT}') AND d.who <> ''
    ), decided AS (
        -- A rejection first: of two that contradict one another the careful one stands.
        SELECT answers, arg_min(struct_pack(act, what, becomes, rule, person, reason, landed_at,
            who), row(what = '{Act.ACCEPT}', landed_at, act)) AS decision
        FROM decisions GROUP BY answers
    ), seconded AS (
        SELECT d.decision.act AS act, arg_min(struct_pack(person := c.person, at := c.landed_at),
            row(c.landed_at, c.act)) AS second
        FROM decided d JOIN acts c ON c.answers = d.decision.act
        WHERE c.what = '{Act.CONFIRM}' AND c.who <> '' AND c.who <> d.decision.who GROUP BY ALL
    )
    SELECT p.act AS proposal, p.item_id, p.control, p.evidence, p.score, p.threshold, p.said,
        p.asked, p.model, p.model_digest, p.prompt_digest, p.landed_at AS proposed_at,
        CASE WHEN d.decision IS NULL THEN '{OPEN}' WHEN d.decision.what = '{Act.REJECT}' THEN
            '{REJECTED}' WHEN s.second IS NULL THEN '{ACCEPTED}' ELSE '{CONFIRMED}' END AS state,
        d.decision.becomes AS becomes, d.decision.rule AS rule, d.decision.act AS decision,
        d.decision.person AS decided_by, d.decision.reason AS decided_why,
        d.decision.landed_at AS decided_at, s.second.person AS confirmed_by,
        s.second.at AS confirmed_at
    FROM acts p LEFT JOIN decided d ON d.answers = p.act LEFT JOIN seconded s
        ON s.act = d.decision.act
    WHERE p.what = '{Act.PROPOSE}' AND p.item_id IS NOT NULL AND p.control IS NOT NULL
    """  # noqa: S608  ours


def accepted_sql(suggestions: str) -> str:
    """The tags that people accepted, from a relation like `suggestions`: columns as in `tags`, but
    for the mapping digest, which none of them has."""
    return f"""
    SELECT item_id, control, evidence, '{_RULE}' || left(decision, 16) AS rule,
        CASE state WHEN '{CONFIRMED}' THEN 'partial' ELSE 'supporting' END AS strength,
        'accepted by ' || decided_by || CASE WHEN confirmed_by IS NULL
            THEN '' ELSE ', confirmed by ' || confirmed_by END || ': ' || decided_why
            || ' (proposed by ' || model || ')' AS rationale, decided_at AS tagged_at
    FROM {suggestions} WHERE state IN ('{ACCEPTED}', '{CONFIRMED}') AND becomes = '{Becomes.TAG}'
        AND evidence <> '' AND NOT starts_with(control, 'event:')
    """  # noqa: S608  ours


def suggestion_item(lake: Lake, act: Act, facts: Mapping[str, Any], *, title: str) -> EvidenceItem:
    """The act as an item about the item it speaks of, to land with `land_own`.

    `facts` are those of the proposal; for a person's act also `by`, `reason`, and the id of the act
    that it `answers`.
    """
    at = lake.clock()
    account = acting_user()
    payload = {"form": FORM, "what": act.value, "account": account, "code_version": code_version()}
    return EvidenceItem(
        source=OWN_SOURCE, kind=SUGGESTION_KIND, subject=facts["item_id"], observed_from=at,
        observed_to=at, collected_at=at, actor=facts.get("by") or account, title=title,
        payload=payload | dict(facts),
    )  # fmt: skip


def told_suggestion(row: Mapping[str, Any]) -> str:
    """A row of the view `suggestions` for people: what was proposed, and who decided what."""
    told = f"{row['control']} as {row['evidence']}, {row['state']}: proposed by {row['model']}"
    told += f" on {_day(row['proposed_at'])} at {row['score']:.2f} (threshold {row['threshold']:g})"
    if row["decided_by"]:
        word = "rejected" if row["state"] == REJECTED else f"accepted as a {row['becomes']}"
        told += f"; {word} by {row['decided_by']} on {_day(row['decided_at'])}"
        told += f": {row['decided_why']} (decision {row['decision']})"
    if row["confirmed_by"]:
        told += f"; confirmed by {row['confirmed_by']} on {_day(row['confirmed_at'])}"
    return f"{told} (proposal {row['proposal']})"


def is_accepted(tag: Mapping[str, Any]) -> bool:
    """Whether a person's word made this tag, and no rule: the names of rules hold no colon."""
    return str(tag["rule"]).startswith(_RULE)


def suggestions_of(connection: Connection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """All proposals for these items, as the view `suggestions` has them, the best first."""
    if not any_act(connection, SUGGESTION_KIND, ids):
        return []
    return all_rows(
        connection,
        """SELECT * FROM suggestions WHERE item_id IN (SELECT unnest($ids::VARCHAR[]))
        ORDER BY item_id, score DESC, control, proposal""",
        {"ids": list(ids)},
    )


def suggestions_in(connection: Connection, *states: str) -> list[dict[str, Any]]:
    """All proposals in one of these states with the kind, source and title of their items; the best
    first. An item that was disposed of has none."""
    # Spelled out: with a list as a value the engine first puts all items into a table of its own.
    wanted = ", ".join(map(literal, states))
    return all_rows(
        connection,
        f"""SELECT s.*, kind, source, title FROM suggestions s LEFT JOIN evidence USING (item_id)
        WHERE state IN ({wanted}) ORDER BY score DESC, item_id, control, proposal""",  # noqa: S608
    )


def find_suggestions(connection: Connection, what: str) -> list[dict[str, Any]]:
    """The proposals whose own id, or that of the decision in force, begins with `what`."""
    return all_rows(
        connection,
        """SELECT * FROM suggestions WHERE starts_with(proposal, $what)
            OR starts_with(coalesce(decision, ''), $what) ORDER BY proposal""",
        {"what": what},
    )


def waiting(
    connection: Connection, model: AskedModel, threshold: float, most: int
) -> tuple[list[str], int]:
    """Ids of items that stand, speak to no control, and were not looked at by this model with this
    threshold, at most `most`; and how many there are in all.

    Kinds and sources take turns, the newest item of each first.
    """
    rows = all_rows(
        connection,
        """WITH looked AS (
            SELECT unnest(CAST(payload->'$.facts.looked' AS VARCHAR[])) AS item_id
            FROM evidence WHERE source = $own AND kind = $kind AND subject = $subject
                AND (payload->>'$.facts.model_digest') = $model
                AND (payload->>'$.facts.prompt_digest') = $prompt
                AND TRY_CAST(payload->>'$.facts.threshold' AS DOUBLE) = $threshold
        )
        SELECT item_id, count(*) OVER () AS waiting FROM (
            SELECT item_id, observed_to, row_number() OVER (
                PARTITION BY kind, source ORDER BY observed_to DESC, item_id) AS turn
            FROM latest
            WHERE NOT starts_with(kind, 'headwater.') AND change <> 'gone'
                AND item_id NOT IN (SELECT item_id FROM tags)
                AND item_id NOT IN (SELECT item_id FROM lake_context)
                AND item_id NOT IN (SELECT item_id FROM lake_corrected)
                AND item_id NOT IN (SELECT item_id FROM looked)
        ) ORDER BY turn, observed_to DESC, item_id LIMIT $most""",
        {
            "own": OWN_SOURCE, "kind": ACTION_KIND, "subject": LOOKED, "model": model.digest,
            "prompt": model.prompt_digest, "threshold": threshold, "most": most,
        },
    )  # fmt: skip
    return [row["item_id"] for row in rows], rows[0]["waiting"] if rows else 0


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")
