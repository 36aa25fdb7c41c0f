"""Logs Insights, answered as its service model says: moto tells no statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from collectors.logs_insights import LogsInsights
from tests.collectors.aws_server import Aws, Denied

REGION = "eu-south-1"
GROUP = "/aws/sagemaker/Endpoints/credit"
DAY = timedelta(days=1)
EVENTS, COUNT = "fields @timestamp, @message", "stats count(*) as lines"


def noon(ago: int) -> datetime:
    """Noon, UTC, some days ago."""
    return datetime.combine(datetime.now(UTC).date(), time(12), UTC) - ago * DAY


@dataclass
class Insights:
    """Lines of one log group. `runs` polls pass before an answer is there; `cut` rows are lost."""

    lines: list[tuple[datetime, str]] = field(default_factory=list)
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    status: str = "Complete"
    runs: int = 0
    cut: int = 0
    page: int = 10_000
    more: dict[str, float] = field(default_factory=dict)
    polls: int = 0

    def start(self, _: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if asked["logGroupNames"] != [GROUP]:
            raise Denied("ResourceNotFoundException")
        if "oops" in asked["queryString"]:
            raise Denied("MalformedQueryException")
        self.asked.append(asked)
        return {"queryId": str(len(self.asked) - 1)}

    def results(self, _: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        self.polls += 1
        if self.polls <= self.runs:
            return {"status": "Running", "results": []}
        query = self.asked[int(asked["queryId"])]
        begin, end = query["startTime"], query["endTime"]
        found = [line for line in self.lines if begin <= int(line[0].timestamp()) <= end]
        rows = self._rows(query["queryString"], found)
        at = int(asked.get("nextToken") or 0)
        more = {"nextToken": str(at + self.page)} if at + self.page < len(rows) else {}
        counts = {"recordsMatched": float(len(found)), "recordsScanned": 99.0, "bytesScanned": 1e4}
        return {
            "status": self.status, "results": rows[at : at + self.page],
            "statistics": {**counts, **self.more}, **more,
        }  # fmt: skip

    def _rows(self, query: str, found: list[tuple[datetime, str]]) -> list[list[dict[str, str]]]:
        if query.startswith("stats"):
            return [[{"field": "lines", "value": str(len(found))}]] if found else []
        rows = [
            [
                {"field": "@timestamp", "value": f"{at:%Y-%m-%d %H:%M:%S.000}"},
                {"field": "@message", "value": text},
                {"field": "@ptr", "value": f"{self.polls}-{number}"},
            ]
            for number, (at, text) in enumerate(found)
        ]
        return rows[self.cut :][:10_000]


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.aws = Aws().__enter__()
        self.insights = Insights([(noon(n), f"refused {n}") for n in (1, 1, 2)])
        self.aws.answers |= {
            "StartQuery": self.insights.start, "GetQueryResults": self.insights.results,
        }  # fmt: skip

    def collector(self, **changed: Any) -> LogsInsights:
        plain = LogsInsights(
            source="cloud-questions", regions=(REGION,), groups=(GROUP,),
            queries={"refusals": EVENTS, "lines": COUNT}, reread_every=timedelta(0),
            systems={"*/credit": "credit-scoring"}, **self.aws.keys(),
        )  # fmt: skip
        return replace(plain, **changed)

    def grow(self) -> None:
        """An event of yesterday comes late."""
        self.insights.lines.append((noon(1), f"late {len(self.insights.lines)}"))

    def down(self) -> LogsInsights:
        return self.collector(endpoint_url="http://127.0.0.1:9")

    def refused(self) -> LogsInsights:
        """Credentials of another account."""
        return self.collector(account="999999999999")

    def close(self) -> None:
        self.aws.close()
