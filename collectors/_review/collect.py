"""Pulling a code host: every change that was merged, and what is enforced on the branches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from itertools import chain
from typing import TypeVar

from collectors._marks import Marks
from collectors._review.host import Host, absent
from collectors._review.lists import (
    DEPLOYMENTS,
    RELEASES,
    Span,
    deployed,
    deployments,
    merges,
    releases,
)
from collectors._review.protection import PROTECTION
from collectors._review.pull import Making, Repository
from collectors._review.push import Push
from collectors._review.read import Step
from collectors._review.release import Release
from collectors._review.walk import Seen
from collectors._states import compared
from collectors.base import Clock
from collectors.http import Http, Reply
from evidence.errors import SourceError, SourceRefused
from evidence.model import Batch, EvidenceItem
from evidence.runs import Gap, PullFacts, Total

_PUSHES = "/pushes"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """One repository: changes at or after `floor` are read, merges from `since` to the pull's
    `until` are counted; `counted` is how many of those the host says there are, or why not;
    `pushes` is what came past review, yet to be read, `deployed` and `released` what of these is
    read, or why they are not told."""

    of: Repository
    floor: datetime | None
    since: datetime | None
    counted: int | str
    pushes: Iterator[Push | None] | str
    deployed: Sequence[Seen] | str
    released: Sequence[Release] | str


@dataclass(frozen=True, slots=True)
class Survey:
    """What is settled before the first page. `until` is the newest merge that is looked at."""

    identity: str
    collected_at: datetime
    until: datetime
    parts: tuple[Part, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True)
class Pulling:
    """One pull of the repositories `names`, as far as `span` reaches."""

    host: Host
    http: Http
    source: str
    names: Sequence[str]
    systems: Mapping[str, str]
    span: Span
    clock: Clock = field(repr=False)
    documents: tuple[str, ...] = ()

    def batches(self, before: Marks) -> Iterator[Batch]:
        """What was merged, deployed and came past review, then the states."""
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
        parts = tuple(self._asked(before, one, until, collected_at) for one in found)
        gaps += [gap for part in parts for gap in _lost(part, before)]
        return Survey(identity, collected_at, until, parts, tuple(gaps))

    def _asked(
        self, before: Marks, of: Repository, until: datetime, collected_at: datetime
    ) -> Part:
        read = before.read
        floor = self.span.floor(read.get(of.id))
        since = max((at for at in (floor, self.span.start) if at), default=None)
        pushes = self.span.floor(read.get(of.id + _PUSHES))
        made, mark = self._making(of, collected_at), read.get(of.id + DEPLOYMENTS)
        late = self.span.floor(read.get(of.id + RELEASES))
        return Part(
            of, floor, since, self.host.count(of, since, until),
            _unless_hidden(lambda: _begun(self.host.pushes(of, pushes))),
            _unless_hidden(lambda: deployed(self.host, made, self.span, mark)),
            _unless_hidden(lambda: list(self.host.releases(of, late))),
        )  # fmt: skip

    def _until(self, reply: Reply | None, collected_at: datetime) -> datetime:
        """The source's own clock says when the pull began; what came later is the next one's."""
        now = (reply and reply.date) or collected_at
        if self.span.window is None:
            return now
        return min(now, self.span.window.until - timedelta(seconds=1))

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
            f" (the host counts {part.counted}; pushes past review are {_told(part.pushes)};"
            f" deployments are {_told(part.deployed)}; releases are {_told(part.released)})"
            for part in survey.parts
        )
        scope = f"merged from {self.span.start or 'the beginning'} to {survey.until}"
        return f"changes {scope}, last changed first, each with its reviews: {'; '.join(asked)}"

    def _part(self, survey: Survey, part: Part, marks: Marks) -> Iterator[Step]:
        """One repository: its merges, its deployments and releases, what came past review."""
        made = self._making(part.of, survey.collected_at)
        merged = merges(self.host, made, self.span, part.floor)
        counted = self._counted(survey, part, merged.every)
        marks, facts = yield from merged.steps(
            marks, counted, survey.until, short=bool(counted.shortfall())
        )
        if not isinstance(part.deployed, str):
            asked = deployments(self.host, made, self.span, part.deployed, survey.until)
            marks, facts = yield from asked.steps(marks, facts, survey.until)
        if not isinstance(part.released, str):
            published = releases(self.host, made, self.span, part.released)
            marks, facts = yield from published.steps(marks, facts, survey.until)
        items: tuple[EvidenceItem, ...] = ()
        if not isinstance(part.pushes, str):
            found = sorted((one for one in part.pushes if one), key=lambda one: one.at)
            items = tuple(one.item(made) for one in found if self.span.holds(one.at))
            marks = marks.moved(part.of.id + _PUSHES, survey.until)
        facts += PullFacts(received=len(items))
        yield Step(Batch(items, marks.cursor(), facts), marks)

    def _counted(self, survey: Survey, part: Part, every: Sequence[Seen]) -> PullFacts:
        """The list against what the host counts by itself: a filter that nobody told of shows."""
        if isinstance(part.counted, str):
            return PullFacts()
        merges = (one.merged for one in every if one.merged and one.merged <= survey.until)
        came = sum(part.since is None or at >= part.since for at in merges)
        return PullFacts(totals=(Total(f"{part.of.name}: merged", part.counted, came),))

    def _states(self, survey: Survey, marks: Marks) -> Batch:
        if self.span.window is not None:
            return Batch((), marks.cursor())
        items = [
            self.host.protection(part.of, branch).item(self._making(part.of, survey.collected_at))
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

    def _making(self, of: Repository, collected_at: datetime) -> Making:
        documents = any(fnmatchcase(of.name, pattern) for pattern in self.documents)
        return Making(self.source, self.host.name, of, self.systems, collected_at, documents)


def _unless_hidden(ask: Callable[[], T]) -> T | str:
    """What comes of asking, or why it is not told."""
    try:
        return ask()
    except SourceError as error:
        if not absent(error):
            raise
        return f"not told: HTTP {error.status}"


def _begun(found: Iterator[Push | None]) -> Iterator[Push | None]:
    """Asks for the beginning only, which shows whether the key may read it at all."""
    return chain([next(found, None)], found)


def _lost(part: Part, before: Marks) -> Iterator[Gap]:
    """What was told once and is not any more: silence would pass for nothing having happened."""
    lists = (
        ("pushes past review", _PUSHES, part.pushes),
        ("deployments", DEPLOYMENTS, part.deployed),
        ("releases", RELEASES, part.released),
    )
    for what, mark, found in lists:
        if isinstance(found, str) and part.of.id + mark in before.read:
            yield Gap(f"{part.of.name}: {what}", f"{found}, and were told before")


def _told(found: object) -> str:
    return found if isinstance(found, str) else "told"


def _earliest(survey: Survey) -> datetime | None:
    floors = [part.floor for part in survey.parts]
    return None if None in floors else min(floor for floor in floors if floor)
