"""Days of logs are counted, not kept; what comes late is added, and what goes away shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from collectors.base import Window
from collectors.cloudwatch_logs import CloudWatchLogs
from evidence.errors import ConfigError, SourceBroken, SourceBusy, SourceRefused
from evidence.model import Change, Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts
from tests.collectors.aws_logs_world import DAY, Logs, noon
from tests.collectors.aws_server import Aws, Denied

SECRET = "patient 4711 asked for a loan"


@pytest.fixture
def logs(request: pytest.FixtureRequest) -> Iterator[Logs]:
    with Aws() as aws:
        yield Logs(aws, f"/{request.node.name.partition('[')[0]}/{id(request)}")


def pull(
    source: CloudWatchLogs, cursor: Cursor | None = None
) -> tuple[list[EvidenceItem], PullFacts, Cursor]:
    items: list[EvidenceItem] = []
    facts = PullFacts()
    for batch in source.collect(cursor):
        items += batch.items
        facts, cursor = facts + batch.facts, batch.cursor
    assert cursor is not None
    return items, facts, cursor


def day(items: list[EvidenceItem], ago: int) -> EvidenceItem:
    (found,) = (i for i in items if i.subject.endswith(f"{noon(ago):%Y-%m-%d}"))
    return found


def payload(item: EvidenceItem) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(item.content)
    return told


def test_a_day_is_counted_and_nothing_of_it_is_kept(logs: Logs) -> None:
    group = logs.group("credit-api")
    logs.put(group, noon(1), SECRET, SECRET, "ok")
    items, facts, cursor = pull(logs.collector())
    found = day(items, 1)
    told = payload(found)
    assert (told["events"], told["hours"][12], told["streams"]) == (3, 3, 1)
    assert told["late"] == 0 or told["late"] == 3, "moto stamps the arrival with now"
    assert found.observed_to - found.observed_from == DAY
    assert found.system == "credit-scoring"
    assert "patient" not in str([i.content for i in items]) + cursor.value + str(facts)
    assert payload(day(items, 2))["events"] == 0, "a silent day is told, not left out"
    assert not [i for i in items if i.subject.endswith(f"{noon(0):%Y-%m-%d}")], "not closed yet"


def test_a_late_event_makes_the_day_what_it_is(logs: Logs) -> None:
    group = logs.group("a")
    logs.put(group, noon(2), "one")
    _, _, cursor = pull(logs.collector())
    logs.put(group, noon(2), "two")
    items, _, _ = pull(logs.collector(), cursor)
    (found,) = items
    assert (payload(found)["events"], found.outcome) == (2, Outcome.RECORDED)
    fresh, _, _ = pull(logs.collector())
    assert found.item_id in {i.item_id for i in fresh}


def test_what_was_there_and_is_gone_has_failed(logs: Logs) -> None:
    group = logs.group("a")
    logs.put(group, noon(2), "one", "two")
    _, _, cursor = pull(logs.collector())
    logs.drop(group)
    items, _, after = pull(logs.collector(), cursor)
    (found,) = items
    assert (found.outcome, found.change) == (Outcome.FAILED, Change.CHANGED)
    assert payload(found)["before"]["events"] == 2
    assert "where there were 2" in found.title
    assert pull(logs.collector(), after)[0] == []


def test_as_many_events_but_others_has_failed(logs: Logs) -> None:
    group = logs.group("a")
    logs.put(group, noon(2), "approved by nobody")
    _, _, cursor = pull(logs.collector())
    logs.drop(group)
    logs.aws.client("logs", logs.region).create_log_stream(logGroupName=group, logStreamName="b")
    logs.put(group, noon(2), "approved by ann", stream="b")
    items, _, _ = pull(logs.collector(), cursor)
    assert [i.outcome for i in items] == [Outcome.FAILED]


def test_what_the_retention_has_removed_is_not_taken_for_a_loss(logs: Logs) -> None:
    logs.group("short", keeps=3)
    logs.group("young", age=1)
    items, _, _ = pull(logs.collector())
    days = {i.subject.split("/")[-2]: 0 for i in items if i.kind.endswith(".day")}
    for item in items:
        if item.kind.endswith(".day"):
            days[item.subject.split("/")[-2]] += 1
            assert item.observed_from > noon(0) - 3 * DAY - timedelta(hours=12)
    assert days == {"short": 2, "young": 1}


def test_retention_is_judged_only_against_a_period(logs: Logs) -> None:
    for name, keeps in (("short", 30), ("long", 90), ("ever", 0)):
        logs.group(name, keeps=keeps)
    for at_least, wanted in ((90, ["failed", "passed", "passed"]), (0, ["recorded"] * 3)):
        items, _, _ = pull(logs.collector(retention_at_least=at_least))
        found = {
            payload(i)["name"].split("/")[-1]: i.outcome.value
            for i in items
            if i.kind == "aws.cloudwatch_logs.group"
        }
        assert [found[name] for name in ("short", "long", "ever")] == wanted


def test_a_group_that_is_named_must_be_there(logs: Logs) -> None:
    group = logs.group("a")
    _, facts, _ = pull(logs.collector(groups=(group, f"{group}-typo", "nothing-*")))
    assert [gap.what for gap in facts.gaps] == [f"log group {group}-typo"]


def test_a_group_denied_is_named_and_its_days_stay_due(logs: Logs) -> None:
    group = logs.group("a")
    logs.put(group, noon(1), "one")
    logs.aws.denied[logs.region, "FilterLogEvents"] = "AccessDeniedException"
    items, facts, cursor = pull(logs.collector())
    assert [i.kind for i in items] == ["aws.cloudwatch_logs.group"]
    (gap,) = facts.gaps
    assert group in gap.what
    assert "logs:FilterLogEvents" in gap.why
    logs.aws.denied.clear()
    assert payload(day(pull(logs.collector(), cursor)[0], 1))["events"] == 1


def test_a_denied_region_keeps_its_groups(logs: Logs) -> None:
    logs.group("a")
    there = "eu-west-1"
    both = logs.collector(regions=(logs.region, there))
    Logs(logs.aws, logs.prefix, there).group("b")
    _, _, cursor = pull(both)
    logs.aws.denied[there, "DescribeLogGroups"] = "UnrecognizedClientException"
    items, facts, _ = pull(both, cursor)
    assert items == []
    assert [gap.what for gap in facts.gaps] == [f"aws.cloudwatch_logs.group in {there}"]
    assert facts.states == ()
    logs.aws.denied[logs.region, "DescribeLogGroups"] = "AccessDeniedException"
    with pytest.raises(SourceRefused):
        pull(both, cursor)


def test_a_group_deleted_while_it_is_read_makes_the_pull_partial(logs: Logs) -> None:
    group = logs.group("a")

    def gone(*_: object) -> Mapping[str, Any]:
        raise Denied("ResourceNotFoundException")

    logs.aws.answers["FilterLogEvents"] = gone
    _, facts, _ = pull(logs.collector())
    assert [(group in g.what, "deleted while" in g.why) for g in facts.gaps] == [(True, True)]


def _event(number: int, at: int) -> dict[str, Any]:
    return {"eventId": str(number), "timestamp": at, "message": "x", "logStreamName": "s"}


def test_empty_pages_and_repeated_events_neither_end_nor_double_the_count(logs: Logs) -> None:
    logs.group("a")

    def answer(_: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        token, at = asked.get("nextToken"), asked["startTime"]
        if token is None:
            return {"events": [_event(n, at) for n in range(3)], "nextToken": "1"}
        if token == "1":
            return {"events": [], "nextToken": "2"}
        return {"events": [_event(n, at) for n in range(2, 5)]}

    logs.aws.answers["FilterLogEvents"] = answer
    items, _, _ = pull(logs.collector())
    assert payload(day(items, 1))["events"] == 5


def test_a_token_that_comes_twice_is_broken(logs: Logs) -> None:
    logs.group("a")
    logs.aws.answers["FilterLogEvents"] = lambda *_: {"events": [], "nextToken": "again"}
    with pytest.raises(SourceBroken, match="same page token"):
        pull(logs.collector())


def test_throttled_after_a_group_is_busy_and_that_group_is_not_asked_again(logs: Logs) -> None:
    first, second = logs.group("a"), logs.group("b")
    asked: list[str] = []

    def answer(_: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(told["logGroupName"])
        if told["logGroupName"] == second:
            raise Denied("ThrottlingException")
        return {"events": [_event(1, told["startTime"])]}

    logs.aws.answers["FilterLogEvents"] = answer
    source = logs.collector(reread_every=DAY)
    batches = source.collect(None)
    next(batches)
    cursor = next(batches).cursor
    with pytest.raises(SourceBusy):
        next(batches)
    del logs.aws.answers["FilterLogEvents"]
    asked.clear()
    items, _, _ = pull(source, cursor)
    assert {payload(i)["group"] for i in items} == {second}
    assert first not in asked


@pytest.mark.parametrize(
    "changed",
    [{"groups": ()}, {"groups": "a*"}, {"lookback": timedelta(0)}, {"retention_at_least": -1}],
    ids=["none", "text", "lookback", "negative"],
)
def test_settings_that_cannot_be_meant_are_told(logs: Logs, changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="cloud-events"):
        logs.collector(**changed)


def test_a_window_brings_its_days_alone_and_says_what_retention_took(logs: Logs) -> None:
    group = logs.group("credit-api", keeps=7)
    logs.put(group, noon(5), "five")
    logs.put(group, noon(1), "one")
    midnight = noon(5) - timedelta(hours=12)
    window = Window(midnight, midnight + 2 * DAY)
    items, facts, cursor = pull(logs.collector(window=window))
    assert {i.subject[-10:]: payload(i)["events"] for i in items} == {
        f"{noon(6):%Y-%m-%d}": 0, f"{noon(5):%Y-%m-%d}": 1,
    }  # fmt: skip
    assert all(window.holds(i) for i in items)
    assert (facts.states, facts.gaps) == ((), ())
    assert pull(logs.collector(window=window), cursor)[0] == []
    older = Window(midnight - 10 * DAY, midnight)
    gaps = pull(logs.collector(window=older))[1].gaps
    assert ["its retention has removed them" in gap.why for gap in gaps] == [True]
