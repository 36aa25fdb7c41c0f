"""The questions that boards ask of the views, each answered for many items at once."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from evidence.errors import LakeError
from evidence.own import CORRECTION_KIND, OWN_SOURCE, WAIVER_KIND
from storage.engine import Connection, literal
from storage.placed import SUBJECT, latest_of, of_kinds
from storage.tally import Tally, asked, counted, table_of, tally_of

__all__ = [
    "Connection", "Counted", "any_act", "context_of", "control_items", "control_page",
    "corrections_of", "counts", "find_items", "item_rows", "item_tags", "known_items",
    "leaf_indexes", "overridden_items", "records", "seen_systems", "versions_of",
]  # fmt: skip

_ITEM = """item_id, source, kind, nature, system, subject, title, change, outcome, actor, locator,
    observed_from, observed_to, collected_at, landed_at, content_sha256, pull_id, payload"""
_MOST_FOUND, _WHOLE = 20, 64
REGISTER_KINDS = ("git.register", "human.attestation", WAIVER_KIND)
"""Kinds whose latest items are the records of registers, however old they are."""
_NEWEST = 50_000
_CLAIMS = "lake_claims WHERE NOT starts_with(control, 'event:')"

_RECORDS = f"""CREATE TEMP TABLE lake_records AS
    SELECT item_id, system, subject, payload, payload->>'$.register' AS register,
        (source = $own OR coalesce(collected_at <= beat OR pull_id IN whole, false))
            AND item_id NOT IN (SELECT item_id FROM lake_corrected) AS confirmed
    FROM ({latest_of(of_kinds(*REGISTER_KINDS))}) LEFT JOIN (
        SELECT source, max(finished_at) FILTER (NOT backfill) AS beat, list(pull_id) AS whole
        FROM pulls WHERE outcome = 'complete' GROUP BY source) USING (source)
    WHERE change <> 'gone' AND (payload->>'$.level') = 'record'"""  # noqa: S608  ours
"""Read once a connection: payloads lie scattered, and every register is asked for by itself."""


SHOWN = 8
_NEWEST_FIRST = "observed_to DESC, landed_at DESC, item_id"
_SORTED: list[tuple[str, Literal["ascending", "descending"]]] = [
    ("control", "ascending"), ("observed_to", "descending"), ("landed_at", "descending"),
    ("item_id", "ascending"),
]  # fmt: skip
NEWEST = Tally(
    "newest", lambda connection: _newest_items(connection, SHOWN),
    f"""SELECT * FROM parts QUALIFY row_number() OVER
        (PARTITION BY control ORDER BY {_NEWEST_FIRST}) <= {SHOWN}""",  # noqa: S608  ours
)  # fmt: skip
"""The newest items of each control."""


def control_items(connection: Connection, most: int = SHOWN) -> dict[str, list[str]]:
    """Control → the ids of its items, newest first by observed time, at most `most` each."""
    rows = tally_of(connection, NEWEST) if most == SHOWN else _newest_items(connection, most)
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows.sort_by(_SORTED).to_pylist():
        found[row["control"]].append(row["item_id"])
    return dict(found)


def _newest_items(connection: Connection, most: int) -> pa.Table:
    """The newest items of each control, at most `most`: control, observed_to, landed_at, item_id.

    Raises LakeError.
    """
    rows = all_rows(connection, f"SELECT DISTINCT control FROM {_CLAIMS}")  # noqa: S608  ours
    # The newest items fill most controls: only for the others is every item of theirs put in order.
    newest = f"""observed_to >= (SELECT min(observed_to) FROM (
        SELECT observed_to FROM evidence ORDER BY observed_to DESC LIMIT {_NEWEST}))"""  # noqa: S608
    found = _newest_among(connection, most, newest, [row["control"] for row in rows])
    numbers = Counter(found["control"].to_pylist())
    rare = [row["control"] for row in rows if numbers[row["control"]] < most]
    full = found.filter(pc.invert(pc.is_in(found["control"], pa.array(rare, pa.string()))))
    return pa.concat_tables([full, _newest_among(connection, most, "true", rare)])


def _newest_among(
    connection: Connection, most: int, where: str, controls: Sequence[str]
) -> pa.Table:
    wanted = ", ".join(map(literal, controls)) or "NULL"
    return table_of(
        connection,
        f"""SELECT control, observed_to, landed_at, item_id
        FROM (SELECT DISTINCT control, item_id FROM {_CLAIMS} AND control IN ({wanted}))
            JOIN (SELECT item_id, observed_to, landed_at FROM evidence WHERE {where})
                USING (item_id)
        QUALIFY row_number() OVER (PARTITION BY control ORDER BY {_NEWEST_FIRST}) <= {most}""",  # noqa: S608  quoted
    )


def item_rows(connection: Connection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The items of these ids as they landed, payload as canonical JSON text."""
    return all_rows(
        connection,
        f"SELECT {_ITEM} FROM evidence WHERE item_id IN ({_spelled(ids)})",  # noqa: S608  quoted
    )


def find_items(connection: Connection, prefix: str) -> list[dict[str, Any]]:
    """The items whose id begins with `prefix`, at most 20."""
    # A whole id is looked up by the files' Bloom filters; to compare beginnings reads all ids.
    asked = "item_id = $prefix" if len(prefix) == _WHOLE else "starts_with(item_id, $prefix)"
    return all_rows(
        connection,
        f"SELECT {_ITEM} FROM evidence WHERE {asked} "  # noqa: S608
        f"ORDER BY item_id LIMIT {_MOST_FOUND}",
        {"prefix": prefix},
    )


def known_items(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """Of these ids, or beginnings of 8 signs or more, those that one item has → its whole id."""
    rows = all_rows(
        connection,
        """SELECT wanted, min(item_id) AS item_id FROM (SELECT unnest($ids::VARCHAR[]) AS wanted)
            JOIN evidence ON starts_with(item_id, wanted)
        WHERE length(wanted) >= 8 GROUP BY wanted HAVING count(*) = 1""",
        {"ids": sorted(ids)},
    )
    return {row["wanted"]: row["item_id"] for row in rows}


def item_tags(connection: Connection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Why these items speak to which controls: item_id, control, evidence, rule, strength, why."""
    wanted = _spelled(ids)  # on both sides of what the view `tags` joins
    return all_rows(
        connection,
        f"""SELECT item_id, control, evidence, rule, strength, rationale FROM lake_claims
        SEMI JOIN (SELECT item_id FROM evidence WHERE item_id IN ({wanted})) USING (item_id)
        WHERE item_id IN ({wanted}) ORDER BY item_id, control, rule""",  # noqa: S608  quoted
    )


def control_page(
    connection: Connection, control: str, first: int, most: int
) -> list[dict[str, Any]]:
    """What speaks to a control, newest first by observed time: `most` items, the first of them at
    `first`, each with the kinds of evidence that it is taken for."""
    return all_rows(
        connection,
        """SELECT item_id, source, kind, system, subject, title, outcome, observed_to, landed_at,
            taken
        FROM (SELECT item_id, list_sort(list(DISTINCT evidence)) AS taken FROM tags
            WHERE control = $control GROUP BY item_id) JOIN evidence USING (item_id)
        ORDER BY observed_to DESC, landed_at DESC, item_id LIMIT $most OFFSET $first""",
        {"control": control, "first": first, "most": most},
    )


def versions_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Item id → all items of the same source, kind, system and subject, newest landed first."""
    rows = all_rows(
        connection,
        """SELECT asked.item_id AS of, v.item_id, v.change, v.outcome, v.title, v.observed_to,
            v.landed_at
        FROM evidence asked JOIN evidence v USING (source, kind, system, subject)
        WHERE asked.item_id IN (SELECT unnest($ids::VARCHAR[]))
        ORDER BY v.landed_at DESC, v.item_id""",
        {"ids": list(ids)},
    )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row.pop("of")].append(row)
    return dict(found)


def corrections_of(connection: Connection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """All corrections of these items, as the view `corrections` has them, oldest first.

    `fails` and `overridden` say what comes of all of them together for the item.
    """
    if not any_act(connection, CORRECTION_KIND, ids):
        return []
    return all_rows(
        connection,
        """SELECT c.*, coalesce(says IS NOT NULL, false) AS fails,
            coalesce(overridden, false) AS overridden
        FROM corrections c LEFT JOIN lake_corrected USING (item_id)
        WHERE item_id IN (SELECT unnest($ids::VARCHAR[])) ORDER BY corrected_at, correction""",
        {"ids": list(ids)},
    )


def any_act(connection: Connection, kind: str, ids: Sequence[str]) -> bool:
    """Whether an act of Headwater's own of this kind names one of the items. Of most items none
    does, and what stands of all acts takes longer to plan than that to see."""
    sql = f"""SELECT 1 FROM lake_few WHERE source = {literal(OWN_SOURCE)} AND kind = {literal(kind)}
        AND (payload->>'$.item_id') IN ({_spelled(ids)}) LIMIT 1"""  # noqa: S608  quoted
    return bool(all_rows(connection, sql))


def overridden_items(connection: Connection) -> list[dict[str, Any]]:
    """The items that two people overrode, newest first; `why` has `one`, `two` and `reason`."""
    return all_rows(
        connection,
        """SELECT item_id, source, system, subject, title, outcome, why
        FROM evidence JOIN lake_corrected USING (item_id) WHERE overridden
        ORDER BY observed_to DESC, item_id""",
    )


def leaf_indexes(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Item id → its place in the ledger, for those that have one."""
    wanted = _spelled(ids)
    rows = all_rows(
        connection,
        f"""SELECT item_id, leaf_index FROM lake_leaves
        SEMI JOIN (SELECT item_id FROM evidence WHERE item_id IN ({wanted})) USING (item_id)
        WHERE item_id IN ({wanted})""",  # noqa: S608  quoted
    )
    return {row["item_id"]: row["leaf_index"] for row in rows}


def _spelled(ids: Sequence[str]) -> str:
    """Only ids that the engine knows as it plans are looked up by the files' Bloom filters."""
    return ", ".join(map(literal, ids)) or "NULL"


CONTROLS = Tally(
    "controls",
    asked("""SELECT control, count(DISTINCT item_id) AS items FROM tags
        WHERE NOT starts_with(control, 'event:') GROUP BY control"""),
    "SELECT control, sum(items)::BIGINT AS items FROM parts GROUP BY control",
)  # fmt: skip
"""How many items speak to each control."""
KINDS = Tally(
    "kinds",
    asked("""SELECT kind, system, coalesce(elsewhere, false) AS elsewhere, count(*) AS items,
            max(observed_to) AS newest, count(*) FILTER (c.item_id IS NULL) AS uncorrected
        FROM evidence e LEFT JOIN lake_corrected c USING (item_id) GROUP BY ALL"""),
    """SELECT kind, system, elsewhere, sum(items)::BIGINT AS items, max(newest) AS newest,
        sum(uncorrected)::BIGINT AS uncorrected FROM parts GROUP BY ALL""",
)  # fmt: skip
"""How many items there are of each kind and system; `elsewhere`: two people said that the system is
another."""
BARE = Tally(
    "bare",
    asked("""WITH bare AS MATERIALIZED (
            SELECT item_id, kind, source, observed_to, title
            FROM evidence ANTI JOIN lake_claims USING (item_id)
            WHERE NOT starts_with(kind, 'headwater.') AND change <> 'gone'
        ), meant AS (SELECT DISTINCT item_id FROM lake_context SEMI JOIN bare USING (item_id))
        SELECT kind, source, m.item_id IS NOT NULL AS context, count(*) AS items,
            max(struct_pack(observed_to, item_id, title)) AS newest
        FROM bare LEFT JOIN meant m USING (item_id) GROUP BY ALL"""),
    """SELECT kind, source, context, sum(items)::BIGINT AS items, max(newest) AS newest
        FROM parts GROUP BY ALL""",
)  # fmt: skip
"""Items without a tag (Headwater's own and losses aside), and which are context by declaration."""


def control_totals(connection: Connection) -> dict[str, int]:
    """Control → how many items speak to it."""
    return {row["control"]: row["items"] for row in counted(connection, CONTROLS)}


@dataclass(frozen=True, slots=True)
class Counted:
    """How many items landed, and how many of them (Headwater's own and losses aside) have no tag:
    `untagged` wait for a rule, `context` are declared to speak to no control."""

    items: int
    untagged: int
    context: int


def counts(connection: Connection) -> Counted:
    """How many items of each sort are shown. Raises LakeError."""
    bare = counted(connection, BARE)
    return Counted(
        sum(row["items"] for row in counted(connection, KINDS)),
        sum(row["items"] for row in bare if not row["context"]),
        sum(row["items"] for row in bare if row["context"]),
    )


def context_of(connection: Connection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The declarations by which these items are context only: item_id, declaration, rationale."""
    declared = f"""SELECT 1 FROM lake_tags
        WHERE item_id IN ({_spelled(ids)}) AND starts_with(control, 'context:') LIMIT 1"""  # noqa: S608  quoted
    if not all_rows(connection, declared):
        return []
    return all_rows(
        connection,
        """SELECT * FROM context WHERE item_id IN (SELECT unnest($ids::VARCHAR[]))
        ORDER BY item_id, declaration""",
        {"ids": list(ids)},
    )


def unclaimed_errors(connection: Connection) -> int:
    """How many items stand as an error, uncorrected, and have no tag: no control shows them."""
    erring = f"""(SELECT * FROM evidence SEMI JOIN (
        SELECT {SUBJECT} FROM evidence WHERE outcome = 'error') USING ({SUBJECT}))"""  # noqa: S608
    (row,) = all_rows(
        connection,
        f"""SELECT count(*) AS errors FROM ({latest_of(erring)})
            ANTI JOIN lake_claims USING (item_id) ANTI JOIN lake_corrected USING (item_id)
            WHERE outcome = 'error' AND change <> 'gone' AND NOT starts_with(kind, $own)""",  # noqa: S608
        {"own": "headwater."},
    )
    return int(row["errors"])


def records(
    connection: Connection, *registers: str, confirmed: bool = False
) -> list[dict[str, Any]]:
    """The records that registers in git hold now, with `item_id` and `item_system`, the AI system
    of the item; only real registers count. Statements made with `headwater attest` are among them.

    `confirmed` leaves out those that no complete pull of their source has brought or followed, and
    those that somebody corrected. What Headwater landed itself needs no pull.
    """
    connection.once("records", lambda: connection.execute(_RECORDS, {"own": OWN_SOURCE}))
    rows = all_rows(
        connection,
        """SELECT item_id, system, payload FROM lake_records
        WHERE (confirmed OR NOT $confirmed) AND register IN (SELECT unnest($registers::VARCHAR[]))
        ORDER BY subject, item_id""",
        {"registers": list(registers), "confirmed": confirmed},
    )
    return [
        json.loads(row["payload"]) | {"item_id": row["item_id"], "item_system": row["system"]}
        for row in rows
    ]


def seen_systems(connection: Connection) -> list[str]:
    """Every AI system that some item names, unless two people said that it names the wrong one."""
    rows = all_rows(
        connection,
        """SELECT DISTINCT system FROM evidence WHERE system <> ''
            AND item_id NOT IN (SELECT item_id FROM lake_corrected WHERE elsewhere)
        ORDER BY system""",
    )
    return [row["system"] for row in rows]


def all_rows(
    connection: Connection, sql: str, values: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    try:
        return connection.execute(sql, values or {}).to_arrow_table().to_pylist()
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be read: {error}") from error
