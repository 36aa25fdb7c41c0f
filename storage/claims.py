"""Which items speak to which controls: what no rule takes, what is declared to be context only,
and what other rules would change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from evidence.errors import LakeError
from evidence.times import stamp
from storage.engine import Connection, ample, literal, open_engine, rows_of, sentence
from storage.files import DataFile
from storage.lake import Lake
from storage.pages import BARE, all_rows
from storage.schema import TABLES
from storage.tally import Tally, asked, counted, table_of

CONTEXT = Tally(
    "context",
    asked("""SELECT declaration, any_value(rationale) AS rationale, count(*) AS items,
            list(DISTINCT kind) AS kinds, max(struct_pack(observed_to, item_id, title)) AS newest
        FROM context JOIN evidence USING (item_id) GROUP BY declaration"""),
    """SELECT declaration, any_value(rationale) AS rationale, sum(items)::BIGINT AS items,
        list_distinct(flatten(list(kinds))) AS kinds, max(newest) AS newest
    FROM parts GROUP BY declaration""",
)  # fmt: skip
"""What each declaration of context keeps from waiting for a rule."""
_SEVERAL = """INSERT INTO lake_several SELECT hash(item_id) AS item, control FROM lake_claims
WHERE NOT starts_with(control, 'event:') AND item % $parts = $part
GROUP BY item, control HAVING min(evidence) <> max(evidence)
"""
_TWICE = """
SELECT kind, evidence, rules, count(DISTINCT item_id) AS items,
    min(struct_pack(item_id, title)) AS least
FROM (
    SELECT item_id, string_agg(DISTINCT evidence, ', ' ORDER BY evidence) AS evidence,
        string_agg(DISTINCT rule, ', ' ORDER BY rule) AS rules
    FROM lake_claims c SEMI JOIN lake_several s
        ON hash(c.item_id) = s.item AND c.control = s.control
    GROUP BY item_id, control HAVING min(c.evidence) <> max(c.evidence)  -- two may hash alike
) JOIN evidence USING (item_id)
GROUP BY kind, evidence, rules
"""
_DIFFERENCES = """
WITH claims AS (
    SELECT item_id, control, evidence, strength, false AS is_new FROM ({old}) UNION ALL
    SELECT item_id, control, evidence, strength, true FROM ({new})
),
moved AS (
    SELECT item_id, control, evidence, strength, any_value(is_new) AS gained FROM claims
    GROUP BY item_id, control, evidence, strength HAVING min(is_new) = max(is_new)
)
SELECT control, m.evidence, strength, kind, count(*) FILTER (gained) AS gained,
    count(*) FILTER (NOT gained) AS lost, min(item_id) AS item_id,
    arg_min(title, item_id) AS title
FROM moved m JOIN items USING (item_id)
GROUP BY control, m.evidence, strength, kind
"""
_PART_ROWS = 250_000
"""Items whose claims are compared at once: each is held, by the rules of either side."""
_PART_CLAIMS = 5_000_000
"""Claims that are put together by their items at once."""


def untagged_kinds(connection: Connection) -> list[dict[str, Any]]:
    """Kinds and sources of items that no rule takes and no declaration calls context, the most
    first: kind, source, items, newest, and item_id and title of the newest. Raises LakeError."""
    found = (row for row in counted(connection, BARE) if not row["context"])
    rows = [
        {"kind": row["kind"], "source": row["source"], "items": row["items"],
         "newest": row["newest"]["observed_to"], **_shown(row["newest"])}
        for row in found
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row["items"], row["kind"], row["source"]))


def context_only(connection: Connection) -> list[dict[str, Any]]:
    """Declarations of context and what waits for no rule by them, the most first: declaration,
    rationale, items, kinds, item_id and title of the newest. An item that two declare is in both.
    Raises LakeError."""
    rows = [
        {"declaration": row["declaration"], "rationale": row["rationale"], "items": row["items"],
         "kinds": ", ".join(sorted(row["kinds"])), **_shown(row["newest"])}
        for row in counted(connection, CONTEXT)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row["items"], row["declaration"]))


def claimed_twice(connection: Connection) -> list[dict[str, Any]]:
    """Items that rules take for several kinds of evidence of one control, by kind: kind, evidence,
    rules, items, item_id and title of one. Raises LakeError."""
    rows = [
        {name: row[name] for name in ("kind", "evidence", "rules", "items")} | _shown(row["least"])
        for row in counted(connection, TWICE)
    ]
    names = ("kind", "evidence", "rules")
    return sorted(rows, key=lambda row: (-row["items"], *(row[name] for name in names)))


def _shown(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"item_id": item["item_id"], "title": item["title"]}


def _twice(connection: Connection) -> pa.Table:
    """Memory holds the claims of some items at a time: few items are taken for several kinds."""
    (number,) = all_rows(connection, "SELECT count(*) AS claims FROM lake_claims")
    parts = 1 + number["claims"] // _PART_CLAIMS
    table = "CREATE OR REPLACE TEMP TABLE lake_several (item UBIGINT, control VARCHAR)"
    all_rows(connection, table)
    for part in range(parts):
        all_rows(connection, _SEVERAL, {"parts": parts, "part": part})
    return table_of(connection, _TWICE)


TWICE = Tally(
    "twice", _twice,
    """SELECT kind, evidence, rules, sum(items)::BIGINT AS items, min(least) AS least
    FROM parts GROUP BY ALL""",
)  # fmt: skip
"""What rules take for several kinds of evidence of one control."""


def differences(lake: Lake, old: str, new: str, *, as_of: datetime) -> list[dict[str, Any]]:
    """What the SELECT `new` says otherwise than `old`, both over the relation `items`: what landed
    by `as_of`.

    A row a control, kind of evidence, strength and kind of item: how many items gain and lose it,
    item_id and title of one. Some files at a time: memory holds the claims of their items alone.
    Raises LakeError.
    """
    sql = _DIFFERENCES.replace("{old}", old).replace("{new}", new)
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for files in _parts(lake, as_of) if old != new else ():
        for row in _asked(files, sql, as_of):
            key = row["control"], row["evidence"], row["kind"], row["strength"]
            found[key] = _together(found.get(key, row | {"gained": 0, "lost": 0}), row)
    return [found[key] for key in sorted(found)]


def _parts(lake: Lake, as_of: datetime) -> Iterator[list[Path]]:
    part, rows, place = list[DataFile](), 0, lake.place.at("evidence")
    for file in lake.files("evidence", as_of):
        if part and rows + file.rows > _PART_ROWS:
            yield place.locals(one.name for one in part)
            part, rows = [], 0
        part, rows = [*part, file], rows + file.rows
    if part:
        yield place.locals(one.name for one in part)


def _asked(files: Sequence[Path], sql: str, as_of: datetime) -> list[dict[str, Any]]:
    """The answer over the items of these files, on an engine that can read nothing else."""
    landed = f"landed_at <= TIMESTAMPTZ {literal(stamp(as_of))}"
    with open_engine(ample()) as engine:
        rows = rows_of(TABLES["evidence"], files)
        try:
            engine.execute(f"CREATE VIEW items AS {rows} WHERE {landed}")
        except duckdb.Error as error:
            raise LakeError(f"the lake cannot be read: {sentence(error)}") from error
        engine.lock(files)
        return all_rows(engine, sql)


def _together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The counts of both, and the item of the least id."""
    shown = min(one, other, key=lambda row: row["item_id"])
    return shown | {name: one[name] + other[name] for name in ("gained", "lost")}
