"""A CloudTrail bucket of four days, and CloudTrail's list of its keys, on loopback."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collectors.cloudtrail import CloudTrail
from demo import cloud
from tests.collectors.aws_server import Aws


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime.now(UTC) - timedelta(hours=3)
        self.cloud = cloud.build(folder, self.now, days=4, bucket="contract-cloudtrail")
        self.store = cloud.serve(folder)
        self.aws = Aws().__enter__()
        keys = json.loads(self.cloud.public_keys.read_text())
        self.aws.answers["ListPublicKeys"] = lambda *_: keys

    def collector(self) -> CloudTrail:
        return self._collector(self.aws.url, self.cloud.bucket)

    def grow(self) -> None:
        self.now += timedelta(hours=1)
        cloud.later(self.cloud, self.now)
        self.store.refresh()

    def down(self) -> CloudTrail:
        return self._collector("http://127.0.0.1:9", self.cloud.bucket)

    def refused(self) -> CloudTrail:
        return self._collector(self.aws.url, "no-such-bucket")

    def close(self) -> None:
        self.aws.close()
        self.store.close()

    def _collector(self, url: str, bucket: str) -> CloudTrail:
        return CloudTrail(
            source="cloud-logs",
            bucket=bucket,
            accounts=(self.cloud.account,),
            regions=(self.cloud.region,),
            trail=self.cloud.trail,
            systems={"credit-*": "credit-scoring"},
            **{**self.aws.keys(), "endpoint_url": url},
        )
