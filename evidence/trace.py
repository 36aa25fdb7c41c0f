"""The life of an AI system as a graph, from requirement to change, and where it is broken.

A node is something that landed: a risk, a version of a model, an approval. An edge is one naming
another, or both belonging to one AI system. A broken edge is an edge that should be there and is
not, or that is there in the wrong order or by the wrong person; each is one sentence. Nothing here
is a judgement of conformity: it says what the evidence does not carry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property


class Stage(StrEnum):
    """What a node is, in the order of a life cycle."""

    REQUIREMENT = "requirement"
    RISK = "risk"
    TREATMENT = "treatment"
    IMPACT = "impact assessment"
    SYSTEM = "system"
    MODEL = "model"
    DATA = "data"
    CHECK = "data check"
    TRAINING = "training"
    VERSION = "model version"
    EVALUATION = "evaluation"
    APPROVAL = "approval"
    DEPLOYMENT = "deployment"
    MONITORING = "monitoring"
    INCIDENT = "incident"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Reference:
    """That a node names another by its key; `firm` where the other must be there."""

    stage: Stage
    key: str
    firm: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """One landed item in its place of the life cycle.

    `keys` are the names by which others call it, its own first; `facts` what else is needed to
    judge edges (owner, due date, who accepted …) as text; `events` are those that rules take it
    for, such as `event:incident_major`. `at` is None where no time is known.
    """

    stage: Stage
    keys: tuple[str, ...]
    title: str
    system: str = ""
    at: datetime | None = None
    who: str = ""
    outcome: str = ""
    item_id: str = ""
    names: tuple[Reference, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)
    events: tuple[str, ...] = ()

    def __hash__(self) -> int:
        """Of what tells nodes apart: graphs ask for it without end."""
        return hash((self.item_id, self.stage, self.keys))

    @property
    def key(self) -> str:
        """Its own name."""
        return self.keys[0]

    @property
    def failed(self) -> bool:
        """Whether the item itself says that it is not as it should be."""
        return self.outcome in {"failed", "error"}

    @property
    def day(self) -> str:
        """Its date for a sentence."""
        return self.at.date().isoformat() if self.at else "an unknown day"


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken edge: from which node, to which stage, and the sentence why.

    `check` is the name of what found it, the same for every edge that is broken alike.
    """

    check: str
    stage: Stage
    about: str
    system: str
    missing: Stage
    why: str
    item_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph:
    """All nodes, findable by stage and name, by system, and by who names them.

    `accounts` say whose a login or mail is (`evidence/people.py`): systems name people differently.
    """

    nodes: tuple[Node, ...]
    accounts: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _named(self) -> Mapping[tuple[Stage, str], Node]:
        found: dict[tuple[Stage, str], Node] = {}
        for node in self.nodes:
            for key in node.keys:
                found.setdefault((node.stage, key), node)
        return found

    @cached_property
    def _naming(self) -> Mapping[tuple[Stage, str], Sequence[Node]]:
        found: dict[tuple[Stage, str], list[Node]] = defaultdict(list)
        for node in self.nodes:
            for one in node.names:
                target = self._named.get((one.stage, one.key))
                if target is not None:
                    found[target.stage, target.key].append(node)
        return found

    @cached_property
    def _by_system(self) -> Mapping[tuple[str, Stage], Sequence[Node]]:
        found: dict[tuple[str, Stage], list[Node]] = defaultdict(list)
        for node in self.nodes:
            found[node.system, node.stage].append(node)
        return found

    @cached_property
    def _of_system(self) -> Mapping[str, Sequence[Node]]:
        found: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            found[node.system].append(node)
        return found

    @cached_property
    def _places(self) -> Mapping[Node, int]:
        return {node: place for place, node in enumerate(self.nodes)}

    def find(self, stage: Stage, key: str) -> Node | None:
        """The node of that name, or None."""
        return self._named.get((stage, key))

    def of(self, system: str, stage: Stage) -> Sequence[Node]:
        """The nodes of one system at one stage, in the order in which they were given."""
        return self._by_system.get((system, stage), ())

    def of_system(self, system: str) -> Sequence[Node]:
        """The nodes of one system, in the order in which they were given."""
        return self._of_system.get(system, ())

    def at(self, stage: Stage) -> Iterator[Node]:
        """All nodes at one stage."""
        return (node for node in self.nodes if node.stage is stage)

    def naming(self, node: Node, *stages: Stage) -> list[Node]:
        """The nodes at these stages that name this one."""
        return [one for one in self._naming.get((node.stage, node.key), ()) if one.stage in stages]

    def named(self, node: Node, *stages: Stage) -> list[Node]:
        """The nodes at these stages that this one names and that landed."""
        wanted = (self.find(one.stage, one.key) for one in node.names if one.stage in stages)
        return list(dict.fromkeys(one for one in wanted if one is not None))

    def dangling(self, node: Node) -> list[Reference]:
        """What this node must name and nothing that landed is, at any stage that it means."""
        known = {one.key for one in node.names if self.find(one.stage, one.key) is not None}
        return [one for one in node.names if one.firm and one.key not in known]

    def live(self) -> Iterator[tuple[Node, Node]]:
        """Each deployment with each model version that it put into service."""
        for node in self.at(Stage.DEPLOYMENT):
            for version in self.named(node, Stage.VERSION):
                yield node, version

    def around(self, node: Node) -> list[Node]:
        """Everything of the node's system, and what it names or is named by, step by step; in the
        order in which they were given."""
        near = {node, *(self.of_system(node.system) if node.system else ())}
        todo = list(near)
        while todo:
            one = todo.pop()
            more = {*self.naming(one, *Stage), *self.named(one, *Stage)}
            # through a system all of its nodes were found; another system's are another story
            new = {n for n in more if n not in near and n.system in {"", node.system}}
            near |= new
            todo += new
        return sorted(near, key=self._places.__getitem__)


_NEVER = datetime.min.replace(tzinfo=UTC)


def newest(nodes: Iterable[Node]) -> Node | None:
    """The one with the latest time; None if none has a time."""
    dated = [node for node in nodes if node.at is not None]
    return max(dated, key=lambda node: node.at or _NEVER, default=None)
