"""The lives of AI systems as rows for their pages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from dashboards.detail import BrokenRow, Life, NodeRow
from evidence.broken import Look, broken_edges
from evidence.trace import Broken, Graph, Node, Stage
from flows.moment import Moment
from flows.trace import tied_and_rest
from mappings.trace import load_trace
from storage.engine import ample
from storage.lake import Lake

SHOWN = 6
"""Of each stage the newest; how many there are in all is told."""
_HELD = 100
"""So many of a stage are held before all but the newest are let go of."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def lives(lake: Lake, shown: Moment) -> Mapping[str, Life]:
    """Each AI system that any node of a life cycle names → its life. Raises LakeError."""
    found: dict[str, _Newest] = defaultdict(_Newest)
    with shown.connect(lake, ample()) as connection:
        graph, rest = tied_and_rest(connection, load_trace())
        for node in rest:
            if node.system:
                found[node.system].add(node)
    broken: dict[str, list[Broken]] = defaultdict(list)
    for one in broken_edges(Look(graph, shown.at)):
        broken[one.system].append(one)
    systems = {node.system for node in graph.nodes} | {n.key for n in graph.at(Stage.SYSTEM)}
    holes: dict[str, Sequence[Broken]] = {}
    for system in systems - {""}:
        near = _near(graph, system)
        for node in near:
            found[system].add(node)
        holes[system] = (*_touching(near, broken[""]), *broken[system])
    return {
        system: Life(newest.counts(), tuple(map(_node, newest.nodes())),
                     tuple(map(_broken, holes.get(system, ()))))
        for system, newest in found.items()
    }  # fmt: skip


def _near(graph: Graph, system: str) -> Sequence[Node]:
    of_it = graph.of_system(system)
    start = graph.find(Stage.SYSTEM, system) or next(iter(of_it), None)
    return graph.around(start) if start else ()


def _touching(near: Sequence[Node], broken: Sequence[Broken]) -> Iterator[Broken]:
    """Of edges that begin at no system those that rest on one of these nodes, or on nothing."""
    ids = {node.item_id for node in near}
    return (one for one in broken if not one.item_ids or not ids.isdisjoint(one.item_ids))


class _Newest:
    """How many nodes each stage has, and the newest of them; the others are let go of."""

    def __init__(self) -> None:
        self._counts: Counter[Stage] = Counter()
        self._kept: dict[Stage, list[Node]] = defaultdict(list)

    def add(self, node: Node) -> None:
        """One more, each node once."""
        self._counts[node.stage] += 1
        kept = self._kept[node.stage]
        kept.append(node)
        if len(kept) > _HELD:
            self._kept[node.stage] = self._of(node.stage)

    def counts(self) -> dict[str, int]:
        """Each stage of a life cycle with its number of nodes."""
        return {stage.value: self._counts[stage] for stage in Stage}

    def nodes(self) -> list[Node]:
        """The newest of each stage, in the order of a life cycle."""
        return [node for stage in Stage for node in self._of(stage)]

    def _of(self, stage: Stage) -> list[Node]:
        by_id = sorted(self._kept[stage], key=lambda node: node.item_id)
        return sorted(by_id, key=lambda node: node.at or _LONG_AGO, reverse=True)[:SHOWN]


def _node(node: Node) -> NodeRow:
    return NodeRow(
        node.stage.value, node.title or node.key, node.at, node.who, node.outcome, node.item_id
    )


def _broken(one: Broken) -> BrokenRow:
    item = one.item_ids[0] if one.item_ids else ""
    return BrokenRow(one.check, one.stage.value, one.about, one.missing.value, one.why, item)
