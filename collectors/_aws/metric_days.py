"""The days of CloudWatch's metrics in one region: count, least, mean, most and sum of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from collectors._aws.alarms import dimensions_of
from collectors._aws.source import Place
from collectors._text import clean
from collectors.base import system_of
from evidence.errors import SourceBroken
from evidence.model import EvidenceItem

DAY = "aws.cloudwatch_metrics.day"
MOST = 200
_LENGTH = timedelta(days=1)
_STATISTICS = ("SampleCount", "Minimum", "Average", "Maximum", "Sum")


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by name, of all that it is measured of (`dimensions`)."""

    namespace: str
    name: str

    @classmethod
    def of(cls, text: str) -> Metric:
        """From `AWS/SageMaker:Invocations`. Raises ValueError."""
        namespace, _, name = text.rpartition(":")
        if not namespace or not name:
            raise ValueError(f"{text!r} is no metric such as AWS/SageMaker:Invocations")
        return cls(namespace, name)

    def __str__(self) -> str:
        return f"{self.namespace}:{self.name}"


def measured(place: Place, metric: Metric) -> list[dict[str, str]]:
    """Of what it is measured; CloudWatch lists what had data in the last two weeks."""
    found = place.every(
        "cloudwatch", "list_metrics", "Metrics",
        Namespace=metric.namespace, MetricName=metric.name,
    )  # fmt: skip
    sets = [dimensions_of(one) for one in found]
    if len(sets) > MOST:
        told = f"it is measured of {len(sets)} things; the first {MOST} were read"
        place.asking.gap(f"metric {metric} in {place.region}", told)
    return sorted(sets, key=lambda one: sorted(one.items()))[:MOST]


def day_items(
    place: Place, metric: Metric, days: list[date], of: Mapping[str, str]
) -> Iterator[EvidenceItem]:
    """An event for each of the days, also for one without data: that is told as no samples."""
    if not days:
        return
    answer = place.one(
        "cloudwatch", "get_metric_statistics", "Datapoints",
        Namespace=metric.namespace, MetricName=metric.name,
        Dimensions=[{"Name": name, "Value": value} for name, value in of.items()],
        StartTime=_midnight(days[0]), EndTime=_midnight(days[-1]) + _LENGTH,
        Period=int(_LENGTH.total_seconds()), Statistics=list(_STATISTICS),
    )  # fmt: skip
    points = {_day(point, metric): point for point in answer["Datapoints"]}
    for day in days:
        yield _item(place, metric, day, of, points.get(day, {}))


def _item(
    place: Place, metric: Metric, day: date, of: Mapping[str, str], point: Mapping[str, Any]
) -> EvidenceItem:
    begin = _midnight(day)
    samples = round(float(point.get("SampleCount", 0)))
    names = {"Minimum": "least", "Average": "mean", "Maximum": "most", "Sum": "sum"}
    content = {
        "account": place.asking.account, "region": place.region, "day": str(day),
        "namespace": metric.namespace, "metric": metric.name, "dimensions": dict(of),
        "unit": point.get("Unit", ""), "samples": samples,
        **{name: float(point[told]) for told, name in names.items() if told in point},
    }  # fmt: skip
    about = ", ".join(f"{name}={value}" for name, value in sorted(of.items()))
    said = f"mean {content['mean']:g}, most {content['most']:g}" if samples else "no data"
    return EvidenceItem(
        source=place.source.source, kind=DAY,
        subject=place.subject(f"{metric}/{about or 'all'}/{day}"),
        observed_from=begin, observed_to=begin + _LENGTH, collected_at=place.asking.at,
        payload=content, system=system_of(place.source.systems, *of.values()),
        title=clean(f"{metric} of {about or 'all'} on {day}: {said}"),
        locator=f"aws:{place.subject(str(metric))}",
    )  # fmt: skip


def _day(point: Mapping[str, Any], metric: Metric) -> date:
    at = point.get("Timestamp")
    if not isinstance(at, datetime):
        what = f"metric {metric}"
        raise SourceBroken(f"{what}: a datapoint has no time", what=what)
    return at.astimezone(UTC).date()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
