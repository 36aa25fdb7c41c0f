"""Alarms and figures in moto's CloudWatch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from moto.backends import get_backend

from collectors.cloudwatch_metrics import CloudWatchMetrics
from tests.collectors.aws_server import ACCOUNT, Aws

REGION = "eu-south-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call"
USE = "/aws/sagemaker/Endpoints:CPUUtilization"


def noon(ago: int) -> datetime:
    """Noon, UTC, some days ago."""
    return datetime.combine(datetime.now(UTC).date(), time(12), UTC) - timedelta(days=ago)


class World:
    """See tests.collectors.worlds.base.World."""

    def __init__(self, folder: Path) -> None:
        self.aws = Aws().__enter__()
        get_backend("cloudwatch")[ACCOUNT][REGION].reset()
        self.client = self.aws.client("cloudwatch", REGION)
        self.alarm("credit-errors")
        self.alarm("credit-latency")
        for ago, use in ((2, 40.0), (2, 60.0), (3, 90.0)):
            self.used(noon(ago), use)

    def alarm(self, name: str, state: str = "OK", **changed: Any) -> None:
        """An alarm over errors of the endpoint that tells somebody."""
        self.client.put_metric_alarm(**{
            "AlarmName": name, "Namespace": "AWS/SageMaker", "MetricName": "Invocation5XXErrors",
            "Dimensions": [{"Name": "EndpointName", "Value": "credit-live"}], "Statistic": "Sum",
            "Period": 300, "EvaluationPeriods": 1, "Threshold": 5.0,
            "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": [TOPIC],
            "ActionsEnabled": True, **changed,
        })  # fmt: skip
        self.client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="the test")

    def used(self, at: datetime, use: float, endpoint: str = "credit-live") -> None:
        """A datapoint of how busy an endpoint was."""
        self.client.put_metric_data(
            Namespace=USE.partition(":")[0],
            MetricData=[{
                "MetricName": USE.partition(":")[2], "Timestamp": at, "Value": use,
                "Unit": "Percent", "Dimensions": [{"Name": "EndpointName", "Value": endpoint}],
            }],
        )  # fmt: skip

    def collector(self, **changed: Any) -> CloudWatchMetrics:
        plain = CloudWatchMetrics(
            source="cloud-figures", regions=(REGION,), systems={"credit-*": "credit-scoring"},
            alarms=("credit-*",), metrics=(USE,), lookback=timedelta(days=4), **self.aws.keys(),
        )  # fmt: skip
        return replace(plain, **changed)

    def grow(self) -> None:
        """Somebody silences an alarm."""
        self.client.disable_alarm_actions(AlarmNames=["credit-errors"])

    def down(self) -> CloudWatchMetrics:
        return self.collector(endpoint_url="http://127.0.0.1:9")

    def refused(self) -> CloudWatchMetrics:
        """Credentials of another account."""
        return self.collector(account="999999999999")

    def close(self) -> None:
        self.aws.close()
