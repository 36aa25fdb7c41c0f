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

from evidence.canonical import plain
from evidence.errors import LakeError
from evidence.own import CORRECTION_KIND, DISPOSAL_KIND, MAPPING_KIND, OWN_SOURCE
from evidence.runs import PULL_KIND
from evidence.times import stamp
from storage.canonical_rows import leaf_data_of
from storage.checkpoints import checkpoint_of, history_sizes
from storage.disposed import absent
from storage.engine import Connection
from storage.lake import Lake
from storage.merkle import leaf_hash
from storage.note import Checkpoint
from storage.pages import all_rows
from storage.proof import Paths
from storage.schema import EVIDENCE

STEP = 20_000
"""Rows that are held in memory at a time."""
MARKS = ('%"redacted":"sha256:%', "%[redacted sha256:%")
"""How a payload shows that a value in it was hidden at landing."""
_TAGGED = (
    "item_id IN (SELECT item_id FROM tags WHERE control IN (SELECT unnest($controls::VARCHAR[])))"
)
_STOOD = """SELECT item_id FROM (SELECT * FROM lake_placed
        WHERE nature = 'state' AND observed_to < $begin::TIMESTAMPTZ
        QUALIFY row_number() OVER (PARTITION BY source, kind, system, subject
            ORDER BY place DESC) = 1) WHERE change <> 'gone'"""
_WIDER = f"""($controls::VARCHAR[] IS NULL OR {_TAGGED})
    AND ($items::VARCHAR[] IS NULL OR item_id IN (SELECT unnest($items::VARCHAR[])))"""
_IN_SCOPE = f"""{_WIDER}
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
    all; `items` None: all, else those alone. From `begin` until before `end`: what tells of that
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
            "controls": _listed(self.controls), "systems": _listed(self.systems),
            "kinds": list(self.kinds), "begin": self.begin, "end": self.end,
            "items": _listed(self.items), "judged": list(self.judged),
        }  # fmt: skip

    def told(self) -> dict[str, Any]:
        """For the manifest, JSON-like."""
        return {
            "controls": _listed(self.controls), "systems": _listed(self.systems),
            "kinds": list(self.kinds), "from": stamp(self.begin) if self.begin else None,
            "to": stamp(self.end) if self.end else None, "at": stamp(self.at), "size": self.size,
            "items_given": self.items is not None,
        }  # fmt: skip


def _listed(values: Sequence[str] | None) -> list[str] | None:
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


def left_out(connection: Connection, scope: Scope) -> dict[str, int]:
    """What a reader would miss: counted, never silently dropped."""
    sql = f"""SELECT
        (SELECT count(*) FROM evidence WHERE {_WIDER}
            AND item_id NOT IN (SELECT item_id FROM wanted WHERE role = 'item'))
            AS items_of_these_controls_of_other_systems_kinds_or_times,
        (SELECT count(*) FROM evidence SEMI JOIN wanted USING (item_id)
            WHERE payload LIKE $one OR payload LIKE $two) AS rows_in_the_pack_with_hidden_values,
        (SELECT count(*) FROM lake_evidence WHERE landed_at <= $at
            AND item_id NOT IN (SELECT item_id FROM lake_leaves WHERE leaf_index < $size))
            AS items_of_any_control_landed_by_then_and_sealed_later_or_not_yet"""  # noqa: S608
    given = {"size": scope.size, "at": scope.at, "one": MARKS[0], "two": MARKS[1]}
    given |= {"controls": _listed(scope.controls), "items": _listed(scope.items)}
    (row,) = all_rows(connection, sql, given)
    disposed, missing = absent(connection, scope.size)
    row["items_of_any_control_that_were_disposed_of"] = disposed
    row["sealed_items_of_any_control_that_are_missing_without_a_record_of_disposal"] = missing
    return {name: int(number) for name, number in row.items()}


def tags_in(connection: Connection, found: Selected) -> Iterator[dict[str, str]]:
    """Why each item of the pack speaks to which controls, by item. Raises LakeError."""
    sql = """SELECT item_id, control, evidence, rule, strength, rationale, mapping_digest FROM tags
        WHERE item_id >= $low AND item_id < $high
            AND item_id IN (SELECT item_id FROM wanted WHERE role = 'item') ORDER BY ALL"""
    shares = "0123456789abcdef" if found.total > STEP else "0"
    ends = [*shares[1:], "g"]  # every id lies below "g": it is written in hex
    for low, high in zip(shares, ends, strict=True):
        yield from all_rows(connection, sql, {"low": low, "high": high})


def corrections_in(connection: Connection) -> list[dict[str, Any]]:
    """What people said of items of the pack that are wrong, and what stands of it."""
    sql = """SELECT * FROM corrections
        WHERE item_id IN (SELECT item_id FROM wanted WHERE role = 'item')
        ORDER BY corrected_at, correction"""
    return [plain(row) for row in all_rows(connection, sql)]


def pulls_in(connection: Connection) -> Iterator[dict[str, Any]]:
    """What the pull records of the pack say, as the view `pulls` has them, oldest first."""
    sql = """SELECT * FROM pulls WHERE item_id IN (SELECT item_id FROM wanted)
        ORDER BY started_at, item_id"""
    return iter(all_rows(connection, sql))


def disposals_in(connection: Connection) -> list[dict[str, Any]]:
    """The records of disposal by then: of whatever scope, for who knows what they took."""
    sql = f"""SELECT item_id, landed_at, actor, payload->>'$.class' AS class,
            payload->>'$.reason' AS reason, json_array_length(payload->'$.items') AS items
        FROM evidence WHERE source = '{OWN_SOURCE}' AND kind = '{DISPOSAL_KIND}'
        ORDER BY landed_at, item_id"""  # noqa: S608  ours
    return [plain(row) for row in all_rows(connection, sql)]


def verdict_history(connection: Connection, scope: Scope) -> list[dict[str, Any]]:
    """Every change of a verdict in the scope's time, after the last one before it, oldest first.

    Kept as it was judged then; none for a scope of given items. Raises LakeError.
    """
    sql = """SELECT * FROM lake_verdicts WHERE judged_at <= $at
        AND ($controls::VARCHAR[] IS NULL OR control IN (SELECT unnest($controls::VARCHAR[])))
        AND ($systems::VARCHAR[] IS NULL OR system IN (SELECT unnest($systems::VARCHAR[])))
        AND ($end::TIMESTAMPTZ IS NULL OR judged_at < $end::TIMESTAMPTZ)
            AND NOT $given
        QUALIFY $begin::TIMESTAMPTZ IS NULL OR judged_at >= $begin::TIMESTAMPTZ
            OR row_number() OVER (PARTITION BY control, evidence, system
                ORDER BY (judged_at >= $begin::TIMESTAMPTZ), judged_at DESC) = 1
        ORDER BY judged_at, control, evidence, system"""
    given = {name: scope.values()[name] for name in ("controls", "systems", "begin", "end")}
    given |= {"at": scope.at, "given": scope.items is not None}
    return [plain(row) for row in all_rows(connection, sql, given)]


def checkpoint_for(lake: Lake, size: int) -> Checkpoint:
    """The first kept checkpoint that covers `size` items. Raises LakeError if none does."""
    for kept in history_sizes(lake.place):
        if kept >= size:
            return checkpoint_of(lake, kept)
    raise LakeError(f"no checkpoint covers {size} items; run `headwater collect` to seal them")


def population(connection: Connection) -> Iterator[bytes]:
    """The ids of the pack's items, sorted. Raises LakeError."""
    table = _arrow(connection, "SELECT item_id FROM wanted WHERE role = 'item' ORDER BY 1", {})
    return (bytes.fromhex(one.as_py()) for one in table["item_id"])


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
