"""What a pack holds: the items of a scope with their proofs, read in steps however many there are.

Each step is a stretch of the ledger, so that a pack of a whole lake takes the memory of one step.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from evidence.errors import LakeError
from evidence.own import CORRECTION_KIND, MAPPING_KIND, OWN_SOURCE
from evidence.runs import PULL_KIND
from evidence.times import stamp
from storage.canonical_rows import leaf_data_of
from storage.engine import Connection
from storage.lake import Lake
from storage.merkle import leaf_hash
from storage.note import Checkpoint
from storage.pages import all_rows
from storage.proof import Paths
from storage.schema import EVIDENCE

STEP = 20_000
"""Rows that are held in memory at a time."""
_TAGGED = (
    "item_id IN (SELECT item_id FROM tags WHERE control IN (SELECT unnest($controls::VARCHAR[])))"
)
_STOOD = """SELECT item_id FROM (SELECT * FROM lake_placed
        WHERE nature = 'state' AND observed_to < $begin::TIMESTAMPTZ
        QUALIFY row_number() OVER (PARTITION BY source, kind, system, subject
            ORDER BY place DESC) = 1) WHERE change <> 'gone'"""
WIDER = f"""CASE WHEN $items::VARCHAR[] IS NULL
        THEN $controls::VARCHAR[] IS NULL OR {_TAGGED}
        ELSE item_id IN (SELECT unnest($items::VARCHAR[])) END"""
_IN_SCOPE = f"""{WIDER} AND ($controls::VARCHAR[] IS NULL OR {_TAGGED})
    AND ($systems::VARCHAR[] IS NULL OR system IN (SELECT unnest($systems::VARCHAR[])))
    AND (len($kinds::VARCHAR[]) = 0 OR kind IN (SELECT unnest($kinds::VARCHAR[])))
    AND ($begin::TIMESTAMPTZ IS NULL OR observed_to >= $begin::TIMESTAMPTZ
        OR item_id IN (SELECT unnest($judged::VARCHAR[])) OR item_id IN ({_STOOD}))
    AND ($end::TIMESTAMPTZ IS NULL OR observed_from < $end::TIMESTAMPTZ)"""
_WANTED = f"""CREATE TEMP TABLE wanted AS
    WITH scope AS (SELECT item_id, source, pull_id FROM evidence WHERE {_IN_SCOPE}),
    found AS (
        SELECT item_id, 'item' AS role FROM scope
        UNION ALL SELECT item_id, 'pull' FROM evidence WHERE kind = '{PULL_KIND}' AND (
            subject IN (SELECT pull_id FROM scope)
            OR (source IN (SELECT source FROM scope)
                AND ($begin IS NOT NULL OR (payload->>'$.outcome') <> 'complete')
                AND ($begin::TIMESTAMPTZ IS NULL OR observed_to >= $begin::TIMESTAMPTZ)
                AND ($end::TIMESTAMPTZ IS NULL OR observed_from < $end::TIMESTAMPTZ)))
        UNION ALL SELECT item_id, 'mapping' FROM (SELECT item_id FROM evidence
            WHERE source = '{OWN_SOURCE}' AND kind = '{MAPPING_KIND}' AND content_sha256 = $mapping
            ORDER BY landed_at DESC, item_id LIMIT 1)
        UNION ALL SELECT item_id, 'correction' FROM evidence WHERE source = '{OWN_SOURCE}'
            AND kind = '{CORRECTION_KIND}'
            AND (payload->>'$.item_id') IN (SELECT item_id FROM scope)
    ),
    once AS (SELECT item_id, CASE WHEN bool_or(role = 'item') THEN 'item' ELSE min(role) END AS role
        FROM found GROUP BY item_id)
    SELECT item_id, role, leaf_index, landed_at, observed_to
    FROM once JOIN leaves USING (item_id)
        JOIN (SELECT item_id, landed_at, observed_to FROM evidence) USING (item_id)"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Scope:
    """Which evidence, among the first `size` items of the ledger, tagged as of `at`.

    `controls` None: tagged or not; `systems` None: of any ("" is the organisation); `kinds` none:
    all; `items` None: all, else of those alone. From `begin` until before `end`: what tells of that
    time, what is in force at its beginning (the last version of each state), and `judged`, the
    items that a verdict rests on, however old they are.
    """

    size: int
    at: datetime
    controls: tuple[str, ...] | None = None
    systems: tuple[str, ...] | None = None
    kinds: tuple[str, ...] = ()
    begin: datetime | None = None
    end: datetime | None = None
    items: tuple[str, ...] | None = None
    judged: tuple[str, ...] = ()

    def values(self) -> dict[str, Any]:
        """The parameters of the query."""
        return {
            "controls": listed(self.controls), "systems": listed(self.systems),
            "kinds": list(self.kinds), "begin": self.begin, "end": self.end,
            "items": listed(self.items), "judged": list(self.judged),
        }  # fmt: skip

    def told(self) -> dict[str, Any]:
        """For the manifest, JSON-like."""
        return {
            "controls": listed(self.controls), "systems": listed(self.systems),
            "kinds": list(self.kinds), "from": stamp(self.begin) if self.begin else None,
            "to": stamp(self.end) if self.end else None, "at": stamp(self.at), "size": self.size,
            "items_given": self.items is not None,
        }  # fmt: skip


def listed(values: Sequence[str] | None) -> list[str] | None:
    """As a parameter of a query."""
    return None if values is None else list(values)


@dataclass(frozen=True, slots=True)
class Step:
    """Some rows of a pack in the order of their leaves: as a table with their roles and places, and
    as the lines of items.jsonl and proofs.jsonl."""

    rows: pa.Table
    items: Sequence[Mapping[str, Any]]
    proofs: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Selected:
    """How many rows of each role a scope has; `earlier` are items older than its beginning.

    `steps` are the first and last leaf of stretches of the ledger that hold STEP rows at most.
    """

    scope: Scope
    counts: Mapping[str, int]
    steps: Sequence[tuple[int, int]]

    @property
    def total(self) -> int:
        """Rows in all."""
        return sum(number for role, number in self.counts.items() if role != "earlier")


def select(connection: Connection, scope: Scope, mapping: str) -> Selected:
    """Find the scope's items, what people corrected of them, the records of the pulls that brought
    them (and of those of the same sources that were not whole, or fall into the period), and the
    record of the mapping with this digest. Raises LakeError."""
    run(connection, _WANTED, scope.values() | {"mapping": mapping})
    counts = dict.fromkeys(("item", "pull", "mapping", "correction"), 0)
    for row in all_rows(connection, "SELECT role, count(*) AS n FROM wanted GROUP BY role"):
        counts[row["role"]] = row["n"]
    (early,) = all_rows(
        connection,
        """SELECT count(*) AS n FROM wanted
        WHERE role = 'item' AND observed_to < $begin::TIMESTAMPTZ""",
        {"begin": scope.begin},
    )
    steps = all_rows(
        connection,
        """SELECT min(leaf_index) AS low, max(leaf_index) AS high FROM (
            SELECT leaf_index, (row_number() OVER (ORDER BY leaf_index) - 1) // $step AS step
            FROM wanted) GROUP BY step ORDER BY low""",
        {"step": STEP},
    )
    ends = [(row["low"], row["high"]) for row in steps]
    return Selected(scope, counts | {"earlier": early["n"]}, ends)


def steps(connection: Connection, lake: Lake, head: Checkpoint, found: Selected) -> Iterator[Step]:
    """The rows of the scope with their proofs, in the order of the ledger.

    Raises LakeError, also if a row is not the leaf that was sealed.
    """
    paths = Paths(lake, head)
    for low, high in found.steps:
        table = _arrow(
            connection,
            """SELECT role, leaf_index, e.* FROM lake_evidence e
                JOIN (SELECT item_id, role, leaf_index FROM wanted
                    WHERE leaf_index BETWEEN $low AND $high) USING (item_id)
            WHERE e.landed_at BETWEEN
                (SELECT min(landed_at) FROM wanted WHERE leaf_index BETWEEN $low AND $high) AND
                (SELECT max(landed_at) FROM wanted WHERE leaf_index BETWEEN $low AND $high)
            ORDER BY leaf_index""",
            {"low": low, "high": high},
        )
        yield _step(table, paths)


def _step(table: pa.Table, paths: Paths) -> Step:
    rows = table.select(EVIDENCE.names).cast(EVIDENCE)
    items, proofs = [], []
    columns = (leaf_data_of(rows), table["payload"], table["role"], table["leaf_index"])
    for sealed, payload, role, index in zip(*(c.to_pylist() for c in columns), strict=True):
        held = json.loads(sealed) | {"payload": payload}
        path = [node.hex() for node in paths.to(index, leaf_hash(sealed), held["item_id"])]
        items.append({"leaf_index": index, "role": role, "row": held})
        proofs.append({"item_id": held["item_id"], "leaf_index": index, "path": path})
    places = table.select(["role", "leaf_index"])
    whole = pa.table([*rows.columns, *places.columns], [*rows.column_names, "role", "leaf_index"])
    return Step(whole, items, proofs)


def population(connection: Connection) -> Iterator[bytes]:
    """The ids of the pack's items, sorted. Raises LakeError."""
    table = _arrow(connection, "SELECT item_id FROM wanted WHERE role = 'item' ORDER BY 1", {})
    return (bytes.fromhex(one.as_py()) for one in table["item_id"])


def item_ids(connection: Connection) -> frozenset[str]:
    """The ids of the pack's items, for a pack of given items. Raises LakeError."""
    rows = all_rows(connection, "SELECT item_id FROM wanted WHERE role = 'item'")
    return frozenset(row["item_id"] for row in rows)


def mapping_sealed(connection: Connection, mapping: str) -> bool:
    """Whether the pack holds the record of the mapping with this digest."""
    sql = """SELECT 1 FROM evidence SEMI JOIN wanted USING (item_id) WHERE source = $own
        AND kind = $kind AND content_sha256 = $mapping LIMIT 1"""
    given = {"own": OWN_SOURCE, "kind": MAPPING_KIND, "mapping": mapping}
    return bool(all_rows(connection, sql, given))


def run(connection: Connection, sql: str, values: Mapping[str, object]) -> None:
    """Carry out a statement. Raises LakeError."""
    try:
        connection.execute(sql, dict(values))
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be read for a pack: {error}") from error


def _arrow(connection: Connection, sql: str, values: Mapping[str, object]) -> pa.Table:
    try:
        return connection.execute(sql, dict(values)).to_arrow_table()
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be read for a pack: {error}") from error
