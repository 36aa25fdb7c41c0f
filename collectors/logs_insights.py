"""CloudWatch Logs Insights: questions of your own, asked of each day's logs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import ClassVar

from collectors._aws.asking import Absent
from collectors._aws.day_marks import Marks, closed_days, read_marks
from collectors._aws.logs_answers import KIND, LIMIT, Question
from collectors._aws.source import AwsSource, Place
from collectors.base import Window
from evidence.errors import SourceRefused
from evidence.model import Batch, Cursor, EvidenceItem

_SETTLE = timedelta(hours=1)
_GROUPS = 50
_LIMITS = re.compile(r"(?:^|\|)\s*(limit|head|tail)\b", re.IGNORECASE)


@dataclass(frozen=True)
class LogsInsights(AwsSource):
    """What queries in the language of Logs Insights come to, one item for each query and day.

    An `aws.cloudwatch_logs.query` holds the first 1,000 rows of the answer in an order of their
    own, a digest of all, and how many records matched: choose fields that may be kept, or count. An
    answer that may not be whole is an error, and its pull partial: one that was cut at 10,000 rows,
    or brought fewer records than it says matched.

    `queries` maps names to queries without `limit`, which is ours to set; `groups` are names of log
    groups, at most 50, in each of the regions. Events may come 14 days late: closed days (UTC)
    within `lookback` are asked again `reread_every`. AWS charges for what a query scans.
    """

    groups: tuple[str, ...] = ()
    queries: Mapping[str, str] = field(default_factory=dict)
    lookback: timedelta = timedelta(days=3)
    reread_every: timedelta = timedelta(days=1)
    window: Window | None = None

    kinds: ClassVar[tuple[str, ...]] = (KIND,)
    states: ClassVar[tuple[str, ...]] = ()

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        if isinstance(self.groups, str) or not 1 <= len(self.groups) <= _GROUPS:
            yield f"groups must be a list with one to {_GROUPS} names of log groups"
        if not self.queries:
            yield "queries must name at least one query"
        for name, text in self.queries.items():
            if found := _LIMITS.search(text):
                yield f"queries: {name} must not say {found[1]}, or nobody would see what it cuts"
        if not timedelta(days=1) <= self.lookback <= timedelta(days=366):
            yield "lookback must lie between a day and a year"
        if self.reread_every < timedelta(0):
            yield "reread_every must not be negative"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """A batch for each query, region and day; see Collector.collect.

        A query that is denied or malformed is a gap. Raises SourceRefused when all are.
        """
        marks, asking = read_marks(cursor), self._asking()
        if self.window is None:
            marks.forget(asking.now - self.lookback - timedelta(days=2))
        refused: list[SourceRefused] = []
        for region in self.regions:
            for name in self.queries:
                try:
                    yield from self._asked(Question(Place(self, asking, region), name, self), marks)
                except SourceRefused as error:
                    asking.gap(f"query {name} in {region}", str(error))
                    refused.append(error)
                except Absent as error:
                    asking.gap(f"query {name} in {region}", f"a log group is not there: {error}")
        if len(refused) == len(self.regions) * len(self.queries):
            raise refused[-1]
        yield Batch((), marks.cursor(), asking.facts(self._query()))

    def probe(self) -> str:
        """Asks who the credentials belong to, and the first query of the last minute."""
        asking = self._asking()
        name = next(iter(self.queries))
        question = Question(Place(self, asking, self.regions[0]), name, self)
        question.answer(asking.now - timedelta(minutes=1), asking.now)
        return f"{asking.identity} may ask {name} in {self.regions[0]}"

    def _asked(self, question: Question, marks: Marks) -> Iterator[Batch]:
        asking = question.place.asking
        known = marks.of(question.place.subject(question.name))
        for day in closed_days(asking.now - _SETTLE, self.lookback, self.window):
            before = known.get(day)
            if before and not before.old(asking.now, self._reread):
                continue
            answer, now = question.day(day)
            asking.received += len(answer.rows)
            items: tuple[EvidenceItem, ...] = ()
            if now is None or before is None or before.digest != now.digest:
                items = (question.item(day, answer, before),)
            if now is not None:
                known[day] = now
            totals = tuple(answer.totals(question.what(day)))
            facts = replace(asking.facts(self._query()), totals=totals)
            yield Batch(items, marks.cursor(), facts)

    @property
    def _reread(self) -> timedelta:
        """A backfill that goes on asks nothing twice."""
        return self.reread_every if self.window is None else timedelta.max

    def _query(self) -> str:
        asked = "; ".join(f"{name}: {text}" for name, text in self.queries.items())
        return f"Logs Insights by day, {LIMIT} rows at most, of {', '.join(self.groups)}: {asked}"
