"""Corrections as they stand: what each says, who stands by it, and what it takes from its item.

The rule: one person can make things look worse, two are needed to make them look better.

- One person's correction takes its item away as proof; one that says `failed` or `error` makes it
  count as a failure. What the item says against a control still counts.
- A second person's confirmation overrides the item: it no longer counts as a failure either. No
  failure that somebody states is overridden.
- A withdrawal ends the override at once. The correction itself ends when a second person confirms
  the withdrawal, or at once when its own author takes it back before anybody confirmed it.

An act answers another by its item id, so clocks that disagree do not matter. One of a form that is
not known here still takes its item away as proof, and confirms or withdraws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from evidence.correction import BAD, FORM, Act, Correction, Wrong
from evidence.model import EvidenceItem
from evidence.own import CORRECTION_KIND, OWN_SOURCE
from storage.actions import acting_user
from storage.code import code_version
from storage.engine import Connection, literal
from storage.lake import Lake

_BAD = ", ".join(sorted(literal(word) for word in BAD))
_ELSEWHERE = ", ".join(literal(word) for word in (Wrong.SYSTEM, Wrong.MISTAKE))
_FAILS = f"(wrong = '{Wrong.OUTCOME}' AND holds IN ({_BAD}))"
_SECOND = """struct_pack(person := {0}.person, reason := {0}.reason, at := {0}.landed_at,
    account := {0}.account)"""


def corrections_sql(evidence: str) -> str:
    """Every correction with its confirmation and withdrawal, from a relation like `evidence`."""
    return f"""
    WITH acts AS (
        SELECT item_id AS act, landed_at, payload->>'$.what' AS what,
            payload->>'$.item_id' AS item_id, payload->>'$.answers' AS answers,
            payload->>'$.wrong' AS wrong, payload->>'$.holds' AS holds,
            coalesce(payload->>'$.by', '') AS person, payload->>'$.reason' AS reason,
            payload->>'$.account' AS account,
            lower(trim(regexp_replace(coalesce(payload->>'$.by', ''), '\\s+', ' ', 'g'))) AS who,
            coalesce((payload->>'$.form') = '{FORM}', false) AS known
        FROM {evidence} WHERE source = '{OWN_SOURCE}' AND kind = '{CORRECTION_KIND}'
    ), confirmed AS (
        SELECT a.act, arg_min({_SECOND.format("c")}, row(c.landed_at, c.act)) AS second
        FROM acts a JOIN acts c ON c.answers = a.act AND c.item_id = a.item_id
        WHERE c.what = '{Act.CONFIRM}' AND c.known AND c.who <> '' AND c.who <> a.who
        GROUP BY a.act
    ), withdrawals AS (
        SELECT a.act, {_SECOND.format("w")} AS withdrawal, w.landed_at, w.act AS answer,
            x.act IS NOT NULL OR (w.who = a.who AND k.act IS NULL) AS settled
        FROM acts a JOIN acts w ON w.answers = a.act AND w.item_id = a.item_id
        LEFT JOIN confirmed x ON x.act = w.act LEFT JOIN confirmed k ON k.act = a.act
        WHERE w.what = '{Act.WITHDRAW}' AND w.known AND w.who <> ''
    ), withdrawn AS (
        SELECT act, bool_or(settled) AS settled,
            arg_min(answer, row(NOT settled, landed_at, answer)) AS answer,
            arg_min(withdrawal, row(NOT settled, landed_at, answer)) AS withdrawal
        FROM withdrawals GROUP BY act
    )
    SELECT a.act AS correction, a.item_id, a.wrong, a.holds, a.reason,
        a.person AS corrected_by, a.landed_at AS corrected_at, a.account,
        CASE WHEN w.settled THEN 'withdrawn' WHEN w.act IS NOT NULL THEN 'withdrawal asked'
            WHEN k.act IS NOT NULL AND NOT {_FAILS} THEN 'overriding' ELSE 'in force' END AS state,
        k.second.person AS confirmed_by, k.second.reason AS confirmed_why,
        k.second.at AS confirmed_at, k.second.account AS confirmed_account,
        w.withdrawal.person AS withdrawn_by,
        w.withdrawal.reason AS withdrawn_why, w.withdrawal.at AS withdrawn_at,
        w.answer AS withdrawal
    FROM acts a LEFT JOIN confirmed k USING (act) LEFT JOIN withdrawn w USING (act)
    WHERE a.item_id IS NOT NULL AND coalesce(a.what, '') NOT IN ('{Act.CONFIRM}', '{Act.WITHDRAW}')
    """  # noqa: S608  ours


def corrected_sql(corrections: str) -> str:
    """One row for each corrected item: what it counts as, from a relation like `corrections`.

    `says` is the failure that somebody states (null: none), `overridden` whether two people took
    away what it says against, `elsewhere` whether they said too that its system is another; `why`
    is one struct of who and why for either.
    """
    return f"""
    SELECT item_id, max(holds) FILTER ({_FAILS}) AS says,
        bool_or(state = 'overriding') AND says IS NULL AS overridden,
        overridden AND bool_or(state = 'overriding' AND wrong IN ({_ELSEWHERE})) AS elsewhere,
        arg_min(struct_pack(one := corrected_by, two := confirmed_by, reason := reason),
            row(NOT {_FAILS}, state <> 'overriding', corrected_at, correction)) FILTER
            ({_FAILS} OR state = 'overriding') AS why
    FROM {corrections} WHERE state <> 'withdrawn' GROUP BY item_id
    """  # noqa: S608  ours


NONE_CORRECTED = """SELECT NULL::VARCHAR AS item_id, NULL::VARCHAR AS says,
        NULL::BOOLEAN AS overridden, NULL::BOOLEAN AS elsewhere,
        NULL::STRUCT(one VARCHAR, two VARCHAR, reason VARCHAR) AS why WHERE false"""
"""What `corrected_sql` gives where nothing was corrected, in a tenth of the time to plan."""


def any_correction(connection: Connection) -> bool:
    """Whether the connection shows an act that corrects, confirms or withdraws, of any form."""
    sql = f"""SELECT 1 FROM lake_few
        WHERE source = '{OWN_SOURCE}' AND kind = '{CORRECTION_KIND}' LIMIT 1"""  # noqa: S608  ours
    return connection.execute(sql).fetchone() is not None


def correction_item(lake: Lake, act: Act, facts: Mapping[str, Any], *, title: str) -> EvidenceItem:
    """The act as an item about the corrected one, to land with `land_own`.

    `facts` hold `item_id`, `by` and `reason`, and for an answer the id of the act it `answers`.
    """
    at = lake.clock()
    payload = {"form": FORM, "what": act.value, "account": acting_user()}
    return EvidenceItem(
        source=OWN_SOURCE, kind=CORRECTION_KIND, subject=facts["item_id"], observed_from=at,
        observed_to=at, collected_at=at, actor=facts["by"], title=title,
        payload=payload | {"code_version": code_version()} | dict(facts),
    )  # fmt: skip


def told_correction(row: Mapping[str, Any]) -> str:
    """A row of the view `corrections` for people: what was said, by whom, and what stands of it."""
    said = f"{_sentence(row)}, says {row['corrected_by']} on {_day(row['corrected_at'])}: "
    parts = [said + str(row["reason"])]
    if row["confirmed_by"]:
        alike = row["confirmed_account"] == row["account"]
        parts.append(_answered("confirmed", row) + (" (from the same account)" if alike else ""))
    if row["withdrawn_by"]:
        asked = "withdrawn" if row["state"] == "withdrawn" else "to be withdrawn, asks"
        parts.append(_answered(asked, row, "withdrawn"))
    return f"{row['state']}: {'; '.join(parts)} (correction {row['correction']})"


def what_counts(rows: Sequence[Mapping[str, Any]]) -> str:
    """In a word what comes of an item's corrections, as `corrections_of` gives them."""
    if all(row["state"] == "withdrawn" for row in rows):
        return ""
    if rows[0]["overridden"]:
        return "overridden"
    return "corrected to failed" if rows[0]["fails"] else "corrected"


def _sentence(row: Mapping[str, Any]) -> str:
    try:
        return Correction("", Wrong(row["wrong"]), row["holds"] or "", "x", "x").sentence
    except ValueError:
        return "is wrong, in words that only a newer Headwater knows"


def _answered(word: str, row: Mapping[str, Any], name: str = "confirmed") -> str:
    reason = f": {row[f'{name}_why']}" if row[f"{name}_why"] else ""
    by = row[f"{name}_by"]
    who = f"{word} {by}" if word.endswith("asks") else f"{word} by {by}"
    return f"{who} on {_day(row[f'{name}_at'])}{reason}"


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")
