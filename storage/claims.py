"""Which items speak to which controls: what no rule takes, what is declared to be context only,
and what other rules would change."""

from __future__ import annotations

from typing import Any

from storage.engine import Connection
from storage.pages import all_rows

_UNTAGGED = """
SELECT kind, source, count(*) AS items, max(observed_to) AS newest,
    arg_max(item_id, observed_to) AS item_id, arg_max(title, observed_to) AS title
FROM evidence ANTI JOIN lake_claims USING (item_id) ANTI JOIN lake_context USING (item_id)
WHERE NOT starts_with(kind, 'headwater.') AND change <> 'gone'
GROUP BY kind, source ORDER BY items DESC, kind, source
"""
_CONTEXT = """
SELECT declaration, any_value(rationale) AS rationale, count(*) AS items,
    string_agg(DISTINCT kind, ', ' ORDER BY kind) AS kinds,
    arg_max(item_id, row(observed_to, item_id)) AS item_id,
    arg_max(title, row(observed_to, item_id)) AS title
FROM context JOIN evidence USING (item_id)
GROUP BY declaration ORDER BY items DESC, declaration
"""
_SEVERAL = """
WITH several AS (  -- few: only their names are strung together
    SELECT item_id, control FROM lake_claims WHERE NOT starts_with(control, 'event:')
    GROUP BY item_id, control HAVING min(evidence) <> max(evidence)
)
SELECT kind, evidence, rules, count(DISTINCT item_id) AS items, min(item_id) AS item_id,
    arg_min(title, item_id) AS title
FROM (
    SELECT item_id, string_agg(DISTINCT evidence, ', ' ORDER BY evidence) AS evidence,
        string_agg(DISTINCT rule, ', ' ORDER BY rule) AS rules
    FROM lake_claims SEMI JOIN several USING (item_id, control)
    GROUP BY item_id, control
) JOIN evidence USING (item_id)
GROUP BY kind, evidence, rules ORDER BY items DESC, kind, evidence, rules
"""
_DIFFERENCES = """
WITH items AS (SELECT * FROM evidence),
older AS (SELECT DISTINCT item_id, control, evidence, strength FROM ({old})),
newer AS (SELECT DISTINCT item_id, control, evidence, strength FROM ({new})),
moved AS (
    SELECT *, true AS gained FROM (SELECT * FROM newer EXCEPT SELECT * FROM older)
    UNION ALL
    SELECT *, false AS gained FROM (SELECT * FROM older EXCEPT SELECT * FROM newer)
)
SELECT m.control, m.evidence, m.strength, e.kind, count(*) FILTER (gained) AS gained,
    count(*) FILTER (NOT gained) AS lost, min(item_id) AS item_id,
    arg_min(e.title, item_id) AS title
FROM moved m JOIN evidence e USING (item_id)
GROUP BY ALL ORDER BY m.control, m.evidence, e.kind, m.strength
"""


def untagged_kinds(connection: Connection) -> list[dict[str, Any]]:
    """Kinds and sources of items that no rule takes and no declaration calls context, the most
    first: kind, source, items, newest, and item_id and title of the newest. Raises LakeError."""
    return all_rows(connection, _UNTAGGED)


def context_only(connection: Connection) -> list[dict[str, Any]]:
    """Declarations of context and what waits for no rule by them, the most first: declaration,
    rationale, items, kinds, item_id and title of the newest. An item that two declare is in both.
    Raises LakeError."""
    return all_rows(connection, _CONTEXT)


def claimed_twice(connection: Connection) -> list[dict[str, Any]]:
    """Items that rules take for several kinds of evidence of one control, by kind: kind, evidence,
    rules, items, item_id and title of one. Raises LakeError."""
    return all_rows(connection, _SEVERAL)


def differences(connection: Connection, old: str, new: str) -> list[dict[str, Any]]:
    """What the SELECT `new` says otherwise than `old`, both over the relation `items`.

    A row a control, kind of evidence, strength and kind of item: how many items gain and lose it,
    item_id and title of one. Raises LakeError.
    """
    return all_rows(connection, _DIFFERENCES.replace("{old}", old).replace("{new}", new))
