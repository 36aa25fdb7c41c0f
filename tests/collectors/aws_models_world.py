"""SageMaker as moto has it, with monitors that moto lacks; and Bedrock's guardrails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from moto.backends import get_backend

from tests.collectors.aws_server import ACCOUNT, Aws, Denied

LAST = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
ENDPOINT = "credit-live"


def run(number: int, status: str, kind: str = "DataQuality") -> dict[str, Any]:
    """A run of the schedule, `number` hours before LAST."""
    at = LAST - number * timedelta(hours=1)
    return {
        "MonitoringScheduleName": "credit-drift",
        "ScheduledTime": at,
        "CreationTime": at,
        "LastModifiedTime": at + timedelta(minutes=5),
        "MonitoringExecutionStatus": status,
        "EndpointName": ENDPOINT,
        "MonitoringType": kind,
    }


@dataclass
class Models:
    """One account of SageMaker, in `region`."""

    aws: Aws
    region: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    schedule: str = "Scheduled"

    def __post_init__(self) -> None:
        self.runs = [run(3, "CompletedWithViolations"), run(2, "Failed"), run(1, "Completed")]
        self.aws.answers |= {
            "ListMonitoringSchedules": self._schedules,
            "ListMonitoringExecutions": self._executions,
        }

    @property
    def client(self) -> Any:
        return self.aws.client("sagemaker", self.region)

    def fill(self) -> None:
        """A package of a group with one version approved, one free package, a card; no more."""
        get_backend("sagemaker")[ACCOUNT][self.region].reset()
        self.client.create_model_package_group(ModelPackageGroupName="credit-risk")
        for approval in ("Approved", "PendingManualApproval"):
            self.client.create_model_package(
                ModelPackageGroupName="credit-risk", ModelApprovalStatus=approval
            )
        self.client.create_model_package(ModelPackageName="free")
        self.client.create_model_card(
            ModelCardName="credit-card", Content=json.dumps({}), ModelCardStatus="Draft"
        )

    def _schedules(self, *_: object) -> Mapping[str, Any]:
        return {
            "MonitoringScheduleSummaries": [
                {
                    "MonitoringScheduleName": "credit-drift",
                    "MonitoringScheduleArn": "arn:aws:sagemaker:::monitoring-schedule/credit-drift",
                    "CreationTime": LAST,
                    "LastModifiedTime": LAST,
                    "MonitoringScheduleStatus": self.schedule,
                    "EndpointName": ENDPOINT,
                    "MonitoringType": "DataQuality",
                }
            ]
        }

    def _executions(self, _: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Changed after a time, two a page, as SageMaker filters and pages."""
        after = float(asked.get("LastModifiedTimeAfter", 0))
        rows = [row for row in self.runs if row["LastModifiedTime"].timestamp() > after]
        at = int(asked.get("NextToken") or 0)
        more = {"NextToken": str(at + 2)} if at + 2 < len(rows) else {}
        return {"MonitoringExecutionSummaries": rows[at : at + 2], **more}


@dataclass
class Guardrails:
    """Bedrock's guardrails by id: versions of each, DRAFT first."""

    aws: Aws
    known: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    models: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.models = {
            "anthropic.claude-3-haiku-v1:0": ("Anthropic", "AVAILABLE"),
            "amazon.titan-text-v1": ("Amazon", "AVAILABLE"),
            "meta.llama3-8b-v1:0": ("Meta", "NOT_AVAILABLE"),
        }
        self.known = {"abcd1234": {"DRAFT": guardrail("DRAFT"), "1": guardrail("1")}}
        self.aws.answers |= {
            "ListGuardrails": self._list, "GetGuardrail": self._get,
            "ListFoundationModels": self._models,
            "GetFoundationModelAvailability": self._availability,
            "ListCustomModels": lambda *_: {"modelSummaries": []},
            "ListImportedModels": lambda *_: {"modelSummaries": [
                {"modelArn": f"arn:aws:bedrock:eu-south-1:{ACCOUNT}:imported-model/abcdefghijkl",
                 "modelName": "credit-own", "creationTime": LAST},
            ]},
            "ListProvisionedModelThroughputs": lambda *_: {"provisionedModelSummaries": []},
        }  # fmt: skip

    def _models(self, *_: object) -> Mapping[str, Any]:
        arn = "arn:aws:bedrock:eu-south-1::foundation-model/"
        return {
            "modelSummaries": [
                {"modelArn": f"{arn}{name}", "modelId": name, "providerName": provider,
                 "modelName": name.partition(".")[2], "inferenceTypesSupported": ["ON_DEMAND"],
                 "modelLifecycle": {"status": "ACTIVE"}}
                for name, (provider, _) in self.models.items()
            ]
        }  # fmt: skip

    def _availability(self, _: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        name = unquote(asked["path"].rpartition("/")[2])
        if name not in self.models:
            raise Denied("ValidationException", words="The provided model identifier is invalid.")
        status = self.models[name][1]
        return {
            "modelId": name, "agreementAvailability": {"status": status},
            "authorizationStatus": "AUTHORIZED", "entitlementAvailability": "AVAILABLE",
            "regionAvailability": "AVAILABLE",
        }  # fmt: skip

    def _list(self, _: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        name = asked.get("guardrailIdentifier")
        rows = (
            [versions["DRAFT"] for versions in self.known.values()]
            if name is None
            else list(self.known[str(name)].values())
        )
        names = ("name", "status", "version", "createdAt", "updatedAt")
        return {
            "guardrails": [
                {"id": row["guardrailId"], "arn": row["guardrailArn"]}
                | {name: row[name] for name in names}
                for row in rows
            ]
        }

    def _get(self, _: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        name = asked["path"].rsplit("/")[-1]
        if name not in self.known:
            raise Denied("ResourceNotFoundException", 404)
        return self.known[name][str(asked["guardrailVersion"])]


def guardrail(version: str, **more: Any) -> dict[str, Any]:
    at = LAST - timedelta(days=2)
    return {
        "name": "credit-advice",
        "guardrailId": "abcd1234",
        "guardrailArn": "arn:aws:bedrock:eu-central-1:123456789012:guardrail/abcd1234",
        "version": version,
        "status": "READY",
        "createdAt": at,
        "updatedAt": at,
        "blockedInputMessaging": "no",
        "blockedOutputsMessaging": "no",
        "wordPolicy": {"words": [{"text": "codename-falcon"}]},
        "topicPolicy": {
            "topics": [{"name": "investing", "definition": "which funds to buy", "type": "DENY"}]
        },
        **more,
    }
