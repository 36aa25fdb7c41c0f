"""Pulling a code host: every change that was merged, and what is enforced on the branches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain

from collectors._marks import Marks
from collectors._review.host import Host, absent
from collectors._review.protection import PROTECTION
from collectors._review.pull import Making, Repository
from collectors._review.push import Push
from collectors._review.read import readings
from collectors._review.walk import Seen, changed
from collectors._states import compared
from collectors.base import Clock, Window
from collectors.http import Http, Reply
from evidence.errors import SourceError, SourceRefused
from evidence.model import Batch, EvidenceItem
from evidence.runs import Gap, PullFacts, Total

_BATCH = 20
_PUSHES = "/pushes"


@dataclass(frozen=True, slots=True)
class Part:
    """One repository: changes at or after `floor` are read, merges from `since` to the pull's
    `until` are counted; `counted` is how many of those the host says there are, or why not;
    `pushes` is what came past review, yet to be read, or why it is not told."""

    of: Repository
    floor: datetime | None
    since: datetime | None
    counted: int | str
    pushes: Iterator[Push | None] | str


@dataclass(frozen=True, slots=True)
class Survey:
    """What is settled before the first page. `until` is the newest merge that is looked at."""

    identity: str
    collected_at: datetime
    until: datetime
    parts: tuple[Part, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A batch, and how far it has come."""

    batch: Batch
    marks: Marks


@dataclass(frozen=True)
class Pulling:
    """One pull of the repositories `names`. `start` is the earliest merge that counts (None: any),
    `lookback` how long before the newest change that was read is read again."""

    host: Host
    http: Http
    source: str
    names: Sequence[str]
    systems: Mapping[str, str]
    start: datetime | None
    lookback: timedelta
    window: Window | None
    clock: Clock = field(repr=False)

    def batches(self, before: Marks) -> Iterator[Batch]:
        """What came past review and was merged, 20 merges a batch, then the states."""
        survey, marks = self._survey(before), before
        facts = PullFacts(
            query=self._query(survey), api_version=self.host.api, identity=survey.identity,
            gaps=survey.gaps, window_from=_earliest(survey), window_to=survey.until,
        )  # fmt: skip
        for part in survey.parts:
            for step in self._part(survey, part, marks):
                yield replace(step.batch, facts=facts + step.batch.facts + self.http.taken())
                facts, marks = PullFacts(), step.marks
        last = self._states(survey, marks)
        yield replace(last, facts=facts + last.facts + self.http.taken())

    def visible(self) -> tuple[str, list[str], list[Gap]]:
        """Who asks, and what of the repositories is there. Raises SourceRefused for none."""
        identity, _ = self.host.identity()
        found, gaps = self._repositories(identity)
        return identity, [one.name for one in found], gaps

    def _survey(self, before: Marks) -> Survey:
        collected_at = self.clock()
        identity, reply = self.host.identity()
        found, gaps = self._repositories(identity)
        until = self._until(reply, collected_at)
        parts = []
        for one in found:
            floor = self._floor(before, one.id)
            since = max((at for at in (floor, self.start) if at), default=None)
            counted = self.host.count(one, since, until)
            pushes = self._pushes(one, self._floor(before, f"{one.id}{_PUSHES}"))
            parts.append(Part(one, floor, since, counted, pushes))
        return Survey(identity, collected_at, until, tuple(parts), tuple(gaps))

    def _pushes(self, of: Repository, floor: datetime | None) -> Iterator[Push | None] | str:
        """Asks for the beginning only, which shows whether the key may read it at all."""
        found = self.host.pushes(of, floor)
        try:
            return chain([next(found, None)], found)
        except SourceError as error:
            if not absent(error):
                raise
            return f"not told: HTTP {error.status}"

    def _until(self, reply: Reply | None, collected_at: datetime) -> datetime:
        """The source's own clock says when the pull began; what came later is the next one's."""
        now = (reply and reply.date) or collected_at
        if self.window is None:
            return now
        return min(now, self.window.until - timedelta(seconds=1))

    def _floor(self, before: Marks, mark_of: str) -> datetime | None:
        """The earliest change that is read: a change is never earlier than the merge in it."""
        if self.window is not None:
            return self.window.since
        mark = before.read.get(mark_of)
        return self.start if mark is None else mark - self.lookback

    def _repositories(self, identity: str) -> tuple[list[Repository], list[Gap]]:
        found: dict[str, Repository] = {}
        gaps = []
        for name in dict.fromkeys(self.names):
            try:
                one = self.host.repository(name)
                found[one.id] = one
            except SourceRefused as error:
                if not absent(error):
                    raise
                gaps.append(Gap(f"repository {name}", f"not visible to {identity}: {error}"))
        if not found:
            names = ", ".join(dict.fromkeys(self.names))
            raise SourceRefused(f"{identity} sees none of {names}: grant it read access")
        return list(found.values()), gaps

    def _query(self, survey: Survey) -> str:
        asked = (
            f"{part.of.name} changed since {part.floor or 'the beginning'}"
            f" (the host counts {part.counted}; pushes past review are {_told(part)})"
            for part in survey.parts
        )
        scope = f"merged from {self.start or 'the beginning'} to {survey.until}"
        return f"changes {scope}, last changed first, each with its reviews: {'; '.join(asked)}"

    def _part(self, survey: Survey, part: Part, marks: Marks) -> Iterator[Step]:
        """One repository. A watermark never passes what could not be read, nor the pull's start."""
        of = part.of
        every = changed(lambda: self.host.newest_first(of), self.host.seen, part.floor)
        wanted = [one for one in every if self._wanted(one)]
        facts = self._counted(survey, part, every)
        short = bool(facts.shortfall())
        held: datetime | None = None
        for n in range(0, len(wanted), _BATCH):
            chunk = wanted[n : n + _BATCH]
            read = readings(self.host, self._making(survey, of), chunk)
            held = min((at for at in (held, read.held) if at), default=None)
            if not short:
                marks = marks.moved(of.id, _reached(chunk, survey.until, held))
            facts += PullFacts(received=len(read.items), gaps=read.gaps)
            yield Step(Batch(read.items, marks.cursor(), facts), marks)
            facts = PullFacts()
        if not short:
            marks = marks.moved(of.id, _reached(every, survey.until, held))
        items: tuple[EvidenceItem, ...] = ()
        if not isinstance(part.pushes, str):
            found = sorted((one for one in part.pushes if one), key=lambda one: one.at)
            made = self._making(survey, of)
            items = tuple(one.item(made) for one in found if self._within(one.at))
            marks = marks.moved(f"{of.id}{_PUSHES}", survey.until)
        facts += PullFacts(received=len(items))
        yield Step(Batch(items, marks.cursor(), facts), marks)

    def _wanted(self, one: Seen) -> bool:
        return one.merged is not None and self._within(one.merged)

    def _within(self, at: datetime) -> bool:
        if self.start and at < self.start:
            return False
        return self.window is None or self.window.since <= at < self.window.until

    def _counted(self, survey: Survey, part: Part, every: Sequence[Seen]) -> PullFacts:
        """The list against what the host counts by itself: a filter that nobody told of shows."""
        if isinstance(part.counted, str):
            return PullFacts()
        merges = (one.merged for one in every if one.merged and one.merged <= survey.until)
        came = sum(part.since is None or at >= part.since for at in merges)
        return PullFacts(totals=(Total(f"{part.of.name}: merged", part.counted, came),))

    def _states(self, survey: Survey, marks: Marks) -> Batch:
        if self.window is not None:
            return Batch((), marks.cursor())
        items = [
            self.host.protection(part.of, branch).item(self._making(survey, part.of))
            for part in survey.parts
            for branch in part.of.watched
        ]
        told, states = compared(
            marks.states, items, lambda _, __: bool(survey.gaps), at=survey.collected_at,
            source=self.source,
        )  # fmt: skip
        whole = () if survey.gaps else (PROTECTION,)
        facts = PullFacts(received=len(items), states=whole)
        return Batch(told, replace(marks, states=states).cursor(), facts)

    def _making(self, survey: Survey, of: Repository) -> Making:
        return Making(self.source, self.host.name, of, self.systems, survey.collected_at)


def _told(part: Part) -> str:
    return part.pushes if isinstance(part.pushes, str) else "told"


def _earliest(survey: Survey) -> datetime | None:
    floors = [part.floor for part in survey.parts]
    return None if None in floors else min(floor for floor in floors if floor)


def _reached(seen: Sequence[Seen], until: datetime, held: datetime | None) -> datetime | None:
    if not seen:
        return None
    return min(at for at in (seen[-1].updated, until, held) if at is not None)
