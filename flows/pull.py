"""One attempt at one source, from bookmark to landed pull record; Prefect is not needed for it."""

from __future__ import annotations

import dataclasses
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from collectors.base import Collector, Sweeper, Window, within
from evidence.canonical import plain
from evidence.errors import (
    ConfigError,
    InvalidItem,
    SourceBroken,
    SourceBusy,
    SourceError,
    SourceRefused,
)
from evidence.model import Batch, Cursor
from evidence.runs import Pull, PullFacts, PullOutcome
from evidence.secret import Secret
from flows.config import Source
from flows.hush import hushed, told
from flows.in_time import Patience
from flows.progress import Progress, Watch, unwatched
from storage.code import code_version
from storage.lake import Bookmark, Lake

SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt: the record that landed, how many rows were new, and the error."""

    pull: Pull
    new: int
    known: int
    error: SourceError | None = None


def attempt(
    lake: Lake,
    source: Source,
    clock: Callable[[], datetime],
    window: Window | None = None,
    watch: Watch = unwatched,
) -> Attempt:
    """Pull one source and land what came, batch by batch, with the record of the pull.

    With `window` it is a backfill: the events of that part of the past, under a cursor of its own,
    so that it can go on where it was cut; it refreshes nothing and leaves the source's cursor where
    it stands. An error of the source is returned, not raised, after its record has landed: the
    record is evidence too. A source that takes longer than its time limit is left behind. `watch`
    is told how far it is, from several threads. Raises LakeConflict when another run landed for
    this source meanwhile, LakeError when the lake cannot be written.
    """
    collector: Collector | _Unbuilt
    try:
        collector = source.asking(clock)
        if window is not None:
            collector = within(collector, window)
    except ConfigError as error:
        collector = _Unbuilt(error)
    progress = Progress(source.name, clock, watch, lake.redactor.text)
    return _Run(lake, source, clock, collector, progress, window).run()


@dataclass(frozen=True, slots=True)
class _Unbuilt:
    """Stands for a collector whose settings were refused, so that this too lands as a pull."""

    refused: ConfigError

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:  # noqa: ARG002
        raise SourceRefused(str(self.refused)) from self.refused


@dataclass(slots=True)
class _Run:
    lake: Lake
    source: Source
    clock: Callable[[], datetime]
    collector: Collector | _Unbuilt
    progress: Progress
    window: Window | None = None
    pull_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    facts: PullFacts = field(default_factory=PullFacts)
    items: int = 0
    new: int = 0
    known: int = 0
    hidden: Counter[str] = field(default_factory=Counter)
    pending: Batch | None = None
    reached: Cursor | None = None
    bookmark: Bookmark = field(init=False)
    patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        self.patience = Patience(self.source.time_limit)

    def run(self) -> Attempt:
        started = self.clock()
        self.progress.begins()
        line = f"backfill:{self.window}" if self.window else ""
        before = self.bookmark = self.lake.bookmark(self.source.name, line)
        error: SourceError | None = None
        try:
            for batch in self._asked(partial(self.collector.collect, before.cursor)):
                self._keep(batch)
                self.reached = batch.cursor
            self._sweep()
        except SourceError as raised:
            error = raised
        except Exception as raised:  # noqa: BLE001  a collector may be a stranger's: its slip is a fact too
            error = _slip(raised)
        pull = self._record(started, before.cursor, error)
        self._land(self.pending, pull)
        redactor = self.lake.redactor
        shown = told(redactor, pull, self.hidden)
        self.progress.ends(shown, self.new)
        return Attempt(shown, self.new, self.known, hushed(redactor, error))

    def _asked(self, ask: Callable[[], Iterator[Batch]]) -> Iterator[Batch]:
        return self.patience.wait_for(ask, self.progress.hears)

    def _sweep(self) -> None:
        """Let a collector that can compare everything anew do so, under a cursor of its own."""
        if self.window or self.reached is None or not isinstance(self.collector, Sweeper):
            return
        swept = self.lake.bookmark(self.source.name, SWEEP).cursor
        for batch in self._asked(partial(self.collector.sweep, swept, self.reached)):
            if self.bookmark.line != SWEEP:
                self._land(self.pending, None)
                self.pending = None
                self.bookmark = self.lake.bookmark(self.source.name, SWEEP)
            self._keep(batch)

    def _keep(self, batch: Batch) -> None:
        """Hold the newest batch back, so that the last one lands with the pull's record."""
        if self.window is not None:
            batch = _of(self.window, batch)
        if self.pending is not None:
            self._land(self.pending, None)
        self.pending = batch
        self.facts = self.facts + batch.facts
        self.items += len(batch.items)
        self.progress.brought(self.facts, self.new)

    def _land(self, batch: Batch | None, pull: Pull | None) -> None:
        landed = self.lake.land(
            self.source.name,
            batch.items if batch else (),
            bookmark=self.bookmark,
            cursor=batch.cursor if batch else self.bookmark.cursor,
            pull_id=self.pull_id,
            pull=pull,
        )
        self.new += landed.new
        self.known += landed.known
        self.hidden.update(landed.hidden)
        self.bookmark = landed.bookmark

    def _record(self, started: datetime, before: Cursor | None, error: SourceError | None) -> Pull:
        after = self.reached or before
        return Pull(
            pull_id=self.pull_id,
            source=self.source.name,
            collector=self.source.uses,
            started_at=started,
            finished_at=self.clock(),
            outcome=outcome(self.facts, error, whole=self.pending is not None),
            facts=self.facts,
            items=self.items,
            settings=settings(self.collector),
            error=_sentence(error),
            code_version=code_version(),
            cursor_before=_short(before),
            cursor_after=_short(after),
            backfill=self.window is not None,
            hidden=dict(self.hidden),
        )


def _of(window: Window, batch: Batch) -> Batch:
    """What of a batch belongs to the window: a source may give more than it was asked for."""
    facts = dataclasses.replace(
        batch.facts, window_from=window.since, window_to=window.until, states=()
    )
    return Batch(tuple(item for item in batch.items if window.holds(item)), batch.cursor, facts)


def outcome(facts: PullFacts, error: SourceError | None, *, whole: bool) -> PullOutcome:
    """Complete only when the collector ended by itself with nothing left out."""
    if isinstance(error, SourceBusy):
        return PullOutcome.BUSY
    if isinstance(error, SourceRefused):
        return PullOutcome.REFUSED
    if error is not None or not whole:
        return PullOutcome.BROKEN
    return PullOutcome.PARTIAL if facts.gaps or facts.shortfall() else PullOutcome.COMPLETE


def _slip(raised: Exception) -> SourceBroken:
    kind = "not evidence" if isinstance(raised, InvalidItem) else type(raised).__name__
    error = SourceBroken(f"the collector stopped: {kind}: {raised}")
    error.__cause__ = raised
    return error


def _sentence(error: SourceError | None) -> str:
    if error is None:
        return ""
    return f"{error} ({error.what})" if error.what else str(error)


def settings(collector: Any) -> dict[str, Any]:
    """The collector's settings as JSON-like values, without secrets and without the clock."""
    given = {f.name: getattr(collector, f.name) for f in dataclasses.fields(collector)}
    return {
        name: "(secret)" if isinstance(value, Secret) else _plain(value)
        for name, value in given.items()
        if name not in {"clock", "source", "window"}
    }


def _plain(value: object) -> object:
    try:
        return plain(value)
    except InvalidItem:
        return str(value)


def _short(cursor: Cursor | None) -> str:
    """Enough of a cursor to recognise it; the whole lies in the commit."""
    return "" if cursor is None else cursor.value[:200]
