"""Model packages, model cards and endpoints of one region, as SageMaker describes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from collectors._aws.asking import Absent
from collectors._aws.source import Place
from evidence.model import EvidenceItem, Outcome
from evidence.times import stamp

PACKAGE = "aws.sagemaker.model_package"
CARD = "aws.sagemaker.model_card"
ENDPOINT = "aws.sagemaker.endpoint"


def packages(place: Place) -> Iterator[EvidenceItem]:
    """Versioned and unversioned ones: SageMaker lists only the latter unless told `Both`."""

    def listed() -> list[str]:
        rows = place.every(
            "sagemaker", "list_model_packages", "ModelPackageSummaryList", ModelPackageType="Both"
        )
        return [str(row["ModelPackageArn"]) for row in rows]

    def described(arn: str) -> dict[str, Any]:
        return place.one(
            "sagemaker", "describe_model_package", "ModelPackageArn", ModelPackageName=arn
        )

    for arn, told in _described(place, listed, described):
        yield _package(place, arn, told)


def _package(place: Place, arn: str, told: Mapping[str, Any]) -> EvidenceItem:
    group, version = str(told.get("ModelPackageGroupName", "")), told.get("ModelPackageVersion")
    name = arn.partition(":model-package/")[2] or arn
    approval = str(told.get("ModelApprovalStatus", ""))
    content = {
        "name": name, "group": group, "version": version,
        "status": told.get("ModelPackageStatus", ""), "approval": approval,
        "approval_text": told.get("ApprovalDescription", ""),
        "created": _time(told, "CreationTime"), "created_by": _who(told.get("CreatedBy")),
        "modified": _time(told, "LastModifiedTime"),
        "modified_by": _who(told.get("LastModifiedBy")),
        "stage": told.get("ModelLifeCycle", {}).get("Stage", ""),
        "commit": told.get("MetadataProperties", {}).get("CommitId", ""),
        "metrics": _uris(told.get("ModelMetrics", {})),
    }  # fmt: skip
    return place.state(
        PACKAGE, name, content, f"model package {name}: {approval or 'no approval asked'}",
        Outcome.RECORDED, names=(group, name), locator=arn, actor=_who(told.get("LastModifiedBy")),
    )  # fmt: skip


def cards(place: Place) -> Iterator[EvidenceItem]:
    """Without their content, which may be encrypted with a key that is nobody else's business."""

    def listed() -> list[str]:
        rows = place.every("sagemaker", "list_model_cards", "ModelCardSummaries")
        return [str(row["ModelCardName"]) for row in rows]

    def described(name: str) -> dict[str, Any]:
        return place.one(
            "sagemaker", "describe_model_card", "ModelCardStatus",
            ModelCardName=name, IncludedData="MetadataOnly",
        )  # fmt: skip

    for name, told in _described(place, listed, described):
        yield _card(place, name, told)


def _card(place: Place, name: str, told: Mapping[str, Any]) -> EvidenceItem:
    status = str(told["ModelCardStatus"])
    content = {
        "name": name, "version": told.get("ModelCardVersion"), "status": status,
        "created": _time(told, "CreationTime"), "created_by": _who(told.get("CreatedBy")),
        "modified": _time(told, "LastModifiedTime"),
        "modified_by": _who(told.get("LastModifiedBy")),
    }  # fmt: skip
    return place.state(
        CARD, name, content, f"model card {name}: {status}",
        Outcome.PASSED if status == "Approved" else Outcome.RECORDED, names=(name,),
        locator=str(told.get("ModelCardArn", "")), actor=_who(told.get("LastModifiedBy")),
    )  # fmt: skip


def endpoints(place: Place) -> Iterator[EvidenceItem]:
    """What is in service; what it runs on is told by the calls that CloudTrail logs."""
    for told in place.every("sagemaker", "list_endpoints", "Endpoints"):
        name, status = str(told["EndpointName"]), str(told.get("EndpointStatus", ""))
        content = {
            "name": name, "status": status, "created": _time(told, "CreationTime"),
            "modified": _time(told, "LastModifiedTime"),
        }  # fmt: skip
        yield place.state(
            ENDPOINT, name, content, f"endpoint {name}: {status}",
            Outcome.FAILED if "Failed" in status else Outcome.RECORDED, names=(name,),
            locator=str(told.get("EndpointArn", "")),
        )  # fmt: skip


def _described(
    place: Place, listed: Callable[[], list[str]], described: Callable[[str], dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each name and what is told of it. What was deleted since it was listed is left out.

    Only what is absent in a second list too has gone: that one call does not know a name may be
    the lag of a copy, which is a gap.
    """
    absent = {}
    for name in listed():
        try:
            yield name, described(name)
        except Absent as error:
            absent[name] = str(error)
    for name in listed() if absent else ():
        if name in absent:
            place.asking.gap(f"{place.subject()}: {name}", f"listed, but {absent[name]}")


def _who(told: Any) -> str:
    """A user of SageMaker Studio, or the ARN behind the call."""
    if not isinstance(told, dict):
        return ""
    identity = told.get("IamIdentity") or {}
    return str(told.get("UserProfileName") or identity.get("Arn") or "")


def _time(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return stamp(value) if isinstance(value, datetime) else ""


def _uris(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Where the metrics of a package lie, by what they are about."""
    found: dict[str, str] = {}
    for about, parts in metrics.items():
        for part, told in parts.items() if isinstance(parts, dict) else ():
            if isinstance(told, dict) and told.get("S3Uri"):
                found[f"{about}.{part}"] = str(told["S3Uri"])
    return found
