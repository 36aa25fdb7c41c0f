"""Each kind of broken edge, planted once into a life that is whole, and found by its name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence._broken import delivered, followed, governed
from evidence.broken import Look, broken_edges
from evidence.trace import Graph, Node, Reference, Stage

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
S = Stage


def node(stage: Stage, key: str, days: int, **more: Any) -> Node:
    given: dict[str, Any] = {
        "system": "scoring", "title": f"{stage.value} {key}", "who": "Ann Lee", "outcome": "passed",
        "item_id": f"item of {key}", "at": NOW - timedelta(days=days),
    }  # fmt: skip
    return Node(stage, (key,), **(given | more))


def names(**found: str) -> tuple[Reference, ...]:
    return tuple(Reference(S[stage.upper()], key, firm=True) for stage, key in found.items())


MAJOR, SIGNIFICANT = "event:incident_major", "event:significant_change"


def risk(**facts: str) -> dict[str, str]:
    return {"treatment": "reduce", "owner": "Ben", "accepted_by": "Ann", **facts}


BOUGHT = node(S.MODEL, "gpt", 60, system="", title="Sortwell", names=names(system="scoring"),
              facts={"model_changed": "2026-11-01"})  # fmt: skip
WHOLE = (
    node(S.REQUIREMENT, "OB-1", 310, system="", names=names(system="scoring")),
    node(S.SYSTEM, "scoring", 300, facts={"owner": "Ben", "stage": "operation"}),
    node(S.RISK, "R-1", 200,
         facts={"treatment": "reduce", "owner": "Ben", "accepted_by": "Ann Okafor",
                "residual": "low", "accepted_residual": "medium", "accepted_until": "2026-11-26"}),
    node(S.TREATMENT, "T-1", 190, names=names(risk="R-1"),
         facts={"due": "2026-06-01", "status": "done"}),
    node(S.IMPACT, "IA-1", 180),
    node(S.MODEL, "credit", 150),
    node(S.DATA, "d-1", 101, names=names(training="run-1"), facts={"context": "training"}),
    node(S.CHECK, "gx-1", 100),
    node(S.TRAINING, "run-1", 100),
    node(S.VERSION, "credit/1", 99, who="Mira", names=names(model="credit", training="run-1")),
    node(S.EVALUATION, "eval-1", 98, names=names(version="credit/1")),
    node(S.CHANGE, "CHG-1", 98, names=names(version="credit/1")),
    node(S.APPROVAL, "ok-1", 97, who="Jonas", names=names(version="credit/1", change="CHG-1")),
    node(S.DEPLOYMENT, "credit@live", 96, names=names(version="credit/1")),
    node(S.MONITORING, "drift-1", 3),
    node(S.INCIDENT, "INC-1", 50, events=(MAJOR,)),
    node(S.CHANGE, "CA-1", 40, names=names(incident="INC-1")),
)  # fmt: skip

Edit = Callable[[Iterable[Node]], Iterable[Node]]


def without(*keys: str) -> Edit:
    return lambda nodes: [one for one in nodes if one.key not in keys]


def other(key: str, **changed: Any) -> Edit:
    return lambda nodes: [replace(n, **changed) if n.key == key else n for n in nodes]


def plus(one: Node) -> Edit:
    return lambda nodes: [*nodes, one]


def ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


def found(*edits: Edit) -> list[tuple[str, str]]:
    nodes: Iterable[Node] = WHOLE
    for edit in edits:
        nodes = edit(nodes)
    return [(b.check, b.about) for b in broken_edges(Look(Graph(tuple(nodes)), NOW))]


def test_a_whole_life_has_no_broken_edge() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("edits", "wanted"),
    [
        ([without("T-1")], [("risk-without-treatment", "R-1")]),
        ([other("R-1", facts={"treatment": "reduce", "owner": "Ben"})],
         [("risk-not-accepted", "R-1")]),
        ([other("R-1", facts={"treatment": "accept", "owner": "Ben", "accepted_by": " BEN "})],
         [("risk-accepted-by-its-owner", "R-1")]),
        ([other("T-1", facts={"due": "2026-11-25", "status": "open"})],
         [("treatment-overdue", "T-1")]),
        ([other("T-1", names=names(risk="R-9")), other("R-1", facts={
            "treatment": "accept", "owner": "Ben", "accepted_by": "Ann"})],
         [("dangling-reference", "T-1")]),
        ([other("R-1", facts=risk(residual="high", accepted_residual="medium"))],
         [("residual-above-accepted", "R-1")]),
        ([other("R-1", facts=risk(residual="7", accepted_residual="12"))], []),
        ([other("R-1", facts=risk(residual="amber", accepted_residual="green"))],
         [("residual-above-accepted", "R-1")]),
        ([other("R-1", facts=risk(accepted="2027-01-31"))], [("risk-not-accepted", "R-1")]),
        ([other("R-1", facts=risk(accepted="2026-11-26"))], []),
        ([other("R-1", facts=risk(residual="nan", accepted_residual="2"))],
         [("residual-above-accepted", "R-1")]),
        ([other("R-1", facts=risk(accepted_until="2026-11-25"))], [("acceptance-expired", "R-1")]),
        ([other("R-1", facts=risk(accepted_until="31.12.2026"))], [("acceptance-expired", "R-1")]),
        ([without("R-1", "T-1")], [("system-without-risk", "scoring")]),
        ([without("OB-1")], [("system-without-requirement", "scoring")]),
        ([plus(node(S.REQUIREMENT, "OB-2", 9, system=""))],
         [("requirement-leads-nowhere", "OB-2")]),
        ([plus(node(S.REQUIREMENT, "IP-1", 9, system="", facts={"met_by": "letters"}))], []),
        ([other("CHG-1", events=(SIGNIFICANT,))], [("impact-older-than-change", "scoring")]),
        ([other("CHG-1", events=(SIGNIFICANT,), at=ago(200))], []),
        ([other("CA-1", events=(SIGNIFICANT,), at=ago(200))], [("change-without-version", "CA-1")]),
        ([without("CA-1")], [("incident-without-change", "INC-1")]),
        ([without("CA-1"), other("INC-1", events=())], []),
        ([without("CA-1"), other("INC-1", at=ago(6))], []),
        ([plus(BOUGHT)], [("evaluation-older-than-supplier-change", "scoring")]),
        ([plus(BOUGHT), other("eval-1", at=ago(3))], []),
        ([plus(replace(BOUGHT, facts={"model_changed": "2027-01-01"}))], []),
        ([lambda nodes: []], [("no-system-registered", "")]),
        ([without("IA-1")], [("system-without-impact-assessment", "scoring")]),
        ([other("scoring", facts={"stage": "operation"})], [("system-without-owner", "scoring")]),
        ([plus(node(S.RISK, "R-2", 9, system="ghost", facts={
            "treatment": "accept", "owner": "Ben", "accepted_by": "Ann"}))],
         [("risk-of-an-unknown-system", "R-2")]),
        ([plus(node(S.MODEL, "shadow", 9, system=""))], [("model-not-in-inventory", "shadow")]),
        ([without("ok-1")], [("live-without-approval", "credit@live")]),
        ([other("ok-1", outcome="failed")], [("approval-does-not-hold", "ok-1")]),
        ([other("ok-1", who="MIRA")], [("approved-by-its-author", "credit/1")]),
        ([other("ok-1", at=ago(95))], [("deployed-before-approval", "credit@live")]),
        ([other("ok-1", at=ago(95)), other("credit@live", facts={"began": ago(94).isoformat()})],
         []),
        ([other("ok-1", names=names(change="CHG-1")),
          other("credit/1", names=names(model="credit", training="run-1", change="CHG-1"))], []),
        ([without("run-1", "d-1")],
         [("live-without-training", "credit/1"), ("dangling-reference", "credit/1")]),
        ([without("d-1")], [("training-without-data", "credit/1")]),
        ([other("d-1", facts={"context": "evaluation"})], [("training-without-data", "credit/1")]),
        ([without("eval-1")], [("live-without-evaluation", "credit/1")]),
        ([other("eval-1", names=(), at=ago(120))], [("evaluation-older-than-version", "credit/1")]),
        ([other("eval-1", names=())], []),
        ([without("gx-1")], [("data-without-check", "credit/1")]),
        ([other("gx-1", outcome="failed")], [("data-check-failed", "gx-1")]),
        ([other("d-1", at=ago(20))], [("data-changed-after-check", "credit/1")]),
        ([without("drift-1")], [("live-without-monitoring", "scoring")]),
        ([other("drift-1", at=ago(32))], [("monitoring-silent", "scoring")]),
        ([without("drift-1"), other("scoring", facts={"owner": "Ben", "stage": "retired"})], []),
        ([without("drift-1", "credit@live")], []),
        ([other("CHG-1", outcome="failed")], [("change-does-not-hold", "CHG-1")]),
        ([other("credit@live", outcome="failed")], [("deployment-does-not-hold", "credit@live")]),
    ],
)  # fmt: skip
def test_planted_once_it_is_found_by_name(edits: list[Edit], wanted: list[tuple[str, str]]) -> None:
    assert sorted(found(*edits)) == sorted(wanted)


def checks_of_the_code() -> set[str]:
    """The name of every kind of broken edge."""
    source = "".join(map(inspect.getsource, (governed, delivered, followed)))
    named = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', source))
    return named | {f"{stage}-does-not-hold" for stage in ("change", "deployment")}


def test_every_check_is_planted_above_and_documented() -> None:
    planted = inspect.getsource(test_planted_once_it_is_found_by_name)
    checks = checks_of_the_code()
    assert len(checks) >= 30
    assert {check for check in checks if f'"{check}"' not in planted} == set()
    table = (Path(__file__).parents[2] / "docs" / "trace.md").read_text(encoding="utf-8")
    told = {name for row in re.findall(r"^\| (`.*?) \|", table, re.M)
            for name in re.findall(r"`([a-z-]+)`", row)}  # fmt: skip
    assert told == checks


def test_a_sentence_names_who_what_and_when() -> None:
    nodes = [replace(n, at=ago(95)) if n.key == "ok-1" else n for n in WHOLE]
    (late,) = broken_edges(Look(Graph(tuple(nodes)), NOW))
    assert late.why == ("credit/1 went live on 2026-08-22, before its first approval on 2026-08-23")
    assert late.item_ids == ("item of credit@live", "item of ok-1")
    assert (late.system, late.missing) == ("scoring", Stage.APPROVAL)


def test_a_login_is_the_person_that_the_register_of_roles_says() -> None:
    whose = {"mira-b": "Mira", "ben@acme.example": "Ben"}
    nodes = [replace(n, who="mira-b") if n.key == "ok-1" else n for n in WHOLE]
    mail = {"accepted_by": "BEN@acme.example"}
    nodes = [replace(n, facts=n.facts | mail) if n.key == "R-1" else n for n in nodes]
    assert broken_edges(Look(Graph(tuple(nodes)), NOW)) == []
    found = {b.check for b in broken_edges(Look(Graph(tuple(nodes), whose), NOW))}
    assert found == {"approved-by-its-author", "risk-accepted-by-its-owner"}


def test_two_systems_do_not_help_each_other_out() -> None:
    second = [
        replace(n, system="triage", keys=(f"2-{n.key}",), names=tuple(
            replace(r, key=f"2-{r.key}") for r in n.names))
        for n in WHOLE
        if n.stage not in {S.MONITORING, S.EVALUATION}
    ]  # fmt: skip
    holes = broken_edges(Look(Graph((*WHOLE, *second)), NOW))
    assert [(b.check, b.system) for b in holes] == [
        ("live-without-monitoring", "triage"), ("live-without-evaluation", "triage"),
    ]  # fmt: skip


def test_what_belongs_to_a_system_is_found_from_any_of_it() -> None:
    graph = Graph((*WHOLE, node(S.RISK, "R-7", 3, system="triage")))
    start = graph.find(S.VERSION, "credit/1")
    assert start is not None
    assert {n.key for n in graph.around(start)} == {n.key for n in WHOLE}
