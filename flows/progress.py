"""How far a pull is, told while it is under way: as a bar on a terminal, as lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from collectors.base import Step
from evidence.runs import Pull, PullFacts, PullOutcome
from evidence.times import stamp
from flows.terminal import printable

Watch = Callable[["Progress"], None]
WORTH_TELLING = 1.0
"""Shorter waits, in seconds, are told nobody."""
SILENT = 10.0
"""So many seconds pass between two lines of one source that say nothing but how far it is."""


def unwatched(_: Progress) -> None:
    """Nobody watches."""


@dataclass(slots=True)
class Progress:
    """One source's pull: what it answered so far, what of it is new, what it waits for.

    `answers` count as they come; `received`, `promised` and `new` with each batch. `watch` is told
    of every change; `hide` takes out of a text what must not show. `ended` is empty while it is
    under way.
    """

    source: str
    clock: Callable[[], datetime]
    watch: Watch = unwatched
    hide: Callable[[str], str] = str
    answers: int = 0
    received: int = 0
    promised: int | None = None
    new: int = 0
    waits_for: str = ""
    waits_until: datetime | None = None
    ended: str = ""
    whole: bool = False

    def begins(self) -> None:
        """It is its turn now."""
        self.waits_for = ""
        self.watch(self)

    def queues(self, host: str) -> None:
        """It is not its turn yet: others ask this host, or (empty) as many as may do."""
        self.waits_for = f"its turn at {host}" if host else "its turn"
        self.waits_until = None
        self.watch(self)

    def hears(self, step: Step) -> None:
        """An answer came, or a wait begins."""
        self.waits_for, self.waits_until = "", None
        if not step.wait:
            self.answers += 1
        elif step.wait.total_seconds() >= WORTH_TELLING:
            self.waits_for = printable(self.hide(step.what))
            self.waits_until = self.clock() + step.wait
        self.watch(self)

    def brought(self, facts: PullFacts, new: int) -> None:
        """A batch came; `facts` are those of the whole pull so far, `new` of the landed ones."""
        self.answers = max(self.answers, facts.pages)
        self.received, self.promised, self.new = facts.received, facts.promised, new
        self.waits_for, self.waits_until = "", None
        self.watch(self)

    def ends(self, pull: Pull, new: int) -> None:
        """It ended, and its record has landed."""
        self.received, self.new, self.ended = pull.facts.received, new, pull.outcome.value
        self.whole = pull.outcome is PullOutcome.COMPLETE
        self.answers = max(self.answers, pull.facts.pages)
        if pull.error:
            self.ended += printable(f": {pull.error}")
        self.waits_for, self.waits_until = "", None
        self.watch(self)

    @property
    def counts(self) -> str:
        """What came so far."""
        of = "" if self.promised is None else f" of {self.promised:,}"
        return f"{self.answers:,} pages, {self.received:,}{of} received, {self.new:,} new"

    @property
    def sentence(self) -> str:
        """Where it stands, without its name."""
        begun = self.answers or self.received or self.ended
        return "; ".join(filter(None, (self.news, self.counts if begun else "")))

    @property
    def news(self) -> str:
        """What it does now; empty while it only reads on."""
        if self.ended:
            return self.ended
        if self.waits_until:
            return f"waits until {stamp(self.waits_until)[:19]}Z: {self.waits_for}"
        if self.waits_for:
            return f"waits for {self.waits_for}"
        return "" if self.answers or self.received else "begins"


@dataclass(slots=True)
class Lines:
    """Says in lines what happens: each wait and each end, and now and then how far it is."""

    say: Callable[[str], None]
    timer: Callable[[], float] = time.monotonic
    _said: dict[str, tuple[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, progress: Progress) -> None:
        """Say it, unless nothing but the counts changed a moment ago."""
        about = progress.news
        with self._lock:
            before, at = self._said.get(progress.source, ("", float("-inf")))
            now = self.timer()
            if (about and about != before) or now - at >= SILENT:
                self._said[progress.source] = about, now
                self.say(f"{progress.source}: {progress.sentence}")
