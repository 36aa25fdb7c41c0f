"""What the runs collector remembers between pulls: how far it read, and what it saw lately."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from evidence.errors import SourceBroken
from evidence.model import Cursor

FORM = "mlflow.runs/1"
ACTIVE, DELETED, REMOVED = "active", "deleted", "removed"


@dataclass(frozen=True, slots=True)
class Seen:
    """One run as it was landed last.

    `at` is its end in ms (its start where it has no end), `content` the digest of what it said,
    `head` the digest of the item that said so, `stage` active, deleted or removed.
    """

    at: int
    content: str
    head: str
    stage: str
    experiment: str
    system: str


@dataclass(frozen=True, slots=True)
class Memory:
    """`until` is the newest end (ms) landed so far; `open` the runs that had not ended yet."""

    until: int | None = None
    seen: Mapping[str, Seen] = field(default_factory=dict)
    open: tuple[str, ...] = ()

    @classmethod
    def read(cls, cursor: Cursor | None) -> Memory:
        """From a cursor written by `cursor()`; None is the empty memory. Raises SourceBroken."""
        if cursor is None:
            return cls()
        try:
            kept = json.loads(cursor.value)
            if kept["form"] != FORM:
                raise ValueError(f"form {kept['form']!r}")
            until = None if kept["until"] is None else int(kept["until"])
            seen = {
                run: Seen(int(at), *map(str, rest)) for run, (at, *rest) in kept["seen"].items()
            }
            return cls(until, seen, tuple(map(str, kept["open"])))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceBroken(f"the cursor is no bookmark of {FORM}: {error}") from error

    def since(self, lookback_ms: int) -> int | None:
        """Where reading begins again; None reads all."""
        return None if self.until is None else self.until - lookback_ms

    def cursor(self, lookback_ms: int) -> Cursor:
        """The bookmark: runs older than the window are forgotten."""
        floor = self.since(lookback_ms)
        seen = {
            run: [s.at, s.content, s.head, s.stage, s.experiment, s.system]
            for run, s in sorted(self.seen.items())
            if floor is None or s.at >= floor
        }
        kept = {"form": FORM, "until": self.until, "open": sorted(self.open), "seen": seen}
        return Cursor(json.dumps(kept, ensure_ascii=False))
