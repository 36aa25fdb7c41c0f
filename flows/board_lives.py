"""The life cycles as a board needs them, thinned, and kept for the next: what landed since is put
to them where nothing old is touched by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from evidence.alike import Thinned, Which, thinned, which
from evidence.trace import Graph, Node
from flows.trace import Placed, cycle_of, graph_from, places, tied_places
from mappings.trace import load_trace
from storage.lifecycle import any_left, left_names, look, rows_of_all, touched
from storage.pages import Connection
from storage.tally import Table, both, table_of_texts, texts_of

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
    connection: Connection, new: Connection, before: Mapping[str, Table]
) -> dict[str, Table]:
    """The tables with what landed since; nothing where an old item is touched by it: another
    version of it landed, or it is named. `new` shows what landed since alone. Raises LakeError."""
    if not {LIVES, CALLED} <= before.keys():
        return {}
    trace = load_trace()
    cycle = cycle_of(trace)
    look(new, cycle)
    placed = places(trace, rows_of_all(new))
    names = {one.key for nodes in placed.values() for node in nodes for one in node.names}
    if any_left(names, before[CALLED]) or touched(connection, new, cycle):
        return {}
    return {LIVES: both(before[LIVES], _table(placed, {})), CALLED: before[CALLED]}


def _whole(connection: Connection, at: datetime) -> Table:
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
    connection.tallies[CALLED] = left_names(connection, [item for _, item in own], others)
    table = _table({place: nodes for place, nodes in left.items() if nodes}, found.many)
    connection.tallies[LIVES] = table
    return table


@dataclass(frozen=True, slots=True)
class _Row:
    """The nodes of an item, when it was observed, and for how many each of them stands."""

    at: datetime
    item_id: str
    nodes: list[Node]
    many: list[int]


def _table(placed: Placed, many: Mapping[Which, int]) -> Table:
    return table_of_texts(
        _adapter().dump_json(_Row(*place, nodes, [many.get(which(node), 1) for node in nodes]))
        for place, nodes in placed.items()
    )


def _read(table: Table) -> tuple[Placed, dict[Which, int]]:
    rows: list[_Row] = [_adapter().validate_json(text) for text in texts_of(table)]
    placed = {(row.at, row.item_id): row.nodes for row in rows}
    many = {which(node): n for row in rows for node, n in zip(row.nodes, row.many, strict=True)}
    return placed, many


@cache
def _adapter() -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(_Row)
