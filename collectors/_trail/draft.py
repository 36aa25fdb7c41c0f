"""What a walk has read since its last batch: items without duplicates, gaps, and counts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from collectors.base import Window
from evidence.model import Batch, Cursor, EvidenceItem, ItemId
from evidence.runs import Gap, PullFacts

FULL_ITEMS, FULL_FILES = 2_000, 50
REMEMBERED = 200_000


@dataclass(slots=True)
class Draft:
    """Collects one batch after another for one pull; `query`, `identity` and `api` go with each.

    With `window`, what lies outside of it is not received.
    """

    query: str
    identity: str
    api: str
    window: Window | None = None
    items: list[EvidenceItem] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    pages: int = 0
    received: int = 0
    window_from: datetime | None = None
    window_to: datetime | None = None
    known: dict[ItemId, None] = field(default_factory=dict)

    def add(self, item: EvidenceItem) -> None:
        """One fact received. The same fact again (an event in two files) counts, but is dropped."""
        if self.window is not None and not self.window.holds(item):
            return
        self.received += 1
        self.window_from = min(self.window_from or item.observed_from, item.observed_from)
        self.window_to = max(self.window_to or item.observed_to, item.observed_to)
        if item.item_id in self.known:
            return
        self.known[item.item_id] = None
        self.items.append(item)
        if len(self.known) > REMEMBERED:
            del self.known[next(iter(self.known))]

    def gap(self, what: str, why: str) -> None:
        """Something that could not be examined; told once a batch."""
        told = Gap(what, why)
        if told not in self.gaps:
            self.gaps.append(told)

    def answered(self, raw: bytes) -> None:
        """One object came whole."""
        self.pages += 1
        self.raw.append(hashlib.sha256(raw).hexdigest())

    @property
    def full(self) -> bool:
        """Time to hand over a batch."""
        return len(self.items) >= FULL_ITEMS or len(self.raw) >= FULL_FILES

    def batch(self, cursor: Callable[[], Cursor]) -> Batch:
        """The batch of what came so far and the cursor that covers it; the draft is empty then."""
        facts = PullFacts(
            pages=self.pages, received=self.received, query=self.query, identity=self.identity,
            api_version=self.api, window_from=self.window_from, window_to=self.window_to,
            raw_sha256=tuple(self.raw), gaps=tuple(self.gaps),
        )  # fmt: skip
        made = Batch(tuple(self.items), cursor(), facts)
        self.items, self.gaps, self.raw = [], [], []
        self.pages = self.received = 0
        self.window_from = self.window_to = None
        return made
