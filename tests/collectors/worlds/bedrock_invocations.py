"""Bedrock's invocation log in an S3 bucket of moto, and CloudWatch's count of the same calls."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from moto.backends import get_backend

from collectors.bedrock_invocations import BedrockInvocations
from tests.collectors.aws_server import ACCOUNT, Aws

REGION = "eu-south-1"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def noon(ago: int) -> datetime:
    """Noon, UTC, some days ago."""
    return datetime.combine(datetime.now(UTC).date(), time(12), UTC) - ago * DAY


def call(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    """A record as Bedrock's documentation shows it, prompt and answer and all."""
    return {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0",
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "accountId": ACCOUNT, "region": REGION,
        "identity": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/credit-api/i-0abc"},
        "requestId": f"00000000-0000-4000-8000-{number:012d}", "operation": "InvokeModel",
        "modelId": f"arn:aws:bedrock:{REGION}::foundation-model/{HAIKU}",
        "input": {"inputContentType": "application/json", "inputTokenCount": 10,
                  "inputBodyJson": {"messages": [{"content": "my secret diagnosis"}]}},
        "output": {"outputContentType": "application/json", "outputTokenCount": 3,
                   "outputBodyJson": {"completion": "an answer nobody may read"}},
        **more,
    }  # fmt: skip


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.aws = Aws().__enter__()
        self.bucket = f"invocations-{folder.name}".replace("_", "-").lower()[:60].rstrip("-")
        self.s3 = self.aws.client("s3", REGION)
        where = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration=where)
        get_backend("cloudwatch")[ACCOUNT][REGION].reset()
        self.log_to(self.bucket)
        self.number = 0
        for ago in (1, 2):
            self.log(noon(ago), *(call(self.next(), noon(ago)) for _ in range(3)))
            self.count(noon(ago), 3)

    def next(self) -> int:
        self.number += 1
        return self.number

    def log_to(self, bucket: str, prefix: str = "") -> None:
        """What Bedrock's settings name as the place of its log."""
        config = {"s3Config": {"bucketName": bucket, "keyPrefix": prefix}} if bucket else {}
        self.aws.client("bedrock", REGION).put_model_invocation_logging_configuration(
            loggingConfig={**config, "textDataDeliveryEnabled": True}
        )

    def key(self, at: datetime, name: str = "calls") -> str:
        root = f"AWSLogs/{ACCOUNT}/BedrockModelInvocationLogs/{REGION}"
        return f"{root}/{at:%Y/%m/%d/%H}/{at:%Y%m%dT%H%M%S}_{name}.json.gz"

    def log(self, filed: datetime, *records: dict[str, Any], name: str = "calls") -> str:
        """A file of the hour `filed`."""
        raw = gzip.compress("\n".join(map(json.dumps, records)).encode(), mtime=0)
        return self.write(self.key(filed, name), raw)

    def write(self, key: str, raw: bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=raw)
        return key

    def count(self, at: datetime, calls: float, model: str = HAIKU) -> None:
        """What CloudWatch counts beside."""
        self.aws.client("cloudwatch", REGION).put_metric_data(
            Namespace="AWS/Bedrock",
            MetricData=[{
                "MetricName": "Invocations", "Timestamp": at, "Value": calls, "Unit": "Count",
                "Dimensions": [{"Name": "ModelId", "Value": model}],
            }],
        )  # fmt: skip

    def collector(self, **changed: Any) -> BedrockInvocations:
        plain = BedrockInvocations(
            source="cloud-calls", regions=(REGION,), systems={"credit-*": "credit-scoring"},
            **self.aws.keys(),
        )  # fmt: skip
        return replace(plain, **changed)

    def grow(self) -> None:
        """A file of yesterday comes late."""
        self.log(noon(1), call(self.next(), noon(1)), name="late")

    def down(self) -> BedrockInvocations:
        return self.collector(endpoint_url="http://127.0.0.1:9")

    def refused(self) -> BedrockInvocations:
        """Credentials of another account."""
        return self.collector(account="999999999999")

    def close(self) -> None:
        self.aws.client("bedrock", REGION).delete_model_invocation_logging_configuration()
        self.aws.close()
