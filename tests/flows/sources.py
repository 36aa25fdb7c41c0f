"""Small sources with known behaviour, for the flows: they count how often they were asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from collectors.base import Clock, Window, utc_now
from evidence.errors import SourceBroken, SourceBusy, SourceRefused
from evidence.model import Batch, Cursor, EvidenceItem
from evidence.runs import Gap, PullFacts

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers 0 to `upto`, `size` a batch; `trouble` says how the pull ends."""

    kinds: ClassVar[tuple[str, ...]] = ("test.number",)
    states: ClassVar[tuple[str, ...]] = ()

    source: str
    upto: int = 10
    size: int = 4
    trouble: str = ""
    asked: str = ""
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    def probe(self) -> str:
        """Says that it is there."""
        return "numbers"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Resumes after the number in the cursor; the last number is read again."""
        if self.asked:
            with Path(self.asked).open("a") as file:
                file.write("x")
        start = int(cursor.value) if cursor else 0
        for low in range(start, self.upto, self.size):
            high = min(low + self.size, self.upto)
            items = tuple(self._item(number) for number in range(low, high))
            facts = PullFacts(1, len(items), len(items) + (self.trouble == "short"), "numbers")
            yield Batch(items, Cursor(str(high)), facts)
        if start >= self.upto:
            yield Batch((), Cursor(str(start)), PullFacts(1, 0, 0, "numbers"))
        self._end()

    def _end(self) -> None:
        if self.trouble == "busy":
            raise SourceBusy("come back later")
        if self.trouble == "refused":
            raise SourceRefused("wrong key")
        if self.trouble == "broken":
            raise SourceBroken("unknown shape")
        if self.trouble == "bug":
            raise KeyError("id")

    def _item(self, number: int) -> EvidenceItem:
        at = EPOCH + timedelta(days=number)
        return EvidenceItem(
            source=self.source, kind="test.number", subject=str(number), observed_from=at,
            observed_to=at, collected_at=self.clock(), payload={"n": number, "text": "x" * 50},
            title=f"Number {number}",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Windowed(Numbers):
    """The same numbers; it asks for a window's only, and ends busy after `stop` of its batches."""

    window: Window | None = None
    stop: str = ""

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Within a window from its first number on; one number a batch."""
        if self.window is None:
            yield from Numbers.collect(self, cursor)
            return
        first = int(cursor.value) if cursor else (self.window.since - EPOCH).days
        for number in range(first, (self.window.until - EPOCH).days):
            if self.stop and Path(self.stop).exists() and number > first + 1:
                raise SourceBusy("come back later")
            facts = PullFacts(1, 1, 1, f"numbers of {self.window}")
            yield Batch((self._item(number),), Cursor(str(number + 1)), facts)
        yield Batch((), Cursor(str((self.window.until - EPOCH).days)), PullFacts(1, 0, 0, "end"))


@dataclass(frozen=True, slots=True)
class Meeting(Numbers):
    """The same numbers, when `others` are in the `folder` together; alone, it lets nobody else in.

    Whoever waits in vain, or meets somebody where nobody may be, is broken.
    """

    url: str = ""
    folder: str = ""
    others: int = 0

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Comes, meets or is alone, collects, goes."""
        here = Path(self.folder) / self.source
        here.touch()
        ends = time.monotonic() + 60
        while self.others and len(list(Path(self.folder).iterdir())) < self.others:
            if time.monotonic() > ends:
                raise SourceBroken("nobody came")
            time.sleep(0.01)
        yield from Numbers.collect(self, cursor)
        if not self.others:
            if len(list(Path(self.folder).iterdir())) > 1:
                raise SourceBroken("not alone")
            here.unlink()


@dataclass(frozen=True, slots=True)
class Hung(Numbers):
    """The same numbers, a batch of them; then it hangs as long as the file `asked` is there."""

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """The rest comes when it hangs no more."""
        for batch in Numbers.collect(Numbers(self.source, self.upto, self.size), cursor):
            yield batch
            while Path(self.asked).exists():
                time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Swept(Numbers):
    """The same numbers; a sweep brings negative ones, one a batch, and may end in `sweeping`."""

    sweeping: str = ""
    down_to: int = -2

    def sweep(self, cursor: Cursor | None, collected: Cursor) -> Iterator[Batch]:
        """None while the numbers that were collected are those of the last sweep."""
        if cursor is not None and cursor.value == collected.value:
            return
        stays = cursor or Cursor("never")
        for number in range(-1, self.down_to - 1, -1):
            facts = PullFacts(1, 1, query="below zero")
            last = number == self.down_to
            yield Batch((self._item(number),), collected if last else stays, facts)
            if self.sweeping:
                raise SourceBusy(self.sweeping)


@dataclass(frozen=True, slots=True)
class Gappy:
    """One number, and one that could not be examined."""

    kinds: ClassVar[tuple[str, ...]] = ("test.number",)
    states: ClassVar[tuple[str, ...]] = ()

    source: str
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    def probe(self) -> str:
        """Says that it is there."""
        return "gappy"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Always partial."""
        item = Numbers(self.source, clock=self.clock)._item(1)
        yield Batch((item,), Cursor("0"), PullFacts(1, 1, 2, "q", gaps=(Gap("two", "torn"),)))
