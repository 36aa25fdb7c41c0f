"""CloudWatch Logs: how long log groups keep their events, and how many came on each day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import ClassVar

from collectors._aws.asking import Absent, Asking
from collectors._aws.day_marks import Marks, read_marks
from collectors._aws.logs_days import KIND as DAY
from collectors._aws.logs_days import Reader
from collectors._aws.logs_groups import KIND as GROUP
from collectors._aws.logs_groups import Group, groups
from collectors._aws.source import AwsSource, Place, everywhere, hides, read
from collectors._states import compared
from collectors.base import Window
from evidence.errors import SourceRefused
from evidence.model import Batch, Cursor, EvidenceItem

_GLOB = frozenset("*?[")


@dataclass(frozen=True)
class CloudWatchLogs(AwsSource):
    """Log groups and their events, counted by day; what the events say stays where it is.

    A group is the state `aws.cloudwatch_logs.group`: with `retention_at_least` (days) it has passed
    when it keeps its events that long, failed when not; with 0 it is only recorded. Each closed day
    (UTC) is an `aws.cloudwatch_logs.day`: events by hour, streams, bytes, how many were late, and a
    digest of all. CloudWatch takes events up to 14 days late: days within `lookback` are read again
    `reread_every`, and one of which events are gone or altered has failed.

    `groups` are globs; one without `*`, `?` or `[` must be there. Days before a group was made, or
    that its retention has removed, are not read. More than two million events of a day are a gap.
    """

    groups: tuple[str, ...] = ()
    retention_at_least: int = 0
    lookback: timedelta = timedelta(days=14)
    reread_every: timedelta = timedelta(days=1)
    window: Window | None = None

    kinds: ClassVar[tuple[str, ...]] = (GROUP, DAY)
    states: ClassVar[tuple[str, ...]] = (GROUP,)

    def _mistakes(self) -> Iterator[str]:
        yield from super()._mistakes()
        if isinstance(self.groups, str) or not self.groups:
            yield "groups must be a list with at least one glob over log group names"
        if self.retention_at_least < 0:
            yield "retention_at_least must not be negative; 0 judges nothing"
        if not timedelta(days=1) <= self.lookback <= timedelta(days=366):
            yield "lookback must lie between a day and a year"
        if self.reread_every < timedelta(0):
            yield "reread_every must not be negative"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """First the groups, then a batch for each with the days that differ from what was known."""
        marks, asking = read_marks(cursor), self._asking()
        found: list[tuple[Place, Group]] = []
        readers = {GROUP: lambda place: self._groups(place, found)}
        items, withheld = read(self, asking, everywhere(self.regions, readers))
        self._unseen(asking, [group.name for _, group in found])
        changed: tuple[EvidenceItem, ...] = ()
        now = asking.now
        if self.window is None:
            changed, marks.states = compared(
                marks.states, items, lambda kind, subject: hides(withheld, asking, kind, subject),
                at=asking.at, source=self.source,
            )  # fmt: skip
            marks.forget(now - self.lookback - timedelta(days=2))
        states = () if withheld or self.window else self.states
        yield Batch(changed, marks.cursor(), asking.facts(self._query(), states))
        for place, group in found:
            days = self._days(place, group, marks, now)
            if days or asking.gaps:
                yield Batch(tuple(days), marks.cursor(), asking.facts(self._query()))

    def probe(self) -> str:
        """Asks who the credentials belong to, and for the log groups of the first region."""
        asking = self._asking()
        wanted = list(groups(Place(self, asking, self.regions[0]), self._wants))
        return f"{asking.identity}: {len(wanted)} log groups in {self.regions[0]}"

    def _groups(self, place: Place, found: list[tuple[Place, Group]]) -> Iterator[EvidenceItem]:
        for group in groups(place, self._wants):
            found.append((place, group))
            yield group.item(place, self.retention_at_least)

    def _days(self, place: Place, group: Group, marks: Marks, now: datetime) -> list[EvidenceItem]:
        reader = Reader(place, group, marks.of(place.subject(group.name)), now)
        items: list[EvidenceItem] = []
        try:
            for day in reader.due(self.lookback, self.reread_every, self.window):
                items += reader.day(day)
        except SourceRefused as error:
            place.asking.gap(place.subject(group.name), str(error))
        except Absent:
            place.asking.gap(place.subject(group.name), "the group was deleted while it was read")
        place.asking.received = reader.received
        return items

    def _unseen(self, asking: Asking, found: list[str]) -> None:
        """A name that leads nowhere must show in every pull, or nobody would miss its logs."""
        for name in self.groups:
            if not _GLOB & set(name) and name not in found:
                asking.gap(f"log group {name}", "it is in none of the regions, or not shown")

    def _wants(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.groups)

    def _query(self) -> str:
        return f"FilterLogEvents by day of {', '.join(self.groups)} in {', '.join(self.regions)}"
