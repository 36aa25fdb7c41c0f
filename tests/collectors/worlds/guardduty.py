"""A detector in moto, and findings answered as GuardDuty's service model says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from moto.backends import get_backend

from collectors.guardduty import GuardDuty
from tests.collectors.aws_server import ACCOUNT, Aws

REGION = "eu-south-1"
NOW = datetime.now(UTC).replace(microsecond=0)


def finding(name: str, severity: float, days: float, **resource: Any) -> dict[str, Any]:
    """A finding that has been open for so many days."""
    at = (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {
        "Id": name, "Arn": f"arn:aws:guardduty:{REGION}:{ACCOUNT}:detector/d/finding/{name}",
        "AccountId": ACCOUNT, "Region": REGION, "SchemaVersion": "2.0", "Severity": severity,
        "Type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller", "Title": "A call from afar.\x07",
        "CreatedAt": at, "UpdatedAt": at, "Resource": resource or {"ResourceType": "AccessKey"},
        "Service": {"Archived": False, "Count": 3},
    }  # fmt: skip


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.aws = Aws().__enter__()
        get_backend("guardduty")[ACCOUNT][REGION].reset()
        self.client = self.aws.client("guardduty", REGION)
        self.detector = self.client.create_detector(Enable=True)["DetectorId"]
        bucket = {"ResourceType": "S3Bucket", "S3BucketDetails": [{"Name": "credit-raw"}]}
        self.findings = [finding("old-high", 8.0, 2, **bucket), finding("new-high", 8.0, 0.5),
                         finding("old-medium", 5.0, 6), finding("old-low", 2.0, 31)]  # fmt: skip
        self.aws.answers |= {"ListFindings": self._list, "GetFindings": self._get}

    def _list(self, _: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Two a page, and one page that is empty."""
        assert asked["findingCriteria"]["criterion"]["service.archived"] == {"eq": ["false"]}
        ids = [one["Id"] for one in self.findings]
        at = int(asked.get("nextToken") or 0)
        more = {"NextToken": str(at + 2)} if at <= len(ids) else {}
        return {"FindingIds": ids[at : at + 2], **more}

    def _get(self, _: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"Findings": [one for one in self.findings if one["Id"] in asked["findingIds"]]}

    def collector(self, **changed: Any) -> GuardDuty:
        plain = GuardDuty(
            source="cloud-threats", regions=(REGION,), systems={"credit-*": "credit-scoring"},
            **self.aws.keys(),
        )  # fmt: skip
        return replace(plain, **changed)

    def grow(self) -> None:
        self.findings.append(finding("another", 4.0, 0.1))

    def down(self) -> GuardDuty:
        return self.collector(endpoint_url="http://127.0.0.1:9")

    def refused(self) -> GuardDuty:
        """Credentials of another account."""
        return self.collector(account="999999999999")

    def close(self) -> None:
        self.aws.close()
