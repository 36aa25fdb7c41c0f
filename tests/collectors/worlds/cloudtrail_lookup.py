"""An account's event history, answered as CloudTrail's service model says: moto has none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from collectors.cloudtrail_lookup import CloudTrailLookup
from tests.collectors.aws_server import Aws
from tests.collectors.trail_world import event

REGION = "eu-south-1"
HOUR = timedelta(hours=1)


@dataclass
class History:
    """Events as CloudTrail keeps them: 90 days, told newest first, both ends of a time included."""

    now: datetime
    page: int = 2
    records: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, number: int, ago: timedelta, **more: Any) -> None:
        self.records.append(event(number, self.now - ago, awsRegion=REGION, **more))

    def answer(self, _: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(asked)
        begin, end = float(asked.get("StartTime", 0)), float(asked.get("EndTime", 1e12))
        kept = (self.now - timedelta(days=90)).timestamp()
        rows = [r for r in self.records if max(begin, kept) <= _at(r).timestamp() <= end]
        rows.sort(key=_at, reverse=True)
        at = int(asked.get("NextToken") or 0)
        more = {"NextToken": str(at + self.page)} if at + self.page < len(rows) else {}
        return {"Events": [_told(row) for row in rows[at : at + self.page]], **more}


def _at(record: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(record["eventTime"])


def _told(record: dict[str, Any]) -> dict[str, Any]:
    text = record.get("raw", json.dumps(record))
    return {"EventId": record["eventID"], "EventTime": _at(record), "CloudTrailEvent": text}


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.aws = Aws().__enter__()
        self.history = History(datetime.now(UTC).replace(microsecond=0))
        self.aws.answers["LookupEvents"] = self.history.answer
        for number, days in enumerate((80, 20, 5, 1)):
            self.history.add(number, timedelta(days=days))
        self.history.add(9, timedelta(days=5, seconds=1))

    def collector(self, **changed: Any) -> CloudTrailLookup:
        plain = CloudTrailLookup(
            source="cloud-history", regions=(REGION,), per_second=1000,
            systems={"mira.*": "credit-scoring"}, **self.aws.keys(),
        )  # fmt: skip
        return replace(plain, **changed)

    def grow(self) -> None:
        """An event that CloudTrail shows ten minutes late."""
        self.history.add(100 + len(self.history.records), timedelta(minutes=10))

    def down(self) -> CloudTrailLookup:
        return self.collector(endpoint_url="http://127.0.0.1:9")

    def refused(self) -> CloudTrailLookup:
        """Credentials of another account."""
        return self.collector(account="999999999999")

    def close(self) -> None:
        self.aws.close()
