"""The items that stand in a life cycle: by their native kind, or by what rules take them for."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from evidence.errors import LakeError
from storage.alone import hash_of
from storage.engine import Connection, literal
from storage.placed import SUBJECT, placed_sql
from storage.tally import Table

_AT_ONCE = 5_000
"""Rows, with their payloads, that are held at a time."""
_ALONE = f"hash({SUBJECT})"
"""A number that few subjects share: most have one item, and to compare four texts takes longer."""


@dataclass(frozen=True, slots=True)
class Tie:
    """Where items of these native kinds have the names by which others call them (`keys`), and
    those that they call others by: columns, or paths into the payload such as `$.run."id"`.

    `after` are places of lists with what an entry begins with that calls another.
    """

    kinds: tuple[str, ...]
    keys: tuple[str, ...]
    names: tuple[str, ...]
    after: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Cycle:
    """What stands in a life cycle: items of native `kinds`, and those that tags take for a kind of
    `evidence`. `events` are told of them, `ties` say how other items are named and name others;
    that one failed matters where it is taken for one of `failing`."""

    kinds: tuple[str, ...]
    evidence: tuple[str, ...]
    events: tuple[str, ...]
    ties: tuple[Tie, ...]
    failing: tuple[str, ...]


def look(connection: Connection, cycle: Cycle) -> None:
    """Find what stands, once a connection: the last item of each subject that is not gone and that
    nobody corrected. Before `rows_of_all` and the others. Raises LakeError."""
    values = {"kinds": list(cycle.kinds), "evidence": list(cycle.evidence),
              "events": list(cycle.events)}  # fmt: skip

    def make() -> None:
        connection.execute(_STANDING.format(**_told(cycle)), values)

    try:
        connection.once("lifecycle", make)
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be read: {error}") from error


_STANDING = f"""CREATE TEMP TABLE lake_lifecycle AS
    WITH taken AS (
        SELECT item_id, list(DISTINCT evidence ORDER BY evidence) AS evidence FROM tags
        WHERE evidence IN (SELECT unnest($evidence::VARCHAR[])) GROUP BY item_id
    ), happened AS (
        SELECT item_id, list(DISTINCT control ORDER BY control) AS events FROM tags
        WHERE control IN (SELECT unnest($events::VARCHAR[])) GROUP BY item_id
    ), several AS MATERIALIZED (
        SELECT item_id, {SUBJECT}, change, observed_to, collected_at, landed_at FROM evidence
        WHERE {_ALONE} IN (SELECT alone FROM (SELECT {_ALONE} AS alone FROM evidence)
            GROUP BY alone HAVING count(*) > 1)
    ), older AS (
        SELECT item_id FROM ({placed_sql("several")})
        QUALIFY row_number() OVER (PARTITION BY {SUBJECT} ORDER BY place DESC) > 1
    ), told AS (
        -- Names before all else: what is joined is held in memory, and payloads are not to be.
        SELECT item_id, kind, system, subject, outcome, observed_to, {{keys}} AS keys,
            {{names}} AS names, list_contains($kinds::VARCHAR[], kind) AS native
        FROM evidence WHERE change <> 'gone'
    ) SELECT item_id, system, subject, observed_to, coalesce(t.evidence, []) AS evidence,
        coalesce(h.events, []) AS events, keys,
        native OR h.events IS NOT NULL OR names OR (outcome IN ('failed', 'error')
            AND list_has_any(coalesce(t.evidence, []), {{failing}})) AS tied
    FROM told LEFT JOIN taken t USING (item_id) LEFT JOIN happened h USING (item_id)
        ANTI JOIN older USING (item_id) ANTI JOIN lake_corrected USING (item_id)
    WHERE native OR t.item_id IS NOT NULL"""  # noqa: S608  ours


def rows_of_all(connection: Connection) -> Iterator[dict[str, Any]]:
    """Everything that stands, in no order.

    Columns of the evidence table, `evidence`, the kinds that its tags take it for, and those of
    the cycle's `events` that they do. Ask nothing else of the connection until the last of them.
    Raises LakeError.
    """
    # A condition makes the engine expect few, and hold these in memory: not all payloads.
    return _rows(connection, "item_id <> ''")


def tied_rows(connection: Connection) -> Iterator[dict[str, Any]]:
    """Those that a broken edge may be about: what names others, is the newest of its kind for its
    system, failed as one of the cycle's `failing` or happened as one of its events, and all that
    stand there by their native kind. As `rows_of_all`."""
    return _rows(connection, "tied OR item_id IN (FROM newest)")


def called_rows(connection: Connection, names: Collection[str]) -> Iterator[dict[str, Any]]:
    """Those that have one of these names. As `rows_of_all`."""
    called = """subject IN (FROM names) OR item_id IN
        (SELECT item_id FROM (SELECT item_id, unnest(keys) AS key FROM lake_lifecycle)
            WHERE key IN (FROM names))"""
    return _rows(connection, called, sorted(names))


def rows_of_system(connection: Connection, system: str) -> Iterator[dict[str, Any]]:
    """Those whose items name this AI system. As `rows_of_all`."""
    return _rows(connection, "system IN (FROM names)", [system])


def _rows(
    connection: Connection, among: str, names: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    sql = f"""WITH names AS (SELECT unnest($names::VARCHAR[])), kinds AS (
            SELECT item_id, system, observed_to, unnest(evidence) AS one FROM lake_lifecycle
        ), last AS (SELECT system, one, max(observed_to) AS observed_to FROM kinds GROUP BY ALL),
        newest AS (SELECT min(item_id) FROM kinds JOIN last USING (system, one, observed_to)
            GROUP BY system, one)
        SELECT item_id, kind, source, nature, system, subject, title, change, outcome, actor,
            locator, observed_from, observed_to, payload, found.evidence, found.events
        FROM evidence JOIN (SELECT item_id, evidence, events FROM lake_lifecycle WHERE {among})
            AS found USING (item_id)"""  # noqa: S608  ours
    try:
        reader = connection.execute(sql, {"names": list(names)}).to_arrow_reader(_AT_ONCE)
        for batch in reader:
            yield from batch.to_pylist()
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be read: {error}") from error


def left_names(connection: Connection, besides: Sequence[str], also: Iterable[str]) -> Table:
    """The names by which what stands is called, but for the items `besides`, and those in `also`:
    for `any_left`. After `look`. Raises LakeError."""
    sql = """SELECT DISTINCT md5_number_upper(name) AS hash FROM (
            SELECT item_id, unnest(list_append(keys, subject)) AS name FROM lake_lifecycle)
        ANTI JOIN lake_besides USING (item_id) WHERE name IS NOT NULL"""
    connection.register("lake_besides", pa.table({"item_id": pa.array(besides, pa.string())}))
    try:
        found = connection.execute(sql).to_arrow_table()["hash"].combine_chunks()
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be read: {error}") from error
    finally:
        connection.unregister("lake_besides")
    more = pa.array([hash_of(name) for name in also], pa.uint64())
    return pa.table({"hash": pa.concat_arrays([found.cast(pa.uint64()), more])})


def any_left(names: Iterable[str], left: Table) -> bool:
    """Whether one of these names may be among those of `left_names`."""
    hashes = pa.array([hash_of(name) for name in names], pa.uint64())
    return bool(pc.any(pc.is_in(hashes, value_set=left["hash"].combine_chunks())).as_py())


_SINCE = f"SELECT item_id, {SUBJECT} FROM evidence"  # noqa: S608  ours
_TOUCHED = f"""CREATE OR REPLACE TEMP TABLE lake_touched AS
    SELECT old.item_id, bool_or(native OR s.item_id IS NOT NULL) AS stands
    FROM (SELECT item_id, {SUBJECT}, kind IN (SELECT unnest($kinds::VARCHAR[])) AS native
            FROM evidence WHERE {_ALONE} IN (SELECT {_ALONE} FROM lake_since)
                AND item_id NOT IN (SELECT item_id FROM lake_since)) old
        JOIN lake_since n USING ({SUBJECT}) LEFT JOIN lake_stands s ON s.item_id = n.item_id
    GROUP BY ALL"""  # noqa: S608  ours


def touched(connection: Connection, new: Connection, cycle: Cycle) -> bool:
    """Whether what `new` shows has another version of a subject that stood in a life cycle before,
    or stands there itself now. `connection` shows both. After `look` at `new`. Raises LakeError."""
    shown = {"lake_since": _SINCE, "lake_stands": "SELECT item_id FROM lake_lifecycle"}
    try:
        for name, sql in shown.items():
            connection.register(name, new.execute(sql).to_arrow_table())
        connection.execute(_TOUCHED, {"kinds": list(cycle.kinds)})
        rows = connection.execute("SELECT bool_or(stands) FROM lake_touched").fetchall()
        return bool(rows[0][0]) or (rows[0][0] is not None and _taken(connection, cycle))
    except duckdb.Error as error:
        raise LakeError(f"the lake cannot be read: {error}") from error
    finally:
        for name in shown:
            connection.unregister(name)


def _taken(connection: Connection, cycle: Cycle) -> bool:
    """Whether a tag takes one of those that were touched for what stands in a life cycle."""
    sql = """SELECT 1 FROM lake_claims SEMI JOIN lake_touched USING (item_id)
        WHERE evidence IN (SELECT unnest($evidence::VARCHAR[])) LIMIT 1"""
    return bool(connection.execute(sql, {"evidence": list(cycle.evidence)}).fetchall())


def _told(cycle: Cycle) -> dict[str, str]:
    """The parts of the statement that are ours: where the names of each kind stand."""
    keys = (_case(tie, _listed(tie.keys), "[]::VARCHAR[]") for tie in cycle.ties if tie.keys)
    names = (_case(tie, _naming(tie), "false") for tie in cycle.ties if _naming(tie))
    return {
        "keys": f"flatten([[]::VARCHAR[], {', '.join(keys)}])",
        "names": " OR ".join(("false", *names)), "failing": _texts(cycle.failing),
    }  # fmt: skip


def _case(tie: Tie, then: str, other: str) -> str:
    """Only of these kinds is it looked up: to read a payload takes longest."""
    return f"CASE WHEN kind IN ({', '.join(map(literal, tie.kinds))}) THEN {then} ELSE {other} END"


def _listed(places: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, places))}]"


def _naming(tie: Tie) -> str:
    begins = [f"contains({_text(place)}, {literal(json.dumps(text)[:-1])})"
              for place, text in tie.after]  # fmt: skip
    return " OR ".join((*map(_names, tie.names), *begins))


def _names(place: str) -> str:
    return f"coalesce({_text(place)}, '') NOT IN ('', '[]')"


def _text(place: str) -> str:
    if place.startswith("$"):
        return f"left(trim(json_extract_string(payload, {literal(place)}), ' \t\r\n'), 200)"
    return f'"{place}"'


def _texts(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]::VARCHAR[]"
