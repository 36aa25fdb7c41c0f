"""A bookmark of settings last seen, and of how far the events of each region were read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from evidence.errors import SourceBroken
from evidence.model import Cursor
from evidence.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Marks:
    """`reached` holds, by `account/region`, the last that was read: a time or a day as a number."""

    states: Snapshot = field(default_factory=lambda: Snapshot({}))
    reached: Mapping[str, int] = field(default_factory=dict)

    def then(self, states: Snapshot, reached: Mapping[str, int]) -> Marks:
        """After a pull: what it did not reach stays where it was."""
        return Marks(states, {**self.reached, **reached})

    def cursor(self) -> Cursor:
        """The bookmark that `read_marks` understands."""
        told = {"seen": dict(sorted(self.states.seen.items()))}
        reached = dict(sorted(self.reached.items()))
        return Cursor(json.dumps({**told, "reached": reached}, ensure_ascii=False))


def read_marks(cursor: Cursor | None) -> Marks:
    """Raises SourceBroken for a cursor that is not one of Marks."""
    if cursor is None:
        return Marks()
    states = Snapshot.read(cursor)
    try:
        reached = json.loads(cursor.value)["reached"]
        return Marks(states, {str(place): int(at) for place, at in reached.items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceBroken(f"the cursor is not one of settings and events: {error}") from error
