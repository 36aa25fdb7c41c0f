"""A CloudTrail bucket of four days behind a real S3 API on loopback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from collectors.cloudtrail import CloudTrail
from demo import cloud
from evidence.secret import Secret


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime.now(UTC) - timedelta(hours=3)
        self.cloud = cloud.build(folder, self.now, days=4, bucket="contract-cloudtrail")
        self.store = cloud.serve(folder)

    def collector(self) -> CloudTrail:
        return self._collector(self.store.endpoint_url, self.cloud.bucket)

    def grow(self) -> None:
        self.now += timedelta(hours=1)
        cloud.later(self.cloud, self.now)
        self.store.refresh()

    def down(self) -> CloudTrail:
        return self._collector("http://127.0.0.1:9", self.cloud.bucket)

    def refused(self) -> CloudTrail:
        return self._collector(self.store.endpoint_url, "no-such-bucket")

    def close(self) -> None:
        self.store.close()

    def _collector(self, url: str, bucket: str) -> CloudTrail:
        return CloudTrail(
            source="cloud-logs",
            bucket=bucket,
            accounts=(self.cloud.account,),
            regions=(self.cloud.region,),
            trail=self.cloud.trail,
            endpoint_url=url,
            access_key=Secret("AKIADEMO"),
            secret_key=Secret("demo-secret-key"),
            public_keys=str(self.cloud.public_keys),
            systems={"credit-*": "credit-scoring"},
        )
