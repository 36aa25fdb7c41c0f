"""An account with AWS Config in two regions: rules, what they came to, a recorder that is on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from collectors.aws_config import AwsConfig
from tests.collectors.aws_server import Aws, Denied

REGIONS = ("eu-central-1", "eu-west-1")
LAST = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
ENCRYPTED, ROOT, TRAIL = "s3-encrypted", "root-mfa", "trail-validated"


def result(rule: str, resource: str, says: str, **more: Any) -> dict[str, Any]:
    named = {"ConfigRuleName": rule, "ResourceType": "AWS::S3::Bucket", "ResourceId": resource}
    return {
        "EvaluationResultIdentifier": {"EvaluationResultQualifier": named},
        "ComplianceType": says,
        "ResultRecordedTime": LAST,
        **more,
    }


def rule(name: str, identifier: str, **more: Any) -> dict[str, Any]:
    return {
        "ConfigRuleName": name,
        "ConfigRuleArn": f"arn:aws:config:eu-central-1:123456789012:config-rule/{name}",
        "ConfigRuleId": f"config-rule-{name}",
        "Source": {"Owner": "AWS", "SourceIdentifier": identifier},
        "ConfigRuleState": "ACTIVE",
        **more,
    }


@dataclass
class Account:
    """What AWS Config knows, the same in every region, unless a test alters it."""

    rules: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    status: dict[str, dict[str, Any]] = field(default_factory=dict)
    summary: dict[str, str] = field(default_factory=dict)
    recorder: dict[str, Any] = field(default_factory=dict)
    resources: list[tuple[str, str]] = field(default_factory=list)
    size: int = 2

    def __post_init__(self) -> None:
        daily = {"MaximumExecutionFrequency": "TwentyFour_Hours"}
        self.recorder = {"name": "default", "recording": True, "lastStatus": "SUCCESS"}
        self.rules = [
            rule(ENCRYPTED, "S3_BUCKET_SERVER_SIDE_ENCRYPTION_ENABLED"),
            rule(ROOT, "ROOT_ACCOUNT_MFA_ENABLED", **daily),
            rule(TRAIL, "CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED", **daily),
        ]
        self.results = {
            ENCRYPTED: [result(ENCRYPTED, f"bucket-{n}", "COMPLIANT") for n in range(4)]
            + [result(ENCRYPTED, "credit-raw", "NON_COMPLIANT", Annotation="not encrypted")],
            ROOT: [result(ROOT, "123456789012", "COMPLIANT")],
            TRAIL: [result(TRAIL, "main", "COMPLIANT")],
        }
        good = {"LastSuccessfulEvaluationTime": LAST, "FirstEvaluationStarted": True}
        self.status = {one["ConfigRuleName"]: dict(good) for one in self.rules}
        self.resources = [
            ("AWS::S3::Bucket", "credit-raw"), ("AWS::SageMaker::Model", "credit-v3"),
            ("AWS::SageMaker::EndpointConfig", "credit-live"),
        ]  # fmt: skip
        self.summary = {ENCRYPTED: "NON_COMPLIANT", ROOT: "COMPLIANT", TRAIL: "COMPLIANT"}

    def serve(self, aws: Aws) -> None:
        aws.answers |= {
            "DescribeConfigurationRecorders": lambda *_: {
                "ConfigurationRecorders": [
                    {"name": one["name"], "recordingGroup": {"allSupported": True}}
                    for one in self._recorders()
                ]
            },
            "DescribeConfigurationRecorderStatus": lambda *_: {
                "ConfigurationRecordersStatus": self._recorders()
            },
            "DescribeDeliveryChannels": lambda *_: {
                "DeliveryChannels": [{"name": "default", "s3BucketName": "config-history"}]
            },
            "DescribeConfigRules": lambda _, asked: self._page("ConfigRules", self.rules, asked),
            "DescribeConfigRuleEvaluationStatus": lambda _, asked: self._page(
                "ConfigRulesEvaluationStatus",
                [{"ConfigRuleName": name, **told} for name, told in self.status.items()],
                asked,
            ),
            "DescribeComplianceByConfigRule": lambda _, asked: self._page(
                "ComplianceByConfigRules",
                [
                    {"ConfigRuleName": name, "Compliance": {"ComplianceType": says}}
                    for name, says in self.summary.items()
                ],
                asked,
            ),
            "GetComplianceDetailsByConfigRule": self._details,
            "GetDiscoveredResourceCounts": lambda _, asked: self._counts(asked),
            "ListDiscoveredResources": lambda _, asked: {
                "resourceIdentifiers": [
                    {"resourceType": kind, "resourceId": f"id-{name}", "resourceName": name}
                    for kind, name in self.resources
                    if kind == asked["resourceType"]
                ]
            },
        }

    def _counts(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """One a page."""
        kinds = sorted({kind for kind, _ in self.resources})
        at = int(asked.get("nextToken") or 0)
        more = {"nextToken": str(at + 1)} if at + 1 < len(kinds) else {}
        counts = [{"resourceType": kind, "count": 1} for kind in kinds[at : at + 1]]
        return {"resourceCounts": counts, **more}

    def _recorders(self) -> list[dict[str, Any]]:
        return [self.recorder] if self.recorder else []

    def _details(self, _: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        name = asked["ConfigRuleName"]
        if name not in self.results:
            raise Denied("NoSuchConfigRuleException")
        return self._page("EvaluationResults", self.results[name], asked)

    def _page(
        self, name: str, rows: list[dict[str, Any]], asked: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Pages of `size` with an empty one in between, as AWS also sends them."""
        token = str(asked.get("NextToken") or "0")
        at = int(token.strip("+"))
        if at and not token.endswith("+"):
            return {name: [], "NextToken": f"{at}+"}
        more = {"NextToken": str(at + self.size)} if at + self.size < len(rows) else {}
        return {name: rows[at : at + self.size], **more}


def collector(aws: Aws, **changed: Any) -> AwsConfig:
    plain = AwsConfig(
        source="cloud-config", regions=REGIONS, systems={"credit-*": "credit-scoring"}, **aws.keys()
    )
    return replace(plain, **changed)
