"""Two log groups in moto, with events of the last days."""

from __future__ import annotations

from pathlib import Path

from collectors.cloudwatch_logs import CloudWatchLogs
from tests.collectors.aws_logs_world import Logs, noon
from tests.collectors.aws_server import Aws


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.aws = Aws().__enter__()
        self.logs = Logs(self.aws, folder.name)
        self.group = self.logs.group("credit-api", keeps=365)
        self.logs.group("triage", keeps=30)
        for ago in (1, 2):
            self.logs.put(self.group, noon(ago), "started", "decided", "stopped")

    def collector(self) -> CloudWatchLogs:
        return self.logs.collector()

    def grow(self) -> None:
        """An event of yesterday comes late."""
        self.logs.put(self.group, noon(1), "too late for the first count")

    def down(self) -> CloudWatchLogs:
        return self.logs.collector(endpoint_url="http://127.0.0.1:9")

    def refused(self) -> CloudWatchLogs:
        """Credentials of another account."""
        return self.logs.collector(account="999999999999")

    def close(self) -> None:
        self.aws.close()
