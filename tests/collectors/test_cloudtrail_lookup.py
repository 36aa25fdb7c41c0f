"""CloudTrail's event history: late, throttled, cut and lost events show; nothing claims a proof."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from collectors._aws import asking
from collectors._trail import lookups
from collectors.base import Window
from evidence.errors import ConfigError, SourceBroken, SourceBusy, SourceRefused
from evidence.model import Batch, Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts
from tests.collectors.aws_server import Denied
from tests.collectors.worlds.cloudtrail_lookup import HOUR, REGION, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def pull(source: Any, cursor: Cursor | None = None) -> tuple[list[EvidenceItem], PullFacts, Cursor]:
    batches = list(source.collect(cursor))
    facts = sum((batch.facts for batch in batches), PullFacts())
    return [item for batch in batches for item in batch.items], facts, batches[-1].cursor


def numbers(items: list[EvidenceItem]) -> list[int]:
    return [int(i.subject[-3:]) for i in items if i.kind == "aws.cloudtrail"]


def problems(items: list[EvidenceItem]) -> list[str]:
    found = [i for i in items if i.kind == "aws.cloudtrail.digest"]
    assert {i.outcome for i in found} <= {Outcome.ERROR}
    return [p["name"] for i in found for p in json.loads(i.content)["problems"]]


def test_every_event_comes_once_and_no_proof_is_claimed(world: World) -> None:
    items, facts, cursor = pull(world.collector())
    assert sorted(numbers(items)) == [0, 1, 2, 3, 9]
    assert problems(items) == ["not validated"]
    assert "no digest chain proves" in facts.query
    assert (facts.received, facts.gaps) == (5, ())
    assert facts.window_from is not None
    assert facts.window_from < world.history.now - timedelta(days=89)
    again, _, _ = pull(world.collector(), cursor)
    assert again == []


def test_slices_follow_one_another_without_a_hole(world: World) -> None:
    pull(world.collector())
    slices = sorted({(one["StartTime"], one["EndTime"]) for one in world.history.asked})
    assert slices[-1][1] - slices[0][0] > 89 * 86_400
    assert all(two[0] - one[1] == 1 for one, two in itertools.pairwise(slices))


def test_an_event_that_is_shown_late_is_found(world: World) -> None:
    _, _, cursor = pull(world.collector())
    world.history.add(50, timedelta(minutes=14))
    later, _, _ = pull(world.collector(), cursor)
    assert numbers(later) == [50]
    assert problems(later) == []


def test_a_slice_with_too_much_in_it_is_made_smaller_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "MOST", 5)
    for number in range(20, 60):
        world.history.add(number, timedelta(days=3, seconds=number % 4))
    items, facts, _ = pull(world.collector())
    assert sorted(numbers(items)) == [0, 1, 2, 3, 9, *range(20, 60)]
    assert facts.received == 45, "what was read twice counts once"


def test_throttling_in_the_middle_keeps_what_came(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "FULL", 1)

    def throttled(region: str, asked: Any) -> Any:
        if asked["StartTime"] > (world.history.now - timedelta(days=10)).timestamp():
            raise Denied("ThrottlingException")
        return world.history.answer(region, asked)

    world.aws.answers["LookupEvents"] = throttled
    batches: list[Batch] = []
    with pytest.raises(SourceBusy, match="ThrottlingException"):
        batches.extend(world.collector().collect(None))
    came = numbers([i for b in batches for i in b.items])
    assert 0 in came
    world.aws.answers["LookupEvents"] = world.history.answer
    rest = numbers(pull(world.collector(), batches[-1].cursor)[0])
    assert {*came, *rest} == {0, 1, 2, 3, 9}
    assert 0 not in rest


def test_what_aged_out_before_it_was_read_is_lost_and_says_so_for_ever(world: World) -> None:
    _, _, cursor = pull(world.collector())
    old = world.history.now - timedelta(days=100)
    mark = json.dumps({"looked_up": {f"123456789012/{REGION}": old.isoformat()}})
    items, facts, cursor = pull(world.collector(), Cursor(mark))
    assert problems(items) == ["events lost"]
    assert ["older than CloudTrail shows" in gap.why for gap in facts.gaps] == [True]
    assert sorted(numbers(items)) == [0, 1, 2, 3, 9]
    assert pull(world.collector(), cursor)[1].gaps == ()


@pytest.mark.parametrize("raw", ["", "[]", "{", '{"eventID": "x"}'])
def test_an_event_that_cannot_be_read_is_a_gap_and_its_neighbours_are_kept(
    world: World, raw: str
) -> None:
    world.history.add(70, HOUR, raw=raw)
    items, facts, _ = pull(world.collector())
    assert problems(items) == ["not validated", "unreadable event"]
    assert [gap.what[-3:] for gap in facts.gaps] == ["070"]
    assert len(numbers(items)) == 5


def test_a_denied_region_is_a_gap_and_is_read_from_where_it_was(world: World) -> None:
    both = world.collector(regions=("eu-west-1", REGION))
    world.aws.denied[REGION, "LookupEvents"] = "AccessDeniedException"
    _, facts, cursor = pull(both)
    assert [gap.what for gap in facts.gaps] == [f"events in {REGION}"]
    world.aws.denied.clear()
    assert 2 in numbers(pull(both, cursor)[0])
    world.aws.denied[REGION, "LookupEvents"] = "AccessDeniedException"
    with pytest.raises(SourceRefused, match="cloudtrail:LookupEvents in eu-south-1"):
        pull(world.collector(), cursor)


def test_a_window_is_read_alone_and_can_go_on(world: World) -> None:
    now = world.history.now
    window = Window(now - timedelta(days=21), now - timedelta(days=5))
    items, facts, cursor = pull(world.collector(window=window))
    assert sorted(numbers(items)) == [1, 9]
    assert (problems(items), facts.gaps) == ([], ())
    assert pull(world.collector(window=window), cursor)[0] == []
    older = Window(now - timedelta(days=120), now - timedelta(days=79))
    items, facts, _ = pull(world.collector(window=older))
    assert (numbers(items), len(facts.gaps)) == ([0], 1)


def test_calls_of_a_region_are_kept_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    still = SimpleNamespace(monotonic=lambda: 0.0, sleep=waits.append)
    monkeypatch.setattr(asking, "time", still)
    pull(world.collector(per_second=2.0))
    assert len(waits) == len(world.history.asked) - 1
    assert set(waits) == {0.5}


def test_a_page_token_that_comes_twice_is_broken(world: World) -> None:
    world.aws.answers["LookupEvents"] = lambda *_: {"Events": [], "NextToken": "again"}
    with pytest.raises(SourceBroken, match="same page token"):
        pull(world.collector())


@pytest.mark.parametrize("changed", [{"lookback": timedelta(0)}, {"per_second": 0}])
def test_settings_that_cannot_be_meant_are_told(world: World, changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="cloud-history"):
        world.collector(**changed)
