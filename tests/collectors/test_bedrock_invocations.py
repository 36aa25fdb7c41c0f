"""Bedrock's invocation log: each call counts once, what is missing shows, and no word is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors._aws.bedrock_calls import call_of
from collectors.base import Window
from evidence.errors import SourceBroken, SourceRefused
from evidence.model import Change, Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts
from tests.collectors.worlds.bedrock_invocations import (
    DAY,
    HAIKU,
    MINUTE,
    REGION,
    World,
    call,
    noon,
)

MIDNIGHT = timedelta(hours=12)


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


def delivery(items: list[EvidenceItem], ago: int) -> EvidenceItem:
    day = f"{noon(ago):%Y-%m-%d}"
    (found,) = (i for i in items if i.kind == "aws.bedrock.delivery" and i.subject.endswith(day))
    return found


def calls(items: list[EvidenceItem], ago: int) -> dict[str, Any]:
    day = f"/{noon(ago):%Y-%m-%d}/"
    (found,) = (i for i in items if i.kind == "aws.bedrock.invocations" and day in i.subject)
    return payload(found)


def test_a_day_is_counted_by_model_and_system_and_no_word_is_kept(world: World) -> None:
    guarded = {"outputTokenCount": 0, "outputBodyJson": {"stopReason": "guardrail_intervened"}}
    passed = {"outputTokenCount": 5, "outputBodyJson": {"amazon-bedrock-guardrailAction": "NONE"}}
    other = {"arn": "arn:aws:iam::123456789012:user/mira"}
    world.log(
        noon(3),
        call(50, noon(3), output=guarded), call(51, noon(3) + 60 * MINUTE, output=passed),
        call(52, noon(3), errorCode="ThrottlingException", input={}, output={}),
        call(53, noon(3), identity=other),
    )  # fmt: skip
    items, facts, _ = pull(world.collector())
    found = [i for i in items if i.kind.endswith("invocations") and f"{noon(3):%m-%d}" in i.subject]
    assert [i.system for i in found] == ["", "credit-scoring"]
    told = payload(found[1])
    assert (told["calls"], told["input_tokens"], told["output_tokens"]) == (3, 20, 5)
    assert (told["hours"][12], told["hours"][13], told["without_tokens"]) == (2, 1, 1)
    assert told["guardrail"] == {"intervened": 1, "passed": 1}
    assert told["errors"] == {"ThrottlingException": 1}
    assert told["callers"] == 1
    assert facts.received == 10
    everything = str([(i.content, i.title) for i in items])
    assert "diagnosis" not in everything
    assert "nobody may read" not in everything


def test_a_day_passes_only_where_cloudwatch_counted_the_same(world: World) -> None:
    items, facts, cursor = pull(world.collector())
    assert delivery(items, 1).outcome is Outcome.PASSED
    assert delivery(items, 3).outcome is Outcome.RECORDED, "nothing counted, nothing logged"
    assert facts.gaps == ()
    assert pull(world.collector(), cursor)[0] == []


def test_files_that_stopped_while_models_are_called_fail_and_make_the_pull_partial(
    world: World,
) -> None:
    world.count(noon(3), 500)
    items, facts, cursor = pull(world.collector())
    stopped = delivery(items, 3)
    assert stopped.outcome is Outcome.FAILED
    assert "counted 500 invocations, 0 are logged" in stopped.title
    assert ["500" in gap.why for gap in facts.gaps] == [True]
    assert pull(world.collector(), cursor)[0] == []


def test_calls_of_a_day_without_its_count_are_recorded_and_the_denial_shows(world: World) -> None:
    world.aws.denied[REGION, "ListMetrics"] = "AccessDeniedException"
    items, facts, _ = pull(world.collector())
    assert delivery(items, 1).outcome is Outcome.RECORDED
    assert [gap.what for gap in facts.gaps] == [f"count of invocations in {REGION}"]


def test_a_call_near_midnight_counts_once_wherever_it_is_filed(world: World) -> None:
    at = noon(1) - MIDNIGHT - MINUTE
    world.log(at + 2 * MINUTE, call(60, at), name="next-day")
    world.count(noon(1), 1)
    items, _, _ = pull(world.collector())
    assert [payload(delivery(items, n))["counted"] for n in (2, 1)] == [3, 4]
    assert (calls(items, 2)["calls"], calls(items, 1)["calls"]) == (4, 3)
    assert {delivery(items, n).outcome for n in (1, 2)} == {Outcome.PASSED}


def test_a_call_that_is_filed_long_after_counts_as_late_on_that_day(world: World) -> None:
    world.log(noon(1), call(61, noon(2)), name="late")
    told = calls(pull(world.collector())[0], 1)
    assert (told["calls"], told["late"], sum(told["hours"])) == (4, 1, 3)


def test_one_call_in_two_files_counts_once(world: World) -> None:
    world.log(noon(1), call(1, noon(1)), name="again")
    assert calls(pull(world.collector())[0], 1)["calls"] == 3


def test_files_that_are_taken_away_fail(world: World) -> None:
    _, _, cursor = pull(world.collector())
    world.s3.delete_object(Bucket=world.bucket, Key=world.key(noon(1)))
    items, facts, _ = pull(world.collector(), cursor)
    gone = delivery(items, 1)
    assert (gone.outcome, gone.change, payload(gone)["lost"]) == (Outcome.FAILED, Change.CHANGED, 3)
    assert ["3 calls that were logged are gone" in gap.why for gap in facts.gaps] == [True]


@pytest.mark.parametrize("raw", [b"", b"plain", b"\x1f\x8b\x08cut"], ids=["empty", "plain", "cut"])
def test_a_file_that_cannot_be_read_errs_until_it_can(world: World, raw: bytes) -> None:
    key = world.write(world.key(noon(1), "torn"), raw)
    items, facts, cursor = pull(world.collector())
    assert delivery(items, 1).outcome is Outcome.ERROR
    assert [gap.what.endswith("_torn.json.gz") for gap in facts.gaps] == [True]
    assert pull(world.collector(), cursor)[1].gaps != (), "it is asked for again"
    world.s3.delete_object(Bucket=world.bucket, Key=key)
    assert delivery(pull(world.collector(), cursor)[0], 1).outcome is Outcome.PASSED


def test_one_bad_record_errs_and_its_neighbours_count(world: World) -> None:
    world.log(noon(1), {"schemaType": "Other"}, call(70, noon(1)), name="mixed")
    items, facts, _ = pull(world.collector())
    assert calls(items, 1)["calls"] == 4
    assert delivery(items, 1).outcome is Outcome.ERROR
    assert ["schemaType is 'Other'" in gap.why for gap in facts.gaps] == [True]


def test_long_prompts_filed_apart_are_not_fetched(world: World) -> None:
    key = world.key(noon(1)).rpartition("/")[0] + "/data/00000000_input.json.gz"
    world.write(key, b"a long prompt")
    world.aws.objects.clear()
    items, facts, _ = pull(world.collector())
    assert (delivery(items, 1).outcome, facts.gaps) == (Outcome.PASSED, ())
    assert not any("/data/" in arn for arn in world.aws.objects)


def test_a_region_that_logs_to_no_bucket_is_a_gap(world: World) -> None:
    world.log_to("")
    items, facts, _ = pull(world.collector())
    assert items == []
    assert ["to no bucket" in gap.why for gap in facts.gaps] == [True]


def test_a_bucket_that_is_not_there_is_refused(world: World) -> None:
    world.log_to("no-such-bucket")
    with pytest.raises(SourceRefused, match="NoSuchBucket"):
        pull(world.collector())
    with pytest.raises(SourceRefused, match="NoSuchBucket"):
        world.collector().probe()


def test_a_window_reads_its_days_alone_and_can_go_on(world: World) -> None:
    begin = noon(9) - MIDNIGHT
    world.log(noon(9), call(80, noon(9)))
    window = Window(begin + DAY, begin + 3 * DAY)
    items, facts, cursor = pull(world.collector(window=window))
    held = [i for i in items if window.holds(i)]
    assert calls(held, 9)["calls"] == 1
    assert delivery(held, 9).outcome is Outcome.RECORDED
    assert facts.gaps == ()
    assert pull(world.collector(window=window), cursor)[0] == []


@pytest.mark.parametrize("missing", ["requestId", "timestamp", "modelId", "operation"])
def test_a_record_without_what_it_must_hold_is_broken(missing: str) -> None:
    told = call(1, noon(1))
    del told[missing]
    with pytest.raises(SourceBroken, match=missing if missing != "timestamp" else "no time"):
        call_of(told)


def test_a_guardrail_shows_in_a_streamed_answer() -> None:
    chunks = [{"contentBlockDelta": {}}, {"messageStop": {"stopReason": "guardrail_intervened"}}]
    told = call_of(call(1, noon(1), output={"outputBodyJson": chunks}))
    assert told.guardrail == "intervened"
    assert HAIKU in told.names
