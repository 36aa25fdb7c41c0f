"""Nodes of which one stands for many: alike, tied to nobody, so what is broken of each is the same.

Of a large lake most failed checks and major incidents are such. A check of a life cycle
(evidence/broken.py) may look at such a node's stage, system, outcome, events and facts, at the
newest and at the first of them in each system, and at how old an incident is: nothing else tells
them apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from evidence.broken import FOLLOW_UP
from evidence.trace import Broken, Graph, Node, Stage

SINGLE = {Stage.APPROVAL, Stage.CHECK, Stage.DEPLOYMENT, Stage.INCIDENT, Stage.CHANGE}
"""Stages at which a node may be one of many."""
_NEVER = datetime.min.replace(tzinfo=UTC)
Which = tuple[str, Stage]
"""A node, by its item and its stage."""


@dataclass(frozen=True, slots=True)
class Thinned:
    """The nodes that must be looked at, and for how many each of some stands (`many`); who stands
    for others comes first of them by its name."""

    nodes: Sequence[Node]
    many: Mapping[Which, int]

    def count(self, edges: Iterable[Broken]) -> int:
        """How many edges these are in the whole graph."""
        return sum(self.many.get((one.item_ids[0], one.stage), 1) if one.item_ids else 1
                   for one in edges)  # fmt: skip


def thinned(graph: Graph, now: datetime) -> Thinned:
    """The graph with one of those that are alike. What `broken_edges` finds in it, counted by
    `Thinned.count`, is what it finds in the whole one: for each check and system so many edges,
    and the same first one; at any time from `now` (zone-aware) on."""
    named = {one.key for node in graph.nodes for one in node.names}
    newest = _newest(graph.nodes)
    groups: dict[Hashable, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        if _alone(node, named, now) and node is not newest[_kind(node)]:
            groups[_kind(node), tuple(sorted(node.facts.items())), node.failed].append(node)
    first = {key: min(nodes, key=lambda node: node.key) for key, nodes in groups.items()}
    many = {which(first[key]): len(nodes) for key, nodes in groups.items() if len(nodes) > 1}
    left_out = {id(node) for key, nodes in groups.items() for node in nodes} - {
        id(node) for node in first.values()
    }
    return Thinned([node for node in graph.nodes if id(node) not in left_out], many)


def which(node: Node) -> Which:
    """By what a node is known among the thinned."""
    return node.item_id, node.stage


def _alone(node: Node, named: set[str], now: datetime) -> bool:
    if node.stage not in SINGLE or node.names or not node.item_id or named & {*node.keys}:
        return False
    # An incident is not late yet while it is young: when it becomes so differs from one to another.
    return node.stage is not Stage.INCIDENT or node.at is None or now - node.at >= FOLLOW_UP


def _kind(node: Node) -> tuple[Stage, str, tuple[str, ...]]:
    return node.stage, node.system, node.events


def _newest(nodes: Iterable[Node]) -> dict[tuple[Stage, str, tuple[str, ...]], Node]:
    found: dict[tuple[Stage, str, tuple[str, ...]], Node] = {}
    for node in nodes:
        known = found.get(_kind(node))
        if known is None or (node.at or _NEVER) > (known.at or _NEVER):
            found[_kind(node)] = node
    return found
