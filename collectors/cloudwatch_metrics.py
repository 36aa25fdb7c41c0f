"""CloudWatch: alarms that watch AI systems, and what chosen metrics came to on each day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import ClassVar

from collectors._aws.alarms import ALARM, alarms
from collectors._aws.asking import Asking
from collectors._aws.day_marks import closed_days
from collectors._aws.metric_days import DAY, Metric, day_items, measured
from collectors._aws.reach_marks import read_marks
from collectors._aws.source import AwsSource, Place, Reader, everywhere, hides, read
from collectors._states import compared
from collectors.base import Window
from evidence.model import Batch, Cursor, EvidenceItem

_GLOB = frozenset("*?[")
# CloudWatch's own services report within the hour; what comes later is not counted.
_SETTLE = timedelta(hours=3)


@dataclass(frozen=True)
class CloudWatchMetrics(AwsSource):
    """Alarms as they stand, and a day's figures of metrics such as `AWS/SageMaker:Invocations`.

    An alarm is an `aws.cloudwatch_metrics.alarm`: passed while it is OK and its actions are on,
    failed when it sounds, is silenced or, with `must_tell`, has no action; an error when it cannot
    judge. `alarms` are globs; a name without `*`, `?` or `[` must be there. Each closed day (UTC)
    of each of `metrics`, for each thing that it is measured of, is an
    `aws.cloudwatch_metrics.day`; a day without data says so. `lookback` is how far the first pull
    reaches; a metric that is measured nowhere is a gap.
    """

    alarms: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    must_tell: bool = True
    lookback: timedelta = timedelta(days=14)
    window: Window | None = None

    kinds: ClassVar[tuple[str, ...]] = (ALARM, DAY)
    states: ClassVar[tuple[str, ...]] = (ALARM,)

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        if isinstance(self.alarms, str) or isinstance(self.metrics, str):
            yield "alarms and metrics must be lists of texts"
            return
        if not self.alarms and not self.metrics:
            yield "give alarms (globs over names), metrics, or both"
        for text in self.metrics:
            try:
                Metric.of(text)
            except ValueError as error:
                yield str(error)
        if not timedelta(days=1) <= self.lookback <= timedelta(days=366):
            yield "lookback must lie between a day and a year"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """One batch: alarms that differ, and days that closed since; see Collector.collect."""
        marks, asking = read_marks(cursor), self._asking()
        days: list[EvidenceItem] = []
        reached: dict[str, int] = {}
        names: list[str] = []

        def standing(place: Place) -> Iterator[EvidenceItem]:
            for item in alarms(place, self._wants, must_tell=self.must_tell):
                names.append(str(item.payload["name"]))
                yield item

        def closed(place: Place) -> Iterator[EvidenceItem]:
            """Days are no states, so they go round the comparison."""
            for metric in map(Metric.of, self.metrics):
                mark = place.subject(str(metric))
                last = marks.reached.get(mark, 0)
                due = [day for day in self._due(asking) if day.toordinal() > last]
                sets = measured(place, metric)
                for of in sets:
                    days.extend(day_items(place, metric, due, of))
                if sets:
                    found.add(str(metric))
                    reached.update({mark: due[-1].toordinal()} if due else {})
            yield from ()

        found: set[str] = set()
        settings: dict[str, Reader] = {} if self.window else {ALARM: standing}
        readers = everywhere(self.regions, {**settings, DAY: closed})
        items, withheld = read(self, asking, readers)
        self._unseen(asking, names, found)
        changed, after = compared(
            marks.states, items, lambda kind, subject: hides(withheld, asking, kind, subject),
            at=asking.at, source=self.source,
        )  # fmt: skip
        asking.received += len(days)
        whole = not self.window and ALARM not in {kind for kind, _ in withheld}
        facts = asking.facts(self._query(), self.states if whole else ())
        yield Batch((*changed, *days), marks.then(after, reached).cursor(), facts)

    def probe(self) -> str:
        """Asks who the credentials belong to."""
        asking = self._asking()
        return f"{asking.identity} in account {asking.account}, {len(self.regions)} regions"

    def _due(self, asking: Asking) -> list[date]:
        return closed_days(asking.now - _SETTLE, self.lookback, self.window)

    def _unseen(self, asking: Asking, names: list[str], metrics: set[str]) -> None:
        """What is named and not there must show in every pull, or nobody would miss it."""
        for name in () if self.window else self.alarms:
            if not _GLOB & set(name) and name not in names:
                asking.gap(f"alarm {name}", "it is in none of the regions, or not shown")
        for text in self.metrics:
            if text not in metrics:
                asking.gap(f"metric {text}", "no region listed it in the last two weeks")

    def _wants(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.alarms)

    def _query(self) -> str:
        what = [f"alarms {', '.join(self.alarms)}"] if self.alarms else []
        what += [f"days of {', '.join(self.metrics)}"] if self.metrics else []
        return f"{' and '.join(what)} in {', '.join(self.regions)}"
