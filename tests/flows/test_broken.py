"""What is broken in a life cycle needs a person, by the same findings as `headwater trace`."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks.mixed import mixed
from dashboards.questions import Asked as Question
from evidence.broken import Look, broken_edges
from evidence.excerpt import EVERYTHING, Excerpt
from evidence.model import Change, EvidenceItem, Nature, Outcome
from evidence.runs import Pull, PullFacts, PullOutcome
from evidence.trace import Broken, Stage
from flows._alerts.causes import seen
from flows.asks import answered
from flows.board import needs
from flows.broken import broken
from flows.moment import Asked
from flows.trace import Traced, graph_about, graph_of, tied_graph, trace
from flows.trace import _print as shown_in_a_table
from flows.trace_rows import lives
from mappings.trace import load_trace
from storage.views import connect
from tests.flows.conftest import Home
from tests.flows.house import House, make_house
from tests.storage.makers import START

NOW = START - timedelta(hours=1)
SYSTEM = {"register": "ai_systems", "level": "record", "id": "churn", "owner": "Ann",
          "stage": "production"}  # fmt: skip


@pytest.fixture
def house(home: Home) -> House:
    return make_house(home())


def land(house: House, items: list[EvidenceItem], *, tag: bool = True) -> None:
    at = house.clock.now
    house.number += 1
    pull = Pull(f"p{house.number}", "bench", "t:None", at, at, PullOutcome.COMPLETE, PullFacts(),
                len(items))  # fmt: skip
    lake = house.lake
    lake.land("bench", items, bookmark=lake.bookmark("bench"), cursor=None,
              pull_id=pull.pull_id, pull=pull)  # fmt: skip
    if tag:
        house.follow()


def item(kind: str, subject: str, payload: dict[str, object], **more: object) -> EvidenceItem:
    given = {"source": "bench", "nature": Nature.STATE, "system": "churn", "title": subject,
             "observed_from": NOW, "observed_to": NOW, "collected_at": NOW}  # fmt: skip
    return EvidenceItem(kind=kind, subject=subject, payload=payload, **(given | more))


def version(number: int, author: str = "mira") -> list[EvidenceItem]:
    """A version with the run that made it, in service."""
    run = {"run_id": f"r{number}", "params": {"model": "churn", "version": number}}
    made = {"name": "churn", "version": str(number), "run_id": f"r{number}", "user_id": author}
    return [
        item("mlflow.run", f"r{number}", run, nature=Nature.EVENT),
        item("mlflow.model_version", f"churn/{number}", made),
        item("mlflow.model_alias", "churn@champion",
             {"model": "churn", "alias": "champion", "version": str(number), "production": True}),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_asking_only_what_an_edge_may_be_about_finds_the_same(house: House, seed: int) -> None:
    dice = random.Random(seed)
    land(house, [mixed(dice.randrange(10**6), NOW - timedelta(days=dice.randrange(90)))
                 for _ in range(700)])  # fmt: skip
    land(house, [item("git.register", "churn", SYSTEM), *version(dice.randrange(5)),
                 *(item("mlflow.run", f"more-{n}", {"run_id": f"r{n}", "params": {}})
                   for n in range(5))])  # fmt: skip
    with connect(house.lake) as connection:
        whole, tied = (make(connection, load_trace()) for make in (graph_of, tied_graph))
    assert len(tied.nodes) < len(whole.nodes)
    found = broken_edges(Look(whole, NOW))
    assert len(found) > 10
    assert broken_edges(Look(tied, NOW)) == found


@pytest.mark.parametrize("seed", range(2))
def test_a_life_asked_for_alone_is_what_the_whole_graph_shows(house: House, seed: int) -> None:
    dice = random.Random(seed)
    land(house, [mixed(dice.randrange(300), NOW - timedelta(days=dice.randrange(90)))
                 for _ in range(400)])  # fmt: skip
    land(house, [item("git.register", "churn", SYSTEM), *version(1)])
    with connect(house.lake) as connection:
        whole = graph_of(connection, load_trace())
        broken = broken_edges(Look(whole, NOW))
        named = {node.system for node in whole.nodes if node.system}
        for about in (
            *sorted(named)[:9],
            "churn",
            "churn/1",
            *(node.key for node in whole.nodes[:5]),
        ):
            part = graph_about(connection, load_trace(), about)
            alone = trace(part, about, broken_edges(Look(part, NOW)))
            assert alone == trace(whole, about, broken)
    shown = lives(house.lake, house.judge(None).moment)
    assert set(shown) == named
    for system in named:
        near = trace(whole, system, broken).nodes
        assert shown[system].stages == {stage.value: 0 for stage in Stage} | Counter(
            node.stage.value for node in near)  # fmt: skip
        rows = [(node.at or NOW - timedelta(days=999), node.item_id) for node in near]
        told = [(row.at or rows[0][0], row.item_id) for row in shown[system].nodes]
        assert {item_id for _, item_id in told} <= {item_id for _, item_id in rows}
        assert max(at for at, _ in told) == max(at for at, _ in rows)


def test_of_each_subject_what_the_view_shows_as_its_last_stands(house: House) -> None:
    dice = random.Random(7)
    for _ in range(4):
        found = (mixed(dice.randrange(10**6), NOW - timedelta(days=dice.randrange(9)))
                 for _ in range(150))  # fmt: skip
        land(house, [replace(one, subject=f"s{dice.randrange(9)}", system="churn",
                             change=dice.choice(list(Change))) for one in found])  # fmt: skip
    trace = load_trace()
    with connect(house.lake) as connection:
        nodes = graph_of(connection, trace).nodes
        last = connection.execute(
            """SELECT item_id FROM latest WHERE change <> 'gone' AND (list_contains($kinds, kind)
                OR item_id IN (SELECT item_id FROM tags WHERE list_contains($evidence, evidence)))
            """, {"kinds": trace.native, "evidence": trace.evidence}).fetchall()  # fmt: skip
    assert len(last) > 20
    assert {node.item_id for node in nodes} == {item_id for (item_id,) in last}


def test_a_version_that_nobody_approved_needs_a_person_until_somebody_does(house: House) -> None:
    land(house, [item("git.register", "churn", SYSTEM), *version(1)])
    key = "trace live-without-approval churn"
    judged = house.judge(None)
    with connect(house.lake) as connection:
        found = needs(connection, house.lake, house.config, judged)
    (note,) = [note for note in found.attention if note.cause == key]
    (cause,) = [c for c in seen(judged, found.attention, found.sources).causes if c.key == key]
    assert (cause.severity, cause.owners) == (note.severity, ("Ann",))
    assert "churn/1 is live" in note.sentence
    approval = {"model": "churn", "version": "1", "approved_by": "Bea"}
    land(house, [item("mlflow.approval", "churn/1", approval, outcome=Outcome.PASSED)])
    with connect(house.lake) as connection:
        assert key not in {note.cause for note in broken(connection, NOW)}


def test_many_broken_alike_are_one_cause(house: House) -> None:
    risks = [item("git.register", f"R-{n}", {"register": "risks", "level": "record", "id": f"R-{n}",
                                             "treatment": "reduce", "accepted_by": "Ann"})
             for n in range(9)]  # fmt: skip
    land(house, [item("git.register", "churn", SYSTEM), *risks])
    with connect(house.lake) as connection:
        causes = [note.cause for note in broken(connection, NOW)]
        assert causes.count("trace risk-without-treatment churn") == 1
        assert len(causes) == len(set(causes))


def test_what_a_table_does_not_show_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    edge = Broken("risk-not-accepted", Stage.RISK, "R-1", "churn", Stage.RISK, "nobody did")
    monkeypatch.setattr("flows.trace.MOST", 2)
    for number, told in ((2, "2 broken edges\n"), (3, "3 broken edges, 1 of them not shown: ")):
        shown_in_a_table(Traced("", (), [edge] * number), "now", ())
        out = capsys.readouterr().out
        assert told in out
        assert out.count("nobody did") == 2


def test_an_empty_lake_tells_its_missing_inventory_once(house: House) -> None:
    with connect(house.lake) as connection:
        assert list(broken(connection, NOW)) == []


def asked_edges(house: House, as_of: str, excerpt: Excerpt = EVERYTHING) -> set[tuple[str, ...]]:
    answer = answered(house.config, Question("broken-edges", as_of=as_of), excerpt)
    assert answer.columns[:3] == ("edge", "system", "stage")
    assert not answer.truncated
    return {(row[0], row[1], row[5]) for row in answer.rows}


def test_what_is_not_tagged_yet_hides_no_edge(house: House) -> None:
    dice = random.Random(5)
    land(house, [item("git.register", "churn", SYSTEM), *version(1)])
    before = answered(house.config, Question("broken-edges"), EVERYTHING)
    land(house, [mixed(dice.randrange(10**6), NOW) for _ in range(300)], tag=False)
    then = answered(house.config, Question("broken-edges"), EVERYTHING)
    assert len(then.rows) > len(before.rows)
    assert before.notes == ()
    assert "some items have yet to be tagged" in then.notes[0]
    house.follow()
    after = answered(house.config, Question("broken-edges"), EVERYTHING)
    assert (after.rows, after.notes) == (then.rows, ())


def test_one_question_gives_every_broken_edge_as_of_a_moment(house: House) -> None:
    risk = {"register": "risks", "level": "record", "id": "R-1", "treatment": "reduce"}
    land(house, [item("git.register", "churn", SYSTEM), *version(1),
                 item("git.register", "R-1", risk, system="ghost")])  # fmt: skip
    house.clock.now += timedelta(minutes=1)
    then = house.judge(Asked(at=house.clock.now)).moment
    with then.connect(house.lake) as connection:
        whole = broken_edges(Look(graph_of(connection, load_trace()), then.at))
    assert len(whole) > 8
    found = asked_edges(house, then.token)
    assert found == {(edge.check, edge.system, edge.why) for edge in whole}
    of_one = asked_edges(house, then.token, Excerpt(systems=("ghost",)))
    assert of_one == {one for one in found if one[1] == "ghost"}
    assert asked_edges(house, then.token, Excerpt(systems=())) == set()
    house.clock.now += timedelta(hours=1)
    approval = {"model": "churn", "version": "1", "approved_by": "Bea"}
    land(house, [item("mlflow.approval", "churn/1", approval, outcome=Outcome.PASSED)])
    house.clock.now += timedelta(minutes=1)
    later = asked_edges(house, house.judge(Asked(at=house.clock.now)).moment.token)
    assert {edge for edge, *_ in found} - {edge for edge, *_ in later} == {"live-without-approval"}
    assert asked_edges(house, then.token) == found
