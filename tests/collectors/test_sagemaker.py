"""What SageMaker and Bedrock say of models, monitors, logging and guardrails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collectors.base import Window
from evidence.errors import SourceBroken
from evidence.model import Change, Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts
from tests.collectors.aws_models_world import run
from tests.collectors.aws_server import Denied
from tests.collectors.worlds.bedrock import World as BedrockWorld
from tests.collectors.worlds.sagemaker import World as ModelsWorld

REGION = "eu-south-1"


@pytest.fixture
def models(tmp_path: Path) -> Iterator[ModelsWorld]:
    world = ModelsWorld(tmp_path)
    yield world
    world.close()


@pytest.fixture
def bedrock(tmp_path: Path) -> Iterator[BedrockWorld]:
    world = BedrockWorld(tmp_path)
    yield world
    world.close()


def pull(source: Any, cursor: Cursor | None = None) -> tuple[list[EvidenceItem], PullFacts, Cursor]:
    (batch,) = source.collect(cursor)
    return list(batch.items), batch.facts, batch.cursor


def of(items: list[EvidenceItem], kind: str) -> dict[str, EvidenceItem]:
    return {i.subject.split("/", 2)[-1]: i for i in items if i.kind == kind}


def payload(item: EvidenceItem) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(item.content)
    return told


def test_packages_come_with_their_approval_and_it_is_not_judged(models: ModelsWorld) -> None:
    found = of(pull(models.collector())[0], "aws.sagemaker.model_package")
    approvals = sorted(str(payload(i)["approval"]) for i in found.values())
    assert len(found) == 3, "versioned and not"
    assert {"Approved", "PendingManualApproval"} <= set(approvals)
    assert {i.outcome for i in found.values()} == {Outcome.RECORDED}


def test_an_approval_that_moves_is_a_change(models: ModelsWorld) -> None:
    items, _, cursor = pull(models.collector())
    arn = next(
        i.locator
        for i in of(items, "aws.sagemaker.model_package").values()
        if payload(i)["approval"] == "PendingManualApproval"
    )
    models.models.client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    states = [i for i in pull(models.collector(), cursor)[0] if i.kind.endswith("model_package")]
    assert [(i.change, payload(i)["approval"]) for i in states] == [(Change.CHANGED, "Rejected")]


def _vanished(models: ModelsWorld, *, listed: bool) -> None:
    """One package is no longer described, as SageMaker says it; nor `listed`, a second time."""
    client, lists = models.models.client, []
    rows = client.list_model_packages(ModelPackageType="Both")["ModelPackageSummaryList"]
    gone = rows[0]["ModelPackageArn"]

    def list_packages(*_: object) -> Any:
        lists.append(1)
        left = [r for r in rows if listed or len(lists) == 1 or r["ModelPackageArn"] != gone]
        return {"ModelPackageSummaryList": left}

    def describe(_: str, asked: Any) -> Any:
        if asked["ModelPackageName"] == gone:
            raise Denied("ValidationException", words=f"Model Package {gone} does not exist.")
        del models.aws.answers["DescribeModelPackage"]
        told = client.describe_model_package(ModelPackageName=asked["ModelPackageName"])
        models.aws.answers["DescribeModelPackage"] = describe
        return {"ModelPackageName": "moto leaves it out"} | {
            k: v for k, v in told.items() if k != "ResponseMetadata"
        }

    models.aws.answers |= {"ListModelPackages": list_packages, "DescribeModelPackage": describe}


def test_a_package_deleted_while_it_is_read_is_gone(models: ModelsWorld) -> None:
    _, _, cursor = pull(models.collector())
    _vanished(models, listed=False)
    items, facts, _ = pull(models.collector(), cursor)
    found = of(items, "aws.sagemaker.model_package")
    assert [i.change for i in found.values()] == [Change.GONE]
    assert (facts.gaps, "aws.sagemaker.model_package" in facts.states) == ((), True)


def test_a_package_listed_again_but_never_described_is_a_gap(models: ModelsWorld) -> None:
    _, _, cursor = pull(models.collector())
    _vanished(models, listed=True)
    items, facts, _ = pull(models.collector(), cursor)
    assert of(items, "aws.sagemaker.model_package") == {}
    assert ["listed, but" in gap.why for gap in facts.gaps] == [True]
    assert "aws.sagemaker.model_package" not in facts.states


def test_a_card_counts_when_it_is_approved_and_its_content_is_not_asked_for(
    models: ModelsWorld,
) -> None:
    items, _, cursor = pull(models.collector())
    (card,) = of(items, "aws.sagemaker.model_card").values()
    assert card.outcome is Outcome.RECORDED
    models.models.client.update_model_card(ModelCardName="credit-card", ModelCardStatus="Approved")
    items, _, _ = pull(models.collector(), cursor)
    (card,) = of(items, "aws.sagemaker.model_card").values()
    assert card.outcome is Outcome.PASSED
    asked: list[Any] = []
    told = models.models.client.describe_model_card(ModelCardName="credit-card")
    told = {k: v for k, v in told.items() if k != "ResponseMetadata"} | {"Content": ""}
    models.aws.answers["DescribeModelCard"] = lambda _, got: asked.append(got) or told
    pull(models.collector())
    assert [one["IncludedData"] for one in asked] == ["MetadataOnly"]


def test_runs_are_judged_when_they_have_ended(models: ModelsWorld) -> None:
    models.models.runs.append(run(0, "InProgress"))
    items, _, cursor = pull(models.collector())
    runs = [i for i in items if i.kind == "aws.sagemaker.monitor_run"]
    assert [i.outcome for i in runs] == [Outcome.FAILED, Outcome.ERROR, Outcome.PASSED]
    assert {i.system for i in runs} == {"credit-scoring"}
    models.models.runs[-1] = run(0, "Completed")
    again, _, _ = pull(models.collector(), cursor)
    new = {i.item_id for i in again} - {i.item_id for i in items}
    assert len(new) == 1


def test_an_unknown_end_of_a_run_is_broken_not_passed(models: ModelsWorld) -> None:
    """The door would not let it out: AWS may add a status, the model here knows those of today."""
    from collectors._aws.sagemaker_monitors import _items

    with pytest.raises(SourceBroken, match="CompletedMaybe"):
        list(_items(None, [run(0, "CompletedMaybe")]))  # type: ignore[arg-type]


def test_runs_that_are_denied_are_asked_for_again_from_where_they_were(
    models: ModelsWorld,
) -> None:
    _, _, cursor = pull(models.collector())
    models.models.runs.append(run(-1, "CompletedWithViolations"))
    models.aws.denied[REGION, "ListMonitoringExecutions"] = "AccessDeniedException"
    items, facts, cursor = pull(models.collector(), cursor)
    assert items == []
    assert [g.what for g in facts.gaps] == [f"aws.sagemaker.monitor_run in {REGION}"]
    models.aws.denied.clear()
    items, _, _ = pull(models.collector(), cursor)
    assert Outcome.FAILED in {i.outcome for i in items}


def test_a_window_brings_the_runs_that_ended_in_it_and_no_settings(models: ModelsWorld) -> None:
    (first, second, third) = models.models.runs
    window = Window(second["LastModifiedTime"], third["LastModifiedTime"])
    items, facts, cursor = pull(models.collector(window=window))
    assert [(i.kind, i.observed_to) for i in items] == [
        ("aws.sagemaker.monitor_run", second["LastModifiedTime"])
    ]
    assert (facts.states, facts.gaps) == ((), ())
    assert len(pull(models.collector(window=window), cursor)[0]) <= 1
    assert first["LastModifiedTime"] < window.since


def test_a_stopped_schedule_has_failed(models: ModelsWorld) -> None:
    models.models.schedule = "Stopped"
    (found,) = of(pull(models.collector())[0], "aws.sagemaker.monitor").values()
    assert found.outcome is Outcome.FAILED


def test_logging_is_off_until_somebody_turns_it_on(bedrock: BedrockWorld) -> None:
    items, _, cursor = pull(bedrock.collector())
    (found,) = (i for i in items if i.kind == "aws.bedrock.logging")
    assert found.outcome is Outcome.FAILED
    client = bedrock.aws.client("bedrock", REGION)
    config = {"s3Config": {"bucketName": "prompts"}, "textDataDeliveryEnabled": True}
    client.put_model_invocation_logging_configuration(loggingConfig=config)
    (found,) = pull(bedrock.collector(), cursor)[0]
    assert (found.outcome, payload(found)["delivered"]) == (Outcome.PASSED, ["text"])
    client.delete_model_invocation_logging_configuration()


def test_a_draft_edited_in_place_shows_and_its_words_do_not(bedrock: BedrockWorld) -> None:
    items, _, cursor = pull(bedrock.collector())
    assert set(of(items, "aws.bedrock.guardrail")) == {"abcd1234/DRAFT", "abcd1234/1"}
    bedrock.grow()
    (found,) = pull(bedrock.collector(), cursor)[0]
    assert (found.subject.rsplit("/")[-1], found.change) == ("DRAFT", Change.CHANGED)
    assert "codename" not in str([i.content for i in (*items, found)])


def test_a_guardrail_deleted_while_it_is_read_makes_the_pull_partial(
    bedrock: BedrockWorld,
) -> None:
    known = bedrock.guardrails.known
    known["zzzz9999"] = {
        "DRAFT": known["abcd1234"]["DRAFT"]
        | {
            "guardrailId": "zzzz9999",
            "guardrailArn": "arn:aws:bedrock:eu-central-1:123456789012:guardrail/zzzz9999",
        }
    }
    answer = bedrock.aws.answers["ListGuardrails"]

    def listed(region: str, asked: Any) -> Any:
        told = answer(region, asked)
        if asked.get("guardrailIdentifier") == "zzzz9999":
            del known["zzzz9999"]
        return told

    bedrock.aws.answers["ListGuardrails"] = listed
    _, facts, _ = pull(bedrock.collector())
    assert [g.what.rsplit("/")[-1] for g in facts.gaps] == ["zzzz9999"]
