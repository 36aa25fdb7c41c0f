"""What the traces collector remembers between pulls: which days it read, and what they held."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from evidence.errors import SourceBroken
from evidence.model import Cursor

FORM = "mlflow.traces/1"


@dataclass(frozen=True, slots=True)
class Key:
    """Which traces are summed up together."""

    experiment_id: str
    day: str
    system: str

    @property
    def subject(self) -> str:
        """Its native key within the source."""
        return "/".join(part for part in (self.experiment_id, self.day, self.system) if part)


@dataclass(frozen=True, slots=True)
class Seen:
    """A day as it was landed last: its digest, that of its item, how many traces, the last's ms.

    An empty digest remembers that its traces are gone.
    """

    digest: str
    head: str
    count: int
    last: int


@dataclass(frozen=True, slots=True)
class Memory:
    """`read` maps each day to when it was read last (ms), `seen` what it held."""

    read: Mapping[str, int] = field(default_factory=dict)
    seen: Mapping[Key, Seen] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Cursor | None) -> Memory:
        """From a cursor written by `cursor()`; None is the empty memory. Raises SourceBroken."""
        if cursor is None:
            return cls()
        try:
            kept = json.loads(cursor.value)
            if kept["form"] != FORM:
                raise ValueError(f"form {kept['form']!r}")
            seen = {
                Key(str(e), str(d), str(s)): Seen(str(digest), str(head), int(count), int(last))
                for e, d, s, digest, head, count, last in kept["seen"]
            }
            return cls({str(day): int(ms) for day, ms in kept["read"].items()}, seen)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceBroken(f"the cursor is no bookmark of {FORM}: {error}") from error

    def cursor(self, first: str) -> Cursor:
        """The bookmark: days before `first` are forgotten."""
        seen = [
            [k.experiment_id, k.day, k.system, s.digest, s.head, s.count, s.last]
            for k, s in self.seen.items() if k.day >= first
        ]  # fmt: skip
        read = {day: ms for day, ms in sorted(self.read.items()) if day >= first}
        return Cursor(json.dumps({"form": FORM, "read": read, "seen": sorted(seen)}))
