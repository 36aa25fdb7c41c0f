"""Amazon Bedrock's invocation log in S3: how often which model was called, never what was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar

from collectors._aws import bedrock_days as days
from collectors._aws import s3
from collectors._aws.day_marks import Marks, closed_days, read_marks
from collectors._aws.source import AwsSource, Place
from collectors.base import Window
from evidence.errors import SourceRefused
from evidence.model import Batch, Cursor

# A day is closed when the first two hours of the next have been filed.
_SETTLE = timedelta(hours=3)


@dataclass(frozen=True)
class BedrockInvocations(AwsSource):
    """Calls of models by day, as Bedrock logs them to the bucket that its settings name.

    Each closed day (UTC) is an `aws.bedrock.invocations` for every model and AI system: calls by
    hour and operation, errors, tokens, what guardrails did, how many callers. An
    `aws.bedrock.delivery` says whether the log is whole: CloudWatch counts invocations apart, and a
    day of which fewer are logged, or files are gone, has failed. Prompts and answers are not kept,
    and those that Bedrock files apart are not fetched.

    Days within `lookback` are listed again in each pull, and read again if their files differ. A
    region that logs to no bucket is a gap. More than two million calls of a day are a gap.
    """

    lookback: timedelta = timedelta(days=3)
    window: Window | None = None

    kinds: ClassVar[tuple[str, ...]] = (days.CALLS, days.DELIVERY)
    states: ClassVar[tuple[str, ...]] = ()

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        if not days.DAY <= self.lookback <= timedelta(days=14):
            yield "lookback must lie between a day and 14, for which CloudWatch lists its counts"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """A batch for each day that differs; see Collector.collect."""
        marks, asking = read_marks(cursor), self._asking()
        if self.window is None:
            marks.forget(asking.now - self.lookback - timedelta(days=2))
        refused: SourceRefused | None = None
        denied = 0
        for region in self.regions:
            try:
                yield from self._region(Place(self, asking, region), marks)
            except SourceRefused as error:
                asking.gap(f"invocation log in {region}", str(error))
                refused, denied = error, denied + 1
        if refused and denied == len(self.regions):
            raise refused
        yield Batch((), marks.cursor(), asking.facts(self._query()))

    def probe(self) -> str:
        """Asks who the credentials belong to, and where the first region's log lies."""
        asking = self._asking()
        place = Place(self, asking, self.regions[0])
        found = self._reader(place, Marks())
        lies = f"s3://{found.bucket.name}/{found.root}" if found else "no bucket"
        if found:
            found.bucket.first(found.root)
        return f"{asking.identity}: {place.region} logs invocations to {lies}"

    def _region(self, place: Place, marks: Marks) -> Iterator[Batch]:
        reader = self._reader(place, marks)
        if reader is None:
            why = "Bedrock logs invocations to no bucket: nothing tells what was called"
            place.asking.gap(f"invocation log in {place.region}", why)
            return
        due = closed_days(place.asking.now - _SETTLE, self.lookback, self.window)
        counted = self._counted(place, due)
        for day in due:
            items = tuple(reader.day(day, counted.get(day, 0) if counted is not None else None))
            place.asking.received, reader.received = reader.received, 0
            facts = replace(
                place.asking.facts(self._query()), window_from=_midnight(day),
                window_to=_midnight(day + days.DAY),
            )  # fmt: skip
            yield Batch(items, marks.cursor(), facts)

    def _reader(self, place: Place, marks: Marks) -> days.Reader | None:
        told = place.one("bedrock", "get_model_invocation_logging_configuration")
        bucket = (told.get("loggingConfig") or {}).get("s3Config") or {}
        if not bucket.get("bucketName"):
            return None
        client = s3.s3_client(place.asking.aws, place.region, self.endpoint_url)
        folder = f"AWSLogs/{place.asking.account}/BedrockModelInvocationLogs/{place.region}/"
        prefix = str(bucket.get("keyPrefix") or "").strip("/")
        return days.Reader(
            place, s3.Bucket(client, str(bucket["bucketName"])),
            f"{prefix}/{folder}" if prefix else folder, marks.of(place.subject()),
        )  # fmt: skip

    def _counted(self, place: Place, due: list[date]) -> Counter[date] | None:
        """Invocations that CloudWatch counted of each day; None where it may not be asked.

        It lists no model that was not called for two weeks, so a backfill does without.
        """
        if self.window is not None or not due:
            return None
        try:
            return _invocations(place, due)
        except SourceRefused as error:
            place.asking.gap(f"count of invocations in {place.region}", str(error))
            return None

    def _query(self) -> str:
        return f"Bedrock's invocation log by day in {', '.join(self.regions)}"


def _invocations(place: Place, due: list[date]) -> Counter[date]:
    """The metric is asked for model by model: a sum over all is kept nowhere."""
    counted: Counter[date] = Counter()
    of = {"Namespace": "AWS/Bedrock", "MetricName": "Invocations"}
    for metric in place.every("cloudwatch", "list_metrics", "Metrics", **of):
        dimensions = metric.get("Dimensions", [])
        if [one["Name"] for one in dimensions] != ["ModelId"]:
            continue
        told = place.one(
            "cloudwatch", "get_metric_statistics", "Datapoints", **of, Dimensions=dimensions,
            StartTime=_midnight(due[0]), EndTime=_midnight(due[-1] + days.DAY),
            Period=int(days.DAY.total_seconds()), Statistics=["Sum"],
        )  # fmt: skip
        for point in told["Datapoints"]:
            counted[point["Timestamp"].astimezone(UTC).date()] += int(point["Sum"])
    return counted


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
