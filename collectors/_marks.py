"""How far a pull of several lists has come: a watermark a list, and the states last seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from evidence.errors import InvalidItem, SourceBroken
from evidence.model import Cursor
from evidence.snapshot import Snapshot
from evidence.times import parse, stamp


@dataclass(frozen=True, slots=True)
class Marks:
    """`read` is list (a repository, a table) → all changes up to then were read; `states` what
    was last seen.

    `settings` says for which settings the watermarks hold: under others other items are made.
    """

    settings: str
    read: Mapping[str, datetime] = field(default_factory=dict)
    states: Snapshot = field(default_factory=lambda: Snapshot({}))

    @classmethod
    def load(cls, cursor: Cursor | None, settings: str) -> Marks:
        """From a cursor written by `cursor()`; None is the beginning. Raises SourceBroken."""
        if cursor is None:
            return cls(settings)
        states = Snapshot.read(cursor)
        try:
            kept = json.loads(cursor.value)
            read = {str(number): parse(str(at)) for number, at in kept["read"].items()}
            same = kept["settings"] == settings
        except (ValueError, KeyError, TypeError, AttributeError, InvalidItem) as error:
            raise SourceBroken(f"the cursor is no bookmark of such lists: {error!r}") from error
        return cls(settings, read if same else {}, states)

    def cursor(self) -> Cursor:
        """The bookmark as text."""
        read = {number: stamp(at) for number, at in sorted(self.read.items())}
        seen = dict(sorted(self.states.seen.items()))
        kept = {"settings": self.settings, "read": read, "seen": seen}
        return Cursor(json.dumps(kept, ensure_ascii=False))

    def moved(self, name: str, to: datetime | None) -> Marks:
        """After the changes of a list up to `to` were read; a watermark only goes forward."""
        times = (at for at in (self.read.get(name), to) if at is not None)
        at = max(times, default=None)
        return self if at is None else replace(self, read={**self.read, name: at})
