"""The lives of AI systems as rows for their pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from dashboards.detail import BrokenRow, Life, NodeRow
from evidence.broken import Look, broken_edges
from evidence.trace import Broken, Node, Stage
from flows.moment import Moment
from flows.trace import graph_of, trace
from mappings.trace import load_trace
from storage.engine import ample
from storage.lake import Lake

SHOWN = 6
"""Of each stage the newest; how many there are in all is told."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def lives(lake: Lake, shown: Moment) -> Mapping[str, Life]:
    """Each AI system that any node of a life cycle names → its life. Raises LakeError."""
    with shown.connect(lake, ample()) as connection:
        graph = graph_of(connection, load_trace())
    broken = broken_edges(Look(graph, shown.at))
    systems = dict.fromkeys(node.system for node in graph.nodes if node.system)
    systems |= dict.fromkeys(node.key for node in graph.at(Stage.SYSTEM))
    found = {system: trace(graph, system, broken) for system in systems}
    return {
        system: _life(one.nodes, [b for b in one.broken if b.system in {"", system}])
        for system, one in found.items()
    }  # fmt: skip


def _life(nodes: Sequence[Node], broken: Sequence[Broken]) -> Life:
    counts = Counter(node.stage for node in nodes)
    newest = sorted(nodes, key=lambda node: node.at or _LONG_AGO, reverse=True)
    shown = [n for stage in Stage for n in [m for m in newest if m.stage is stage][:SHOWN]]
    return Life(
        {stage.value: counts[stage] for stage in Stage}, tuple(map(_node, shown)),
        tuple(map(_broken, broken)),
    )  # fmt: skip


def _node(node: Node) -> NodeRow:
    return NodeRow(
        node.stage.value, node.title or node.key, node.at, node.who, node.outcome, node.item_id
    )


def _broken(one: Broken) -> BrokenRow:
    item = one.item_ids[0] if one.item_ids else ""
    return BrokenRow(one.check, one.stage.value, one.about, one.missing.value, one.why, item)
