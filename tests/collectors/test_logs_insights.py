"""Logs Insights: what an answer leaves out shows, however it was left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from collectors._aws import logs_answers
from collectors.base import Window
from evidence.errors import ConfigError, SourceBusy, SourceRefused
from evidence.model import Change, Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts, Total
from tests.collectors.aws_logs_world import Logs
from tests.collectors.aws_server import Denied
from tests.collectors.worlds.logs_insights import COUNT, DAY, EVENTS, REGION, World, noon


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def pull(source: Any, cursor: Cursor | None = None) -> tuple[list[EvidenceItem], PullFacts, Cursor]:
    batches = list(source.collect(cursor))
    facts = sum((batch.facts for batch in batches), PullFacts())
    return [item for batch in batches for item in batch.items], facts, batches[-1].cursor


def payload(item: EvidenceItem) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(item.content)
    return told


def of(items: list[EvidenceItem], name: str, ago: int) -> EvidenceItem:
    (found,) = (i for i in items if i.subject.endswith(f"/{name}/{noon(ago):%Y-%m-%d}"))
    return found


def test_each_day_is_asked_and_answered_whole(world: World) -> None:
    items, facts, _ = pull(world.collector())
    assert len(items) == 6
    told = payload(of(items, "refusals", 1))
    assert [row["@message"] for row in told["rows"]] == ["refused 1", "refused 1"]
    assert "@ptr" not in str(told["rows"])
    assert (told["returned"], told["matched"], told["scanned"]) == (2, 2, 99)
    assert payload(of(items, "lines", 2))["rows"] == [{"lines": "1"}]
    assert {i.system for i in items} == {"credit-scoring"}
    assert (facts.gaps, facts.shortfall()) == ((), 0)
    assert sum(total.promised for total in facts.totals) == 3
    spans = {one["endTime"] - one["startTime"] for one in world.insights.asked}
    assert spans == {86_399}


def test_the_same_answer_is_not_told_twice_and_another_is(world: World) -> None:
    _, _, cursor = pull(world.collector())
    assert pull(world.collector(), cursor)[0] == []
    world.grow()
    items, _, cursor = pull(world.collector(), cursor)
    assert [(i.subject.split("/")[2], i.change) for i in items] == [
        ("refusals", Change.NEW), ("lines", Change.NEW),
    ]  # fmt: skip
    world.insights.lines.pop()
    items, _, cursor = pull(world.collector(), cursor)
    assert of(items, "refusals", 1).change is Change.CHANGED, "a row that was there is gone"
    asked = len(world.insights.asked)
    pull(world.collector(reread_every=DAY), cursor)
    assert len(world.insights.asked) == asked


def test_an_answer_cut_at_the_most_is_an_error_and_the_pull_is_short(world: World) -> None:
    world.insights.lines = [(noon(1), f"line {n}") for n in range(10_050)]
    items, facts, _ = pull(world.collector(queries={"refusals": EVENTS}))
    cut = of(items, "refusals", 1)
    assert cut.outcome is Outcome.ERROR
    assert "cut at 10000 rows" in cut.title
    assert (payload(cut)["returned"], len(payload(cut)["rows"])) == (10_000, 1_000)
    assert facts.shortfall() == 50
    assert ["cut at 10000" in gap.why for gap in facts.gaps] == [True]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"cut": 1}, "1 rows came of 2 records that matched"),
        ({"more": {"resultCount": 5.0}}, "2 rows came of 5"),
        ({"more": {"estimatedRecordsSkipped": 7.0}}, "skipped about 7"),
        ({"status": "Timeout"}, "did not answer: Timeout"),
        ({"status": "Failed"}, "did not answer: Failed"),
    ],
    ids=["short", "result count", "skipped", "timeout", "failed"],
)
def test_an_answer_that_may_not_be_whole_is_an_error(
    world: World, changed: dict[str, Any], why: str
) -> None:
    for name, value in changed.items():
        setattr(world.insights, name, value)
    items, facts, _ = pull(world.collector(queries={"refusals": EVENTS}))
    assert of(items, "refusals", 1).outcome is Outcome.ERROR
    assert why in of(items, "refusals", 1).title
    assert any(why in gap.why for gap in facts.gaps)


def test_what_was_not_answered_is_asked_again_at_once(world: World) -> None:
    world.insights.status = "Timeout"
    patient = world.collector(reread_every=DAY)
    _, _, cursor = pull(patient)
    world.insights.status = "Complete"
    items, facts, _ = pull(patient, cursor)
    assert (len(items), facts.gaps) == (6, ())


def test_answers_are_waited_for_and_come_in_pages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    still = SimpleNamespace(monotonic=lambda: sum(waits), sleep=waits.append)
    monkeypatch.setattr(logs_answers, "time", still)
    world.insights.runs, world.insights.page = 8, 1
    items, facts, _ = pull(world.collector(queries={"refusals": EVENTS}))
    assert payload(of(items, "refusals", 1))["returned"] == 2
    assert facts.gaps == ()
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    world.insights.runs = 10**6
    items, _, _ = pull(world.collector(queries={"refusals": EVENTS}, lookback=DAY))
    assert "did not answer: Running" in items[0].title


def test_a_query_that_is_wrong_or_denied_is_a_gap_beside_those_that_are_not(world: World) -> None:
    items, facts, _ = pull(world.collector(queries={"bad": "oops", "lines": COUNT}))
    assert {i.subject.split("/")[2] for i in items} == {"lines"}
    assert [gap.what for gap in facts.gaps] == [f"query bad in {REGION}"]
    with pytest.raises(SourceRefused, match="MalformedQueryException"):
        pull(world.collector(queries={"bad": "oops"}))
    items, facts, _ = pull(world.collector(groups=("/gone",)))
    assert items == []
    assert all("a log group is not there" in gap.why for gap in facts.gaps)


def test_too_many_queries_at_once_is_busy(world: World) -> None:
    def full(*_: object) -> Any:
        raise Denied("LimitExceededException")

    world.aws.answers["StartQuery"] = full
    with pytest.raises(SourceBusy, match="LimitExceededException"):
        pull(world.collector())


def test_a_window_is_asked_alone_and_can_go_on(world: World) -> None:
    world.insights.lines.append((noon(40), "long ago"))
    midnight = noon(40) - timedelta(hours=12)
    window = Window(midnight + DAY, midnight + 3 * DAY)
    items, _, cursor = pull(world.collector(queries={"refusals": EVENTS}, window=window))
    assert len(items) == 2
    assert all(window.holds(i) for i in items)
    assert payload(of(items, "refusals", 40))["returned"] == 1
    assert pull(world.collector(queries={"refusals": EVENTS}, window=window), cursor)[0] == []


def test_moto_answers_the_same_calls(world: World, tmp_path: Path) -> None:
    """Apart from the stand-in: moto runs the query itself, but tells no statistics."""
    logs = Logs(world.aws, tmp_path.name)
    group = logs.group("credit")
    logs.put(group, noon(1), "started", "decided")
    del world.aws.answers["StartQuery"], world.aws.answers["GetQueryResults"]
    items, _, _ = pull(
        world.collector(regions=(logs.region,), groups=(group,), queries={"refusals": EVENTS})
    )
    told = payload(of(items, "refusals", 1))
    assert [row["@message"] for row in told["rows"]] == ["decided", "started"]
    assert told["matched"] is None


@pytest.mark.parametrize(
    "changed",
    [{"groups": ()}, {"groups": "one"}, {"queries": {}}, {"queries": {"a": f"{EVENTS} | LIMIT 5"}},
     {"queries": {"a": f"{EVENTS}\n|head 5"}}, {"lookback": timedelta(0)},
     {"reread_every": -DAY}],
    ids=["no group", "text", "no query", "limit", "head", "lookback", "reread"],
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_told(world: World, changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="cloud-questions"):
        world.collector(**changed)


def test_totals_are_of_records_and_never_of_sums() -> None:
    rows = ({"lines": "10"},)
    assert list(logs_answers.Answer(rows, 10).totals("q")) == []
    assert list(logs_answers.Answer(rows, 10, events=True).totals("q")) == [Total("q", 10, 1)]
