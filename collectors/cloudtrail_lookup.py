"""AWS CloudTrail's event history, for accounts whose trail in S3 cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

from collectors._aws.asking import Asking, Pace
from collectors._aws.source import AwsSource, Place
from collectors._trail.events import KIND as EVENT_KIND
from collectors._trail.findings import KIND as DIGEST_KIND
from collectors._trail.lookups import Reader, read_marks, write_marks
from collectors.base import Window
from evidence.errors import SourceRefused
from evidence.model import Batch, Cursor

_UNPROVED = "no digest chain proves that they are all there and as they were written"


@dataclass(frozen=True)
class CloudTrailLookup(AwsSource):
    """Management events as CloudTrail's LookupEvents shows them: 90 days back, region by region.

    It is the fallback of `collectors.cloudtrail:CloudTrail`, and yields the same items
    `aws.cloudtrail`. Nothing proves that events are missing or altered: each region says so once,
    as an `aws.cloudtrail.digest` that errs, and so does a time that was never read because the 90
    days were over. CloudTrail shows events up to 15 minutes late: the `lookback` before the last
    pull is read again. `per_second` calls are made at most in a region, where AWS allows two.
    """

    lookback: timedelta = timedelta(hours=1)
    per_second: float = 2.0
    window: Window | None = None

    kinds: ClassVar[tuple[str, ...]] = (EVENT_KIND, DIGEST_KIND)
    states: ClassVar[tuple[str, ...]] = ()

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        if not timedelta(minutes=15) <= self.lookback <= timedelta(days=90):
            yield "lookback must lie between 15 minutes, by which events are late, and 90 days"
        if not 0 < self.per_second <= 1000:
            yield "per_second must be more than 0"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Region by region, oldest slice first; see Collector.collect.

        A region that is denied is a gap, and is asked for again from where it was. Raises
        SourceRefused when all are.
        """
        marks, asking = read_marks(cursor), self._paced()
        refused: SourceRefused | None = None
        denied = 0
        for region in self.regions:
            reader = Reader(Place(self, asking, region), marks, self.lookback, self.window)
            try:
                for step in reader.steps():
                    facts = replace(asking.facts(self._query(asking)), window_from=step.since)
                    facts = replace(facts, window_to=step.until)
                    yield Batch(step.items, write_marks(marks), facts)
            except SourceRefused as error:
                asking.gap(f"events in {region}", str(error))
                refused, denied = error, denied + 1
        if refused and denied == len(self.regions):
            raise refused
        yield Batch((), write_marks(marks), asking.facts(self._query(asking)))

    def probe(self) -> str:
        """Asks who the credentials belong to, and for the first page of the first region."""
        asking = self._paced()
        asking.one("cloudtrail", self.regions[0], "lookup_events", "Events", MaxResults=1)
        return f"{asking.identity} looks events up in {', '.join(self.regions)}: {_UNPROVED}"

    def _paced(self) -> Asking:
        asking = self._asking()
        asking.pace = Pace(1 / self.per_second)
        return asking

    def _query(self, asking: Asking) -> str:
        where = f"account {asking.account} in {', '.join(self.regions)}"
        return f"LookupEvents: management events of {where}; {_UNPROVED}"
