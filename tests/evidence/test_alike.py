"""One node for many that are alike: as many edges are broken, and the same is told of them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from evidence.alike import Thinned, thinned
from evidence.broken import ASKED, FOLLOW_UP, Look, broken_edges
from evidence.trace import Broken, Graph, Node, Reference, Stage

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
KEYS = [f"k{number}" for number in range(30)]


def graph(dice: random.Random) -> Graph:
    """Nodes of few systems at all stages, of which few name another."""
    return Graph(tuple(_node(dice, number) for number in range(dice.randint(5, 120))))


def _node(dice: random.Random, number: int) -> Node:
    names = [Reference(dice.choice([*Stage]), dice.choice(KEYS), dice.random() < 0.3)
             for _ in range(dice.choice([0, 0, 0, 1, 2]))]  # fmt: skip
    own = dice.choice(KEYS) if dice.random() < 0.4 else f"n{dice.randint(0, 99):02}-{number}"
    facts = {"severity": dice.choice(["major", "low"])} if dice.random() < 0.2 else {}
    return Node(
        stage=dice.choice([*Stage, Stage.CHECK, Stage.INCIDENT, Stage.CHANGE, Stage.DEPLOYMENT]),
        keys=(own,), title=f"title {number}", system=dice.choice(["", "churn", "scoring"]),
        at=None if dice.random() < 0.1 else NOW - timedelta(days=dice.randint(-2, 60)),
        who=dice.choice(["ann", "bob"]), outcome=dice.choice(["passed", "failed"]),
        item_id=f"item-{number}", names=tuple(names), facts=facts,
        events=tuple(one for one in ASKED if dice.random() < 0.3),
    )  # fmt: skip


def told(edges: Iterable[Broken], whole: Thinned | None = None) -> dict[object, object]:
    """Of each check and system how many edges, and the sentence of the first."""
    groups: dict[tuple[str, str], list[Broken]] = defaultdict(list)
    for edge in edges:
        groups[edge.check, edge.system].append(edge)
    return {
        key: (whole.count(many) if whole else len(many), many[0].why)
        for key, many in groups.items()
    }


@pytest.mark.parametrize("seed", range(60))
def test_what_is_broken_of_the_thinned_is_what_is_broken_of_all(seed: int) -> None:
    whole = graph(random.Random(seed))
    found = thinned(whole, NOW)
    for later in (timedelta(), FOLLOW_UP / 2, timedelta(days=40)):
        at = NOW + later
        few = broken_edges(Look(Graph(tuple(found.nodes)), at))
        assert told(few, found) == told(broken_edges(Look(whole, at)))


def test_of_a_thousand_alike_few_are_looked_at() -> None:
    failed = [
        Node(Stage.CHECK, (f"c{number:04}",), "failed", "churn", NOW, outcome="failed",
             item_id=f"i{number}")
        for number in range(1000)
    ]  # fmt: skip
    found = thinned(Graph(tuple(failed)), NOW)
    assert len(found.nodes) == 2, "the first by its name, and the newest"
    assert sorted(found.many.values()) == [999]
