"""The walk through one account and region: day by day the log files, then that day's digests."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from collectors._aws.s3 import Stored
from collectors._trail.judge import Judge
from collectors._trail.logs import LogReader
from collectors._trail.names import day_of
from evidence.model import Batch, Cursor

_LOGS, _DIGESTS = 0, 1
_Day = tuple[str, int, list[Stored]]


@dataclass(slots=True)
class Walk:
    """One scope of one pull, up to the day folder `until` ("": all); `cursor` writes down the
    progress of all scopes."""

    logs: LogReader
    judge: Judge
    cursor: Callable[[], Cursor]
    until: str = ""
    found: bool = False

    def batches(self) -> Iterator[Batch]:
        """At least one batch. Raises SourceBusy, SourceRefused, SourceBroken."""
        self.logs.again()
        self.judge.again()
        for day, rank, objects in self._merged():
            for stored in objects:
                if rank == _LOGS:
                    self.logs.log(stored)
                else:
                    self.judge.digest(stored)
                if self.logs.draft.full:
                    yield self.logs.draft.batch(self.cursor)
            if rank == _DIGESTS:
                self.judge.unnamed()
            self.logs.forget(day)
        self._finish()
        yield self.logs.draft.batch(self.cursor)

    def _merged(self) -> Iterator[_Day]:
        scope, progress = self.logs.report.scope, self.logs.progress
        logs = self._days(scope.logs, self.logs.since, _LOGS)
        since = progress.digest_day(self.logs.start)
        digests = self._days(scope.digests, since, _DIGESTS)
        days = heapq.merge(logs, digests, key=lambda entry: entry[:2])
        return takewhile(lambda entry: not self.until or entry[0] <= self.until, days)

    def _days(self, prefix: str, since: str, rank: int) -> Iterator[_Day]:
        """The objects under `prefix` by day folder; a stray name goes with the day before it."""
        day, held = since, list[Stored]()
        for page in self.logs.bucket.pages(prefix, prefix + since):
            self.logs.draft.pages += 1
            for stored in page:
                if stored.key.endswith("/") and not stored.size:
                    continue  # a folder marker that the console makes
                self.found = True
                own = day_of(stored.key.removeprefix(prefix)) or day
                if own != day and held:
                    yield day, rank, held
                    held = []
                day = own
                held.append(stored)
        if held:
            yield day, rank, held

    def _finish(self) -> None:
        if not self.found and not self.logs.resumed:
            scope = self.logs.report.scope
            for prefix in (scope.logs, scope.digests):
                place = f"s3://{self.logs.bucket.name}/{prefix}"
                why = "nothing lies there: check account, region, prefix, start and the trail"
                self.logs.draft.gap(place, why)
        self.judge.close()
