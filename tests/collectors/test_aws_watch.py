"""What AWS says of people, threats, alarms, figures and AI resources, and what it does not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors._aws.config_inventory import inventory
from collectors._aws.guardduty_findings import detectors
from collectors._aws.iam_analyzers import analyzers
from collectors._aws.iam_policy import allows, principals_of, statements_of
from collectors._aws.source import Place
from collectors.aws_iam import global_of
from collectors.base import Window
from evidence.errors import ConfigError, SourceBroken, SourceRefused
from evidence.model import Change, Cursor, EvidenceItem, Outcome
from evidence.runs import PullFacts
from tests.collectors.aws_config_world import Account
from tests.collectors.aws_config_world import collector as config_collector
from tests.collectors.aws_server import ACCOUNT, Aws
from tests.collectors.worlds.aws_iam import World as PeopleWorld
from tests.collectors.worlds.aws_iam import policy, trusting
from tests.collectors.worlds.bedrock import World as BedrockWorld
from tests.collectors.worlds.cloudwatch_metrics import REGION, USE, noon
from tests.collectors.worlds.cloudwatch_metrics import World as FiguresWorld
from tests.collectors.worlds.guardduty import World as ThreatsWorld

pytestmark = pytest.mark.xdist_group("contract")


def made(world: type[Any]) -> Any:
    @pytest.fixture
    def fixture(tmp_path: Path) -> Iterator[Any]:
        one = world(tmp_path)
        yield one
        one.close()

    return fixture


people, threats, figures = made(PeopleWorld), made(ThreatsWorld), made(FiguresWorld)
bedrock = made(BedrockWorld)


def pull(source: Any, cursor: Cursor | None = None) -> tuple[list[EvidenceItem], PullFacts, Cursor]:
    (batch,) = source.collect(cursor)
    return list(batch.items), batch.facts, batch.cursor


def of(items: list[EvidenceItem], kind: str) -> dict[str, EvidenceItem]:
    """By what comes after account and region."""
    return {i.subject.split("/", 2)[-1]: i for i in items if i.kind.endswith(kind)}


def one(items: Iterable[EvidenceItem]) -> EvidenceItem:
    (found,) = items
    return found


def payload(item: EvidenceItem) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(item.content)
    return told


# --- people ---


def test_who_may_do_what_is_read_through_groups_and_wildcards(people: PeopleWorld) -> None:
    items, facts, _ = pull(people.collector())
    grants = of(items, "iam.grant")
    assert {name: payload(i)["may"] for name, i in grants.items()} == {
        "user/ada": ["promote", "read data", "train"], "role/credit-api": ["invoke"],
    }  # fmt: skip
    api = grants["role/credit-api"]
    assert payload(api)["actions"] == [
        "bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream",
    ]  # fmt: skip
    assert (api.system, payload(api)["assumed_by"]) == (
        "credit-scoring", ["ecs-tasks.amazonaws.com"],
    )  # fmt: skip
    assert api.subject == f"{ACCOUNT}/aws-global/role/credit-api", "of no region"
    assert set(facts.states) == set(people.collector().states)


def test_what_is_denied_to_a_principal_it_may_not(people: PeopleWorld) -> None:
    _, _, cursor = pull(people.collector())
    denial = json.loads(policy("bedrock:*"))
    denial["Statement"][0]["Effect"] = "Deny"
    people.client.put_role_policy(
        RoleName="credit-api", PolicyName="no", PolicyDocument=json.dumps(denial)
    )
    items, _, _ = pull(people.collector(), cursor)
    assert [(i.subject.split("/")[-1], i.change) for i in items] == [("credit-api", Change.GONE)]


def _report(people: PeopleWorld, *rows: str) -> None:
    header = (
        "user,password_enabled,password_last_used,user_creation_time,mfa_active,"
        "access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date\n"
    )
    text = header + "\n".join(rows)
    people.aws.answers["GetCredentialReport"] = lambda *_: {"Content": text.encode()}


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")


def test_loose_credentials_are_named_and_good_ones_pass(people: PeopleWorld) -> None:
    good = f"ben,true,{ago(3)},{ago(400)},true,true,{ago(80)},{ago(1)}"
    root = f"<root_account>,not_supported,{ago(300)},{ago(900)},true,false,N/A,N/A"
    _report(people, root, good)
    items, _, cursor = pull(people.collector())
    state = of(items, "iam.credentials")["aws-global"]
    assert (state.outcome, payload(state)["users"]) == (Outcome.PASSED, 1)
    _report(
        people,
        f"<root_account>,not_supported,{ago(300)},{ago(900)},false,true,{ago(9)},{ago(1)}",
        f"ada,true,no_information,{ago(46)},false,true,{ago(91)},N/A", good,
    )  # fmt: skip
    items, _, _ = pull(people.collector(), cursor)
    (state,) = items
    assert (state.outcome, state.change) == (Outcome.FAILED, Change.CHANGED)
    assert [(w["user"], w["what"]) for w in payload(state)["wrong"]] == [
        ("<root_account>", "signs in without a second factor"),
        ("<root_account>", "root has access key 1"),
        ("ada", "signs in without a second factor"),
        ("ada", "has a password unused for over 45 days"),
        ("ada", "has access key 1 of over 90 days"),
        ("ada", "has access key 1 unused for over 45 days"),
    ]


@pytest.mark.parametrize("text", ["", "user,mfa_active\nada,true"])
def test_a_report_without_what_it_must_hold_is_broken(people: PeopleWorld, text: str) -> None:
    people.aws.answers["GetCredentialReport"] = lambda *_: {"Content": text.encode()}
    with pytest.raises(SourceBroken, match="credential report"):
        pull(people.collector())


def test_what_is_open_to_outsiders_fails_and_no_analyzer_too(people: PeopleWorld) -> None:
    source = people.collector()
    asking = source._asking()

    def judged() -> EvidenceItem:
        return one(analyzers(Place(source, asking, "eu-south-1")))

    assert judged().outcome is Outcome.PASSED
    people.open_to_outsiders("credit-raw")
    people.open_to_outsiders("old", "UnusedIAMRole")
    state = judged()
    assert (state.outcome, payload(state)["outside_count"]) == (Outcome.FAILED, 1)
    assert payload(state)["open"] == {"ExternalAccess": 1, "UnusedIAMRole": 1}
    people.found.clear()
    people.analyzers = [people.analyzer("ACCOUNT_UNUSED_ACCESS")]
    assert "none looks for access from outside" in judged().title
    people.analyzers = [people.analyzer("ACCOUNT", "DISABLED")]
    assert (judged().outcome, judged().title.endswith("none looks")) == (Outcome.FAILED, True)


def test_a_denied_half_of_iam_is_a_gap_and_hides_nothing_as_gone(people: PeopleWorld) -> None:
    _, _, cursor = pull(people.collector())
    people.aws.denied["aws-global", "GetAccountAuthorizationDetails"] = "AccessDenied"
    items, facts, _ = pull(people.collector(), cursor)
    assert items == []
    assert [gap.what for gap in facts.gaps] == ["aws.iam.grant in aws-global"]
    assert set(facts.states) == {"aws.iam.credentials", "aws.iam.analyzer"}
    people.aws.denied |= {
        ("aws-global", "GenerateCredentialReport"): "AccessDenied",
        ("eu-south-1", "ListAnalyzers"): "AccessDeniedException",
    }
    with pytest.raises(SourceRefused):
        pull(people.collector(), cursor)


@pytest.mark.parametrize(
    ("statement", "may"),
    [
        ({"Effect": "Allow", "Action": "*", "Resource": "*"}, (True, True)),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, (True, True)),
        ({"Effect": "Allow", "NotAction": ["bedrock:*", "S3:*"], "Resource": "*"}, (False, False)),
        ({"Effect": "Allow", "Action": "BEDROCK:invoke*", "Resource": "*"}, (True, False)),
        ({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::raw/*"},
         (False, True)),
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::other/*"}, (False, False)),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::raw/*"},
         (False, False)),
        ({"Effect": "Deny", "Action": "*", "Resource": "*"}, (False, False)),
    ],
)  # fmt: skip
def test_a_statement_is_read_as_iam_reads_it(
    statement: dict[str, Any], may: tuple[bool, bool]
) -> None:
    found = statements_of({"Statement": statement})
    assert allows(found, "bedrock:InvokeModel") is may[0]
    assert allows(found, "s3:GetObject", "arn:aws:s3:::raw/object") is may[1]
    denied = statements_of({"Statement": [statement, {"Effect": "Deny", "Action": "bedrock:*",
                                                      "Resource": "*"}]})  # fmt: skip
    assert allows(denied, "bedrock:InvokeModel") is False
    partly = {"Effect": "Deny", "Action": "bedrock:*", "Resource": "arn:one"}
    assert allows([*found, *statements_of({"Statement": partly})], "bedrock:InvokeModel") is may[0]


def test_iam_of_another_partition_is_asked_there() -> None:
    regions = ("eu-south-1", "cn-north-1", "us-gov-west-1")
    assert [global_of(region) for region in regions] == [
        "aws-global", "aws-cn-global", "aws-us-gov-global",
    ]  # fmt: skip


def test_policies_that_cannot_be_read_are_broken_not_empty() -> None:
    assert list(principals_of(trusting("a.amazonaws.com"))) == ["a.amazonaws.com"]
    for wrong in ("{", "[]", ["Allow"]):
        with pytest.raises(SourceBroken, match="policy document"):
            statements_of(wrong)


# --- threats ---


def test_a_finding_is_judged_by_how_long_it_is_open(threats: ThreatsWorld) -> None:
    items, facts, cursor = pull(threats.collector())
    found = of(items, "guardduty.finding")
    assert {name: i.outcome.value for name, i in found.items()} == {
        "old-high": "failed", "new-high": "recorded", "old-medium": "recorded", "old-low": "failed",
    }  # fmt: skip
    assert found["old-high"].system == "credit-scoring"
    assert payload(found["old-high"])["title"] == "A call from afar."
    assert facts.gaps == ()
    threats.findings.pop(0)
    items, _, _ = pull(threats.collector(), cursor)
    assert [i.change for i in items] == [Change.GONE], "archived"


def test_a_finding_that_grows_old_fails_without_a_change_there(threats: ThreatsWorld) -> None:
    _, _, cursor = pull(threats.collector())
    items, _, _ = pull(threats.collector(medium_days=1), cursor)
    assert "old-medium" in {
        n for n, i in of(items, "finding").items() if i.outcome.value == "failed"
    }
    with pytest.raises(ConfigError, match="fall in that order"):
        threats.collector(high_days=9)


def test_a_region_nobody_watches_has_failed(threats: ThreatsWorld) -> None:
    source = threats.collector()
    asking = source._asking()

    def watched() -> EvidenceItem:
        return one(detectors(Place(source, asking, "eu-south-1")))

    assert watched().outcome is Outcome.PASSED
    threats.client.update_detector(DetectorId=threats.detector, Enable=False)
    assert (watched().outcome, "is off" in watched().title) == (Outcome.FAILED, True)
    threats.findings.clear()
    threats.client.delete_detector(DetectorId=threats.detector)
    assert "has no detector" in watched().title


def test_a_listed_finding_that_is_not_described_is_a_gap(threats: ThreatsWorld) -> None:
    threats.aws.answers["GetFindings"] = lambda *_: {"Findings": threats.findings[1:]}
    _, facts, _ = pull(threats.collector())
    assert [gap.why for gap in facts.gaps] == ["listed findings were not described"]
    assert facts.states == ("aws.guardduty.detector",)


# --- alarms and figures ---


def test_an_alarm_passes_only_while_somebody_would_hear_it(figures: FiguresWorld) -> None:
    figures.alarm("credit-mute", ActionsEnabled=False)
    figures.alarm("credit-alone", AlarmActions=[])
    figures.alarm("credit-loud", state="ALARM")
    figures.alarm("credit-blind", state="INSUFFICIENT_DATA")
    figures.alarm("other")
    items, _, _ = pull(figures.collector())
    assert {name: i.outcome.value for name, i in of(items, ".alarm").items()} == {
        "credit-errors": "passed", "credit-latency": "passed", "credit-mute": "failed",
        "credit-alone": "failed", "credit-loud": "failed", "credit-blind": "error",
    }  # fmt: skip
    alone = of(pull(figures.collector(must_tell=False))[0], ".alarm")["credit-alone"]
    assert (alone.outcome, alone.system) == (Outcome.PASSED, "credit-scoring")


def test_days_are_told_once_and_a_day_without_data_says_so(figures: FiguresWorld) -> None:
    items, facts, cursor = pull(figures.collector())
    days = {i.payload["day"]: payload(i) for i in items if i.kind.endswith(".day")}
    told = {day: (row["samples"], row.get("most")) for day, row in days.items()}
    assert told[str(noon(2).date())] == (2, 60.0)
    assert told[str(noon(3).date())] == (1, 90.0)
    assert (0, None) in told.values()
    assert str(date.today()) not in told  # noqa: DTZ011 -- whichever zone: today has not closed
    assert facts.gaps == ()
    assert pull(figures.collector(), cursor)[0] == []


def test_what_is_named_and_not_there_is_a_gap(figures: FiguresWorld) -> None:
    source = figures.collector(
        alarms=("credit-*", "gone"), metrics=(USE, "AWS/Bedrock:Invocations")
    )
    _, facts, cursor = pull(source)
    assert [gap.what for gap in facts.gaps] == ["alarm gone", "metric AWS/Bedrock:Invocations"]
    figures.client.put_metric_data(
        Namespace="AWS/Bedrock",
        MetricData=[{"MetricName": "Invocations", "Timestamp": noon(1), "Value": 3.0}],
    )  # fmt: skip
    items, _, _ = pull(source, cursor)
    assert {i.payload["metric"] for i in items} == {"Invocations"}, "from its own beginning"


def test_a_window_brings_its_days_and_no_states(figures: FiguresWorld) -> None:
    begin = noon(2).replace(hour=0)
    window = Window(begin, begin + timedelta(days=2))
    items, facts, _ = pull(figures.collector(window=window))
    assert {i.kind.rpartition(".")[2] for i in items} == {"day"}
    assert all(window.holds(item) for item in items)
    assert facts.states == ()


def test_settings_that_cannot_be_meant_are_refused(figures: FiguresWorld) -> None:
    for wrong in ({"alarms": (), "metrics": ()}, {"metrics": ("Invocations",)},
                  {"lookback": timedelta(0)}):  # fmt: skip
        with pytest.raises(ConfigError):
            figures.collector(**wrong)


def test_an_alarm_denied_leaves_the_days(figures: FiguresWorld) -> None:
    figures.aws.denied[REGION, "DescribeAlarms"] = "AccessDenied"
    items, facts, _ = pull(figures.collector())
    assert {i.kind.rpartition(".")[2] for i in items} == {"day"}
    assert facts.states == ()
    assert "aws.cloudwatch_metrics.alarm in eu-south-1" in {gap.what for gap in facts.gaps}


# --- models and resources ---


def test_models_are_on_only_where_agreed_to(bedrock: BedrockWorld) -> None:
    items, _, cursor = pull(bedrock.collector())
    told = payload(of(items, "bedrock.models")["eu-south-1"])
    assert [row["provider"] for row in told["usable"]] == ["Amazon", "Anthropic"]
    assert (told["asked"], told["imported"], told["custom"]) == (3, ["credit-own"], [])
    bedrock.guardrails.models["meta.llama3-8b-v1:0"] = ("Meta", "AVAILABLE")
    items, _, _ = pull(bedrock.collector(), cursor)
    assert [(i.kind, i.change) for i in items] == [("aws.bedrock.models", Change.CHANGED)]
    bedrock.guardrails.models["odd.one"] = ("Odd", "AVAILABLE")
    bedrock.aws.denied["eu-south-1", "GetFoundationModelAvailability"] = "ValidationException"
    _, facts, _ = pull(bedrock.collector(), cursor)
    assert len(facts.gaps) == 4
    assert "aws.bedrock.models" not in facts.states


def test_an_ai_resource_that_belongs_to_nothing_known_fails() -> None:
    with Aws() as aws:
        account, source = Account(), config_collector(aws)
        account.serve(aws)
        asking = source._asking()

        def told(**changed: Any) -> EvidenceItem:
            return one(inventory(Place(replace(source, **changed), asking, "eu-central-1")))

        assert (told().outcome, payload(told())["types"]) == (
            Outcome.PASSED, {"AWS::SageMaker::EndpointConfig": 1, "AWS::SageMaker::Model": 1},
        )  # fmt: skip
        account.resources.append(("AWS::SageMaker::NotebookInstance", "somebody"))
        assert told().outcome is Outcome.FAILED
        assert [row["name"] for row in payload(told())["strangers"]] == ["somebody"]
        assert told(systems={}).outcome is Outcome.RECORDED, "nothing to compare with"
        account.resources = [("AWS::S3::Bucket", "credit-raw")]
        assert told().outcome is Outcome.RECORDED, "none is no proof"
        account.recorder = {}
        assert told().outcome is Outcome.ERROR
