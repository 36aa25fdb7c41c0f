"""The life cycles as a board needs them, thinned, and kept for the next: what landed since is put
to them where nothing old is touched by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.alike import Thinned, Which, thinned, which
from evidence.trace import Graph, Node
from flows.trace import Placed, cycle_of, graph_from, places, tied_places
from mappings.trace import load_trace
from storage.alone import hash_of
from storage.lifecycle import hashes_of_names, look, rows_of_all, touched
from storage.pages import Connection
from storage.schema import TIME

if TYPE_CHECKING:
    from pydantic import TypeAdapter

LIVES, CALLED = "lives", "called"
"""Tables that are kept: the thinned nodes by their items, and hashes of the names of all others."""


@dataclass(frozen=True, slots=True)
class Lives:
    """The graph that is looked at, and for how many some of its nodes stand."""

    graph: Graph
    thinned: Thinned


def lives(connection: Connection, at: datetime) -> Lives:
    """The life cycles of what the connection shows, as of `at` or later. Raises LakeError."""
    known = connection.tallies.get(LIVES)
    if known is None:
        known = _whole(connection, at)
    placed, many = _read(known)
    graph = graph_from(connection, placed)
    return Lives(graph, Thinned(graph.nodes, many))


def lives_since(
    connection: Connection, new: Connection, before: Mapping[str, pa.Table]
) -> dict[str, pa.Table]:
    """The tables with what landed since; nothing where an old item is touched by it: another
    version of it landed, or it is named. `new` shows what landed since alone. Raises LakeError."""
    if not {LIVES, CALLED} <= before.keys():
        return {}
    trace = load_trace()
    cycle = cycle_of(trace)
    look(new, cycle)
    placed = places(trace, rows_of_all(new))
    names = {one.key for nodes in placed.values() for node in nodes for one in node.names}
    hashes = np.array([hash_of(name) for name in names], np.uint64)
    if np.isin(hashes, before[CALLED]["hash"].to_numpy()).any() or touched(connection, new, cycle):
        return {}
    return {LIVES: pa.concat_tables([before[LIVES], _table(placed, {})]), CALLED: before[CALLED]}


def _whole(connection: Connection, at: datetime) -> pa.Table:
    """All of the lake, kept on the connection from here on."""
    placed = tied_places(connection, load_trace())
    found = thinned(graph_from(connection, placed), at)
    kept = {which(node) for node in found.nodes}
    left = {place: [node for node in nodes if which(node) in kept]
            for place, nodes in placed.items()}  # fmt: skip
    # Who stands for others can be named as little as they: it is one of them no more then.
    own = {place: nodes for place, nodes in placed.items() if left[place] == nodes
           and not any(which(node) in found.many for node in nodes)}  # fmt: skip
    others = {key for place, nodes in placed.items() if place not in own
              for node in nodes for key in node.keys}  # fmt: skip
    hashes = {*hashes_of_names(connection, [item for _, item in own]), *map(hash_of, others)}
    table = _table({place: nodes for place, nodes in left.items() if nodes}, found.many)
    connection.tallies[CALLED] = pa.table({"hash": pa.array(sorted(hashes), pa.uint64())})
    connection.tallies[LIVES] = table
    return table


_SCHEMA = pa.schema(
    [
        pa.field("observed_to", TIME),
        pa.field("item_id", pa.string()),
        pa.field("nodes", pa.binary()),
        pa.field("many", pa.list_(pa.int64())),
    ]
)


def _table(placed: Placed, many: Mapping[Which, int]) -> pa.Table:
    rows = [
        {"observed_to": at, "item_id": item_id, "nodes": _adapter().dump_json(nodes),
         "many": [many.get(which(node), 1) for node in nodes]}
        for (at, item_id), nodes in placed.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, _SCHEMA)


def _read(table: pa.Table) -> tuple[Placed, dict[Which, int]]:
    placed: Placed = {}
    many: dict[Which, int] = {}
    for row in table.to_pylist():
        nodes: list[Node] = _adapter().validate_json(row["nodes"])
        placed[row["observed_to"], row["item_id"]] = nodes
        many |= {which(node): n for node, n in zip(nodes, row["many"], strict=True) if n > 1}
    return placed, many


@cache
def _adapter() -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(list[Node])
