"""What AWS Config says is taken for no more than it is: blind, overdue, denied and deleted show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.aws_config import AwsConfig
from evidence.errors import ConfigError, SourceBroken, SourceBusy, SourceRefused
from evidence.model import Change, Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts
from tests.collectors.aws_config_world import (
    ENCRYPTED,
    LAST,
    REGIONS,
    ROOT,
    TRAIL,
    Account,
    collector,
    result,
)
from tests.collectors.aws_server import ACCOUNT, Aws

HERE, THERE = REGIONS


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Aws() as made:
        yield made


@pytest.fixture
def account(aws: Aws) -> Account:
    made = Account()
    made.serve(aws)
    return made


def pull(
    source: AwsConfig, cursor: Cursor | None = None
) -> tuple[dict[tuple[str, str], EvidenceItem], PullFacts, Cursor]:
    """Items by subject and system, facts and cursor of the only batch."""
    (batch,) = source.collect(cursor)
    return {(i.subject, i.system): i for i in batch.items}, batch.facts, batch.cursor


def rule(items: dict[tuple[str, str], EvidenceItem], name: str) -> EvidenceItem:
    return items[f"{ACCOUNT}/{HERE}/{name}", ""]


def payload(item: EvidenceItem) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(item.content)
    return told


def test_a_rule_names_what_violates_it_and_counts_the_rest(aws: Aws, account: Account) -> None:
    items, facts, _ = pull(collector(aws))
    told = payload(rule(items, ENCRYPTED))
    assert rule(items, ENCRYPTED).outcome is Outcome.FAILED
    assert told["resources"] == {"COMPLIANT": 4, "NON_COMPLIANT": 1}, "of three pages and two empty"
    assert told["violating"] == [
        {"type": "AWS::S3::Bucket", "id": "credit-raw", "why": "not encrypted"}
    ]
    assert rule(items, ROOT).outcome is Outcome.PASSED
    assert items[f"{ACCOUNT}/{HERE}", ""].outcome is Outcome.PASSED
    assert facts.gaps == ()
    assert ACCOUNT in facts.identity
    assert len(facts.raw_sha256) == facts.pages


def test_a_system_has_its_own_resources_told_apart(aws: Aws, account: Account) -> None:
    account.results[ENCRYPTED][0] = result(ENCRYPTED, "credit-clean", "COMPLIANT")
    items, _, _ = pull(collector(aws))
    own = payload(items[f"{ACCOUNT}/{HERE}/{ENCRYPTED}", "credit-scoring"])
    assert own["resources"] == {"COMPLIANT": 1, "NON_COMPLIANT": 1}


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnrecognizedClientException"])
def test_a_denied_region_is_named_and_nothing_in_it_is_gone(
    aws: Aws, account: Account, code: str
) -> None:
    _, _, cursor = pull(collector(aws))
    aws.denied[THERE, "DescribeConfigRules"] = code
    account.rules = account.rules[1:]
    items, facts, after = pull(collector(aws), cursor)
    (gap,) = facts.gaps
    assert gap.what == f"aws.config.rule in {THERE}"
    assert "config:DescribeConfigRules" in gap.why
    assert code in gap.why
    assert facts.states == ("aws.config.recorder", "aws.config.inventory"), "rules: not all seen"
    gone = {i.subject for i in items.values() if i.change is Change.GONE}
    assert gone == {f"{ACCOUNT}/{HERE}/{ENCRYPTED}"}
    aws.denied.clear()
    items, _, _ = pull(collector(aws), after)
    assert {s for s, _ in items} == {f"{ACCOUNT}/{THERE}/{ENCRYPTED}"}, "gone there as well"


def test_denied_everywhere_is_refused(aws: Aws, account: Account) -> None:
    for region in REGIONS:
        for operation in ("DescribeConfigRules", "DescribeConfigurationRecorderStatus",
                          "GetDiscoveredResourceCounts"):  # fmt: skip
            aws.denied[region, operation] = "AccessDeniedException"
    with pytest.raises(SourceRefused, match="AccessDenied"):
        pull(collector(aws))


def test_throttled_is_busy_and_not_a_gap(aws: Aws, account: Account) -> None:
    aws.denied[THERE, "GetComplianceDetailsByConfigRule"] = "ThrottlingException"
    with pytest.raises(SourceBusy, match="GetComplianceDetailsByConfigRule in eu-west-1"):
        pull(collector(aws))


def test_a_rule_deleted_while_it_is_read_makes_the_pull_partial(aws: Aws, account: Account) -> None:
    _, _, cursor = pull(collector(aws))
    del account.results[ROOT]
    items, facts, _ = pull(collector(aws), cursor)
    assert [g.what for g in facts.gaps] == [f"{ACCOUNT}/{region}/{ROOT}" for region in REGIONS]
    assert items == {}, "not gone until the list says so"


@pytest.mark.parametrize(
    ("recorder", "outcome"),
    [
        ({}, Outcome.FAILED),
        ({"name": "default", "recording": False, "lastStatus": "SUCCESS"}, Outcome.FAILED),
        ({"name": "default", "recording": True, "lastStatus": "FAILURE"}, Outcome.ERROR),
        ({"name": "default", "recording": True}, Outcome.ERROR),
    ],
)
def test_where_nothing_is_recorded_a_rule_that_waits_for_changes_is_not_green(
    aws: Aws, account: Account, recorder: dict[str, Any], outcome: Outcome
) -> None:
    account.recorder = recorder
    account.results[ENCRYPTED].pop()
    account.summary[ENCRYPTED] = "COMPLIANT"
    items, _, _ = pull(collector(aws))
    assert items[f"{ACCOUNT}/{HERE}", ""].outcome is outcome
    assert rule(items, ENCRYPTED).outcome is Outcome.ERROR
    assert rule(items, ROOT).outcome is Outcome.PASSED, "it runs each day by itself"


def test_a_rule_whose_recorder_may_not_be_read_is_not_green(aws: Aws, account: Account) -> None:
    aws.denied[HERE, "DescribeConfigurationRecorders"] = "AccessDeniedException"
    account.results[ENCRYPTED].pop()
    account.summary[ENCRYPTED] = "COMPLIANT"
    items, facts, _ = pull(collector(aws))
    assert rule(items, ENCRYPTED).outcome is Outcome.ERROR
    assert [g.what for g in facts.gaps] == [f"aws.config.recorder in {HERE}"]


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({}, "never evaluated"),
        ({"LastSuccessfulEvaluationTime": LAST - timedelta(days=3)}, "due every 24 h"),
        (
            {
                "LastSuccessfulEvaluationTime": LAST,
                "LastFailedEvaluationTime": LAST + timedelta(minutes=1),
                "LastErrorCode": "AccessDenied",
            },
            "failed (AccessDenied)",
        ),
    ],
)
def test_a_pass_that_is_old_or_never_was_is_an_error(
    aws: Aws, account: Account, status: dict[str, Any], why: str
) -> None:
    account.status[TRAIL] = status
    items, _, _ = pull(collector(aws))
    assert rule(items, TRAIL).outcome is Outcome.ERROR
    assert why in rule(items, TRAIL).title


def test_overdue_is_told_by_the_clock_of_aws_not_by_ours(aws: Aws, account: Account) -> None:
    account.status[TRAIL] = {"LastSuccessfulEvaluationTime": LAST - timedelta(days=3)}
    slow = datetime.now(UTC) - timedelta(days=3)
    items, _, _ = pull(collector(aws, clock=lambda: slow))
    assert rule(items, TRAIL).outcome is Outcome.ERROR


@pytest.mark.parametrize(
    ("results", "summary", "outcome"),
    [
        ([], "", Outcome.ERROR),
        ([], "INSUFFICIENT_DATA", Outcome.ERROR),
        ([], "NOT_APPLICABLE", Outcome.RECORDED),
        ([], "NON_COMPLIANT", Outcome.FAILED),
        ([result(ROOT, "a", "INSUFFICIENT_DATA"), result(ROOT, "b", "COMPLIANT")], "COMPLIANT",
         Outcome.ERROR),
        ([result(ROOT, "a", "NOT_APPLICABLE")], "NOT_APPLICABLE", Outcome.RECORDED),
    ],
    ids=["nothing", "no data", "no resource", "calls disagree", "half", "not applicable"],
)  # fmt: skip
def test_no_resource_judged_is_never_a_pass(
    aws: Aws, account: Account, results: list[dict[str, Any]], summary: str, outcome: Outcome
) -> None:
    account.results[ROOT], account.summary[ROOT] = results, summary
    items, _, _ = pull(collector(aws))
    assert rule(items, ROOT).outcome is outcome


def test_an_hourly_run_that_finds_the_same_is_one_state_a_day(aws: Aws, account: Account) -> None:
    _, _, cursor = pull(collector(aws))
    morning = LAST.replace(hour=0, minute=0, second=1)
    for told in account.status.values():
        told["LastSuccessfulEvaluationTime"] = morning
    items, _, _ = pull(collector(aws), cursor)
    assert items == {}


def test_only_wanted_rules_are_read(aws: Aws, account: Account) -> None:
    items, _, _ = pull(collector(aws, rules=("*-encrypted",), systems={}))
    rules = {i.subject.rsplit("/")[-1] for i in items.values() if i.kind == "aws.config.rule"}
    assert rules == {ENCRYPTED}


def test_a_list_without_its_name_is_broken_not_empty(aws: Aws, account: Account) -> None:
    aws.answers["DescribeConfigRules"] = lambda *_: {}
    with pytest.raises(SourceBroken, match="holds no ConfigRules"):
        pull(collector(aws))


def test_a_page_token_that_comes_twice_is_broken(aws: Aws, account: Account) -> None:
    aws.answers["DescribeConfigRules"] = lambda *_: {"ConfigRules": [], "NextToken": "again"}
    with pytest.raises(SourceBroken, match="same page token"):
        pull(collector(aws))


def test_a_role_is_assumed_and_named(aws: Aws, account: Account) -> None:
    role = "arn:aws:iam::210987654321:role/evidence"
    items, facts, _ = pull(
        collector(aws, role=role, external_id="headwater", account="210987654321")
    )
    assert "assumed-role/evidence/headwater" in facts.identity
    assert {s.split("/")[0] for s, _ in items} == {"210987654321"}


@pytest.mark.parametrize(
    "changed",
    [{"regions": ()}, {"regions": "eu-central-1"}, {"regions": (HERE, HERE)}, {"role": "evidence"},
     {"secret_key": None}, {"rules": "*"}],
    ids=["no region", "text", "twice", "no ARN", "half a key", "rules"],
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_told(aws: Aws, changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="cloud-config"):
        collector(aws, **changed)
