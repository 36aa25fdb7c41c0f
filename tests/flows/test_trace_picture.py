"""A life as a picture: what is broken is there by shape and word, and hostile text stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from evidence.broken import Look, broken_edges
from evidence.trace import Graph, Stage
from flows.trace_picture import SHOWN, dot, mermaid, picture
from tests.evidence.test_broken import NOW, WHOLE, node, without

HOSTILE = 'x"]; click n0 "javascript:alert(1)" %%{init}%% <img src=x> \\" -> n1 \x1b[2J\n subgraph'
MERMAID = re.compile(
    r"flowchart LR| {2}end| {2}n\d+ --> n\d+| {2}n\d+ -\.-x b\d+"
    r"| {2}subgraph s\d+\[\"[^\"]*\"\]| {4}n\d+\[\"[^\"]*\"\]"
    r"| {4}n\d+\[\[\"[^\"]*\"\]\]| {4}m\d+\(\"[^\"]*\"\)| {2}b\d+\{\{\"[^\"]*\"\}\}"
)
TEXT = r'"(?:[^"\\]|\\.)*"'
DOT = re.compile(
    r'digraph life \{| {2}rankdir="LR"; node \[shape=box\];| {2}\}|\}| {2}n\d+ -> n\d+;'
    rf"| {{2}}subgraph cluster_\d+ \{{ label={TEXT};"
    rf"| {{4}}[nm]\d+ \[label={TEXT}(?:, peripheries=2)?\];"
    rf"| {{2}}b\d+ \[label={TEXT}, shape=octagon\];"
    rf"| {{2}}n\d+ -> b\d+ \[style=dashed, label={TEXT}\];"
)


def test_arrows_follow_the_life_and_what_is_broken_is_marked() -> None:
    nodes = list(without("ok-1")(WHOLE))
    broken = broken_edges(Look(Graph(tuple(nodes)), NOW))
    drawn = picture(nodes, broken)
    boxes = {box.name: box.lines[0] for box in drawn.boxes}
    arrows = {(boxes[one], boxes[two]) for one, two in drawn.arrows}
    assert {("run-1", "credit/1"), ("credit/1", "credit@live"), ("R-1", "T-1"), ("OB-1", "scoring"),
            ("scoring", "drift-1"), ("INC-1", "CA-1")} <= arrows  # fmt: skip
    assert [(boxes[one], why.partition(":")[0]) for one, why in drawn.broken] == [
        ("credit@live", "live-without-approval")
    ]
    for text in (mermaid(drawn), dot(drawn)):
        assert "✗ live-without-approval" in text


def test_text_from_sources_stays_text() -> None:
    bad = [replace(n, title=HOSTILE, who=HOSTILE, outcome="failed") for n in WHOLE]
    drawn = picture(bad, broken_edges(Look(Graph(tuple(bad)), NOW)))
    for text, known in ((mermaid(drawn), MERMAID), (dot(drawn), DOT)):
        for line in text.split("\n"):
            assert known.fullmatch(line), line
        assert "✗ failed" in text
        assert "\x1b" not in text


def test_of_many_the_newest_and_the_broken_are_drawn_and_the_rest_is_counted() -> None:
    runs = [node(Stage.INCIDENT, f"INC-{n}", n + 10, events=("event:incident_major",))
            for n in range(2, 30)]  # fmt: skip
    nodes = [*WHOLE, *runs]
    drawn = picture(nodes, [])
    assert sum(box.stage is Stage.INCIDENT for box in drawn.boxes) == SHOWN
    assert drawn.more == {Stage.INCIDENT: 29 - SHOWN}
    oldest = [b for b in broken_edges(Look(Graph(tuple(nodes)), NOW)) if b.about == "INC-29"]
    assert len(oldest) == 1
    told = picture(nodes, oldest)
    assert "INC-29" in {box.lines[0] for box in told.boxes}
    assert told.broken[0][0]
    assert "… and 22 more" in mermaid(told)


def test_what_begins_nowhere_is_still_drawn() -> None:
    drawn = picture([], broken_edges(Look(Graph(()), datetime.now(UTC) + timedelta(0))))
    assert drawn.broken[0][0] == ""
    assert "no-system-registered" in dot(drawn)
