"""Two regions of AWS Config, answered as its own service model says."""

from __future__ import annotations

from pathlib import Path

from collectors.aws_config import AwsConfig
from tests.collectors.aws_config_world import ENCRYPTED, Account, collector
from tests.collectors.aws_server import Aws


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.account, self.aws = Account(), Aws().__enter__()
        self.account.serve(self.aws)

    def collector(self) -> AwsConfig:
        return collector(self.aws)

    def grow(self) -> None:
        """The bucket that was not encrypted is."""
        self.account.results[ENCRYPTED][-1]["ComplianceType"] = "COMPLIANT"
        self.account.summary[ENCRYPTED] = "COMPLIANT"

    def down(self) -> AwsConfig:
        return collector(self.aws, endpoint_url="http://127.0.0.1:9")

    def refused(self) -> AwsConfig:
        """Credentials of another account."""
        return collector(self.aws, account="999999999999")

    def close(self) -> None:
        self.aws.close()
