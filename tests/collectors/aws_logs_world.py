"""Log groups in moto with events of the last days."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from collectors.cloudwatch_logs import CloudWatchLogs
from tests.collectors.aws_server import Aws

DAY = timedelta(days=1)
STREAM = "one"


def noon(ago: int) -> datetime:
    """Noon, UTC, some days ago."""
    return datetime.combine(datetime.now(UTC).date(), time(12), UTC) - ago * DAY


@dataclass
class Logs:
    """Groups below `prefix`, whose events a test adds and takes away."""

    aws: Aws
    prefix: str
    region: str = "eu-central-1"

    def group(self, name: str, keeps: int = 0, age: int = 30) -> str:
        """A group that is `age` days old, with one stream; `keeps` days, 0 for ever."""
        from moto.backends import get_backend

        full = f"{self.prefix}/{name}"
        client = self.aws.client("logs", self.region)
        client.create_log_group(logGroupName=full)
        client.create_log_stream(logGroupName=full, logStreamName=STREAM)
        if keeps:
            client.put_retention_policy(logGroupName=full, retentionInDays=keeps)
        made = get_backend("logs")["123456789012"][self.region].groups[full]
        made.creation_time = (datetime.now(UTC) - age * DAY).replace(tzinfo=None)
        return full

    def put(self, group: str, at: datetime, *messages: str, stream: str = STREAM) -> None:
        """Events a second apart from `at`; moto says that they came in now."""
        self.aws.client("logs", self.region).put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[
                {"timestamp": int(at.timestamp() * 1000) + 1000 * n, "message": message}
                for n, message in enumerate(messages)
            ],
        )

    def drop(self, group: str, stream: str = STREAM) -> None:
        """As somebody does who wants events gone: AWS removes streams, never single events."""
        self.aws.client("logs", self.region).delete_log_stream(
            logGroupName=group, logStreamName=stream
        )

    def collector(self, **changed: Any) -> CloudWatchLogs:
        plain = CloudWatchLogs(
            source="cloud-events", regions=(self.region,), groups=(f"{self.prefix}/*",),
            reread_every=timedelta(0), lookback=4 * DAY, retention_at_least=90,
            systems={"*/credit-*": "credit-scoring"}, **self.aws.keys(),
        )  # fmt: skip
        return replace(plain, **changed)
