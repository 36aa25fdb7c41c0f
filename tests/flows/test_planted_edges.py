"""Each kind of broken edge is planted once at a real source, collected, and found by its name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from evidence.broken import Look, broken_edges
from evidence.model import EvidenceItem, Outcome
from evidence.times import stamp
from evidence.trace import Broken, Graph
from flows.config import Source, load, now
from flows.follow import follow
from flows.pull import attempt
from flows.setup import initialise
from flows.trace import graph_of
from mappings.trace import load_trace
from storage.lake import Lake
from storage.views import connect
from tests.evidence.test_broken import checks_of_the_code
from tests.flows.conftest import said
from tests.flows.lives import SOUND, lives

FOUND: Mapping[str, set[str]] = {
    "no-data": {"training-without-data"},
    "no-evaluation": {"live-without-evaluation"},
    "old-evaluation": {"evaluation-older-than-version"},
    "no-check": {"data-without-check"},
    "failed-check": {"data-check-failed"},
    "old-check": {"data-changed-after-check"},
    "no-monitoring": {"live-without-monitoring"},
    "old-monitoring": {"monitoring-silent"},
    "unapproved": {"approval-does-not-hold"},
    "approved-late": {"deployed-before-approval"},
    "approved-by-author": {"approved-by-its-author"},
    "self-approved-change": {"change-does-not-hold", "approval-does-not-hold"},
    "nameless-change": {"change-without-version"},
    "old-impact": {"impact-older-than-change"},
    "no-training": {"live-without-training"},
    "no-requirement": {"system-without-requirement"},
    "no-risk": {"system-without-risk"},
    "no-impact": {"system-without-impact-assessment"},
    "no-owner": {"system-without-owner"},
    "no-treatment": {"risk-without-treatment"},
    "not-accepted": {"risk-not-accepted"},
    "accepted-by-owner": {"risk-accepted-by-its-owner"},
    "accepted-until": {"acceptance-expired"},
    "residual": {"residual-above-accepted"},
    "overdue": {"treatment-overdue"},
    "bought": {"evaluation-older-than-supplier-change", "incident-without-change"},
    "ghost": {"risk-of-an-unknown-system"},
    "released": {"live-without-approval", "deployment-does-not-hold"},
    "dangling": {"dangling-reference"},
    "": {"requirement-leads-nowhere", "model-not-in-inventory"},
}
ELSEWHERE = {"no-system-registered"}
"""Planted by a lake without an inventory."""


PARTS = {"ghost", "released", ""}
"""What is no system of the inventory lacks more than is asked here."""
Broken_ = Mapping[str, list[Broken]]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lives")
    list(initialise(folder / "home", "Test House"))
    config = load(folder / "home" / "headwater.toml")
    lake = Lake.open(config.lake, clock=now)
    with lives(folder / "sources") as made:
        for collector in made.collectors():
            pull(lake, collector)
        made.approve()
        for collector in made.collectors():
            if collector.source == "registry":
                pull(lake, collector)
    lake.land("code", [deployment()], bookmark=lake.bookmark("code"), cursor=None, pull_id="p")
    follow(lake, config)
    return config.file


@pytest.fixture(scope="module")
def broken(file: Path) -> Broken_:
    lake = Lake.open(load(file).lake, clock=now)
    found: dict[str, list[Broken]] = defaultdict(list)
    for edge in broken_edges(Look(graph(lake), now())):
        found[edge.system].append(edge)
    return found


@dataclass(frozen=True, slots=True)
class Ready(Source):
    """A source whose collector is there already."""

    made: Any = None

    def collector(self, clock: Callable[[], datetime]) -> Any:
        return self.made


def pull(lake: Lake, collector: Any) -> None:
    name = collector.source
    done = attempt(lake, Ready(name, "tests:None", "", {}, made=collector), now)
    assert done.error is None, done.error


def deployment() -> EvidenceItem:
    """Of a version that nothing approved, and that its source shows as failed."""
    at = now()
    payload = {"models": [{"name": "released", "version": "1"}], "labels": [],
               "began": stamp(at), "deployed_by": {"login": "mira"}}  # fmt: skip
    return EvidenceItem(
        source="code", kind="review.deployment", subject="acme/scoring#1", payload=payload,
        observed_from=at, observed_to=at, collected_at=at, system="released", title="Deployed",
        outcome=Outcome.FAILED,
    )  # fmt: skip


def graph(lake: Lake) -> Graph:
    with connect(lake) as connection:
        return graph_of(connection, load_trace())


def named(edges: list[Broken]) -> set[str]:
    return {edge.check for edge in edges}


def test_a_whole_life_has_no_broken_edge(broken: Broken_) -> None:
    assert [edge.why for edge in broken[SOUND]] == []


@pytest.mark.parametrize("system", FOUND)
def test_what_is_planted_is_found_by_name(broken: Broken_, system: str) -> None:
    if system in PARTS:
        assert named(broken[system]) >= FOUND[system]
    else:
        assert named(broken[system]) == FOUND[system]


def test_every_kind_is_planted() -> None:
    assert set().union(*FOUND.values()) | ELSEWHERE == checks_of_the_code()


def test_it_is_shown_as_a_tree_and_as_pictures(file: Path) -> None:
    whole = said("trace", SOUND, "-c", file)
    assert (whole.returncode, "no edge is broken" in whole.stdout) == (0, True)
    risk = said("trace", "R-no-treatment", "-c", file)
    assert (risk.returncode, "✗ risk-without-treatment" in risk.stdout) == (3, True)
    holed = said("trace", "no-data", "-c", file)
    assert (holed.returncode, "✗ training-without-data" in holed.stdout) == (3, True)
    for form, begins in (("mermaid", "flowchart LR"), ("dot", "digraph life {")):
        drawn = said("trace", "no-data/1", "--format", form, "-c", file)
        assert drawn.returncode == 3
        assert drawn.stdout.startswith(begins)
        assert "training-without-data" in drawn.stdout
    wrong = said("trace", "--format", "png", "-c", file)
    assert (wrong.returncode, "choose one of tree, json, mermaid, dot" in wrong.stderr) == (2, True)


def test_an_empty_lake_is_not_whole(tmp_path: Path) -> None:
    list(initialise(tmp_path, "Test House"))
    lake = Lake.open(load(tmp_path / "headwater.toml").lake, clock=now)
    assert named(broken_edges(Look(graph(lake), now()))) == ELSEWHERE
