"""What a collector is: a frozen dataclass of settings with two methods, and what all share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar, runtime_checkable

from evidence.model import Batch, Cursor, EvidenceItem, Nature
from evidence.times import stamp

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, in UTC: only to stamp provenance, never to derive a window."""
    return datetime.now(UTC)


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """A source answered `what`; or, with a `wait`, it is not asked before that is over."""

    what: str
    wait: timedelta = timedelta(0)


Listener = Callable[[Step], None]
listener: ContextVar[Listener] = ContextVar("listener", default=lambda _step: None)
"""Who is told of each step of the pull under way; what it raises ends the pull."""


def tell(what: str, wait: float = 0.0) -> None:
    """Tell the listener of an answer, or of a wait in seconds."""
    listener.get()(Step(what, timedelta(seconds=wait)))


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the past, from `since` up to but not including `until`; both with zones.

    A collector that can ask its source for less than everything has a field
    `window: Window | None = None`. With one, it yields the events whose own time lies in it, no
    states, looks for no losses, and its cursor is one of this window alone.
    """

    since: datetime
    until: datetime

    def holds(self, item: EvidenceItem) -> bool:
        """Whether an item is an event that ended within the window: a state has no past."""
        return item.nature is Nature.EVENT and self.since <= item.observed_to < self.until

    def __str__(self) -> str:
        return f"{stamp(self.since)}/{stamp(self.until)}"


def within(collector: T, window: Window) -> T:
    """The collector, told to ask for the window only where it can be told."""
    names = {field.name for field in dataclasses.fields(collector)}  # type: ignore[arg-type]
    if "window" not in names:
        return collector
    return dataclasses.replace(collector, window=window)  # type: ignore[type-var]


@runtime_checkable
class Collector(Protocol):
    """One source. Fields are settings; `source` is its name in headwater.toml.

    `kinds` lists the evidence kinds it may yield, and `states` those of which every complete
    collect reads the whole, so that an unchanged one counts as seen. Both belong to the class,
    unless the settings decide.
    """

    @property
    def kinds(self) -> tuple[str, ...]:
        """The evidence kinds it may yield."""

    @property
    def states(self) -> tuple[str, ...]:
        """Those of which every complete collect reads the whole."""

    @property
    def source(self) -> str:
        """The name given to this source in the configuration."""

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """What is newer than or equal to the cursor, oldest first; each batch with its cursor.

        At least one batch comes, even when there is nothing new: it carries the facts of the
        pull. Never writes, never tags, never retries the whole. Raises SourceBusy (try again),
        SourceRefused (a person must act) or SourceBroken (the answer changed shape).
        """

    def probe(self) -> str:
        """One cheap call that shows the source answers and the key is good; says as whom.

        Raises the same errors as `collect`.
        """


@runtime_checkable
class Sweeper(Protocol):
    """A collector whose source can be edited long after: now and then it reads all of it."""

    def sweep(self, cursor: Cursor | None, collected: Cursor) -> Iterator[Batch]:
        """Whatever differs from what landed, however old; no batch at all while none is due.

        It is part of a pull, after `collect` has ended with the cursor `collected`, and has a
        cursor of its own, written only when it moves: so it may be larger. Raises as `collect`.
        """


def system_of(systems: Mapping[str, str], *names: str) -> str:
    """The AI system that a native name belongs to: first matching glob wins, empty if none.

    `systems` maps a glob over native names (`credit-*`) to a system id from the inventory.
    """
    for pattern, system in systems.items():
        if any(fnmatchcase(name, pattern) for name in names if name):
            return system
    return ""
