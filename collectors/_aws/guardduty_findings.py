"""GuardDuty in one region: its detector, and the findings that are not archived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from collectors._aws.source import Place
from collectors._json import moment
from collectors._text import clean
from evidence.errors import SourceBroken
from evidence.model import EvidenceItem, Outcome
from evidence.times import stamp

DETECTOR = "aws.guardduty.detector"
FINDING = "aws.guardduty.finding"
# The most that GetFindings takes.
_AT_ONCE = 50
_OPEN = {"Criterion": {"service.archived": {"Eq": ["false"]}}}
_HIGH, _MEDIUM = 7.0, 4.0
# Where the parts of a finding's resource carry its name.
_NAMES = (
    ("AccessKeyDetails", "UserName"),
    ("InstanceDetails", "InstanceId"),
    ("EksClusterDetails", "Name"),
    ("EcsClusterDetails", "Name"),
    ("LambdaDetails", "FunctionName"),
    ("RdsDbInstanceDetails", "DbInstanceIdentifier"),
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """For how many days a finding may be open, by severity."""

    high: int
    medium: int
    low: int

    def days(self, level: str) -> int:
        """For `high`, `medium` or `low`."""
        return {"high": self.high, "medium": self.medium, "low": self.low}[level]


def detectors(place: Place) -> Iterator[EvidenceItem]:
    """One state a region, also where there is no detector: that is what a lead must see."""
    found = [_detector(place, name) for name in _names(place)]
    on = [one for one in found if one["status"] == "ENABLED"]
    said = "watches" if on else ("is off" if found else "has no detector")
    yield place.state(
        DETECTOR, "", {"detectors": found}, f"GuardDuty in {place.region} {said}",
        Outcome.PASSED if on else Outcome.FAILED,
    )  # fmt: skip


def findings(place: Place, allowed: Allowed) -> Iterator[EvidenceItem]:
    """Each open finding, judged by how long it has been there."""
    for detector in _names(place):
        ids = _texts(place, "list_findings", "FindingIds", detector, FindingCriteria=_OPEN)
        for at in range(0, len(ids), _AT_ONCE):
            page = place.one(
                "guardduty", "get_findings", "Findings",
                DetectorId=detector, FindingIds=ids[at : at + _AT_ONCE],
            )  # fmt: skip
            told = [one for one in page["Findings"] if str(one["Id"]) in ids]
            if len(told) < len(ids[at : at + _AT_ONCE]):
                place.asking.gap(place.subject(detector), "listed findings were not described")
            yield from (_finding(place, one, allowed) for one in told)


def _names(place: Place) -> list[str]:
    return [str(one) for one in place.every("guardduty", "list_detectors", "DetectorIds")]


def _texts(place: Place, operation: str, holds: str, detector: str, **asked: Any) -> list[str]:
    found = place.every("guardduty", operation, holds, DetectorId=detector, **asked)
    return [str(one) for one in found]


def _detector(place: Place, name: str) -> dict[str, Any]:
    told = place.one("guardduty", "get_detector", "Status", DetectorId=name)
    features = told.get("Features") or []
    return {
        "id": name,
        "status": told["Status"],
        "features": sorted(str(f["Name"]) for f in features if f.get("Status") == "ENABLED"),
        "published": told.get("FindingPublishingFrequency", ""),
    }


def _finding(place: Place, told: Mapping[str, Any], allowed: Allowed) -> EvidenceItem:
    level, since = _level(told), moment(told["CreatedAt"], f"finding {told['Id']}")
    overdue = place.asking.now - since > timedelta(days=allowed.days(level))
    resource = told["Resource"]
    names = list(_called(resource))
    content = {
        "id": told["Id"], "type": told["Type"], "severity": level,
        "title": clean(str(told.get("Title", ""))), "resource_type": resource.get("ResourceType"),
        "resources": names, "since": stamp(since), "allowed_days": allowed.days(level),
        "overdue": overdue,
    }  # fmt: skip
    said = f"open longer than {allowed.days(level)} days" if overdue else "open"
    return place.state(
        FINDING, str(told["Id"]), content, f"{told['Type']} ({level}): {said}",
        Outcome.FAILED if overdue else Outcome.RECORDED, names=names, locator=str(told["Arn"]),
    )  # fmt: skip


def _level(told: Mapping[str, Any]) -> str:
    severity = told["Severity"]
    if not isinstance(severity, int | float):
        what = f"finding {told['Id']}"
        raise SourceBroken(f"{what}: severity {clean(repr(severity), 60)} is no number", what=what)
    return "high" if severity >= _HIGH else "medium" if severity >= _MEDIUM else "low"


def _called(resource: Mapping[str, Any]) -> Iterator[str]:
    for part, name in _NAMES:
        if found := (resource.get(part) or {}).get(name):
            yield str(found)
    for bucket in resource.get("S3BucketDetails") or []:
        if bucket.get("Name"):
            yield str(bucket["Name"])
