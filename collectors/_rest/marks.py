"""How far each list of a source has been read: one bookmark for all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from evidence.errors import SourceBroken
from evidence.model import Cursor
from evidence.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Marks:
    """`reached` maps a list's key to its mark, `settings` an endpoint's name to the digest of its
    settings then: a mark means nothing for another question. `states` is what was seen last."""

    reached: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    states: Snapshot = field(default_factory=lambda: Snapshot({}))

    @classmethod
    def read(cls, cursor: Cursor | None) -> Marks:
        """From a cursor written by `cursor()`; None is the beginning. Raises SourceBroken."""
        if cursor is None:
            return cls()
        try:
            kept = json.loads(cursor.value)
            reached = {str(k): int(v) for k, v in kept["reached"].items()}
            settings = {str(k): str(v) for k, v in kept["settings"].items()}
            seen = {str(k): str(v) for k, v in kept["seen"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceBroken(f"the cursor is no bookmark of a REST source: {error!r}") from error
        return cls(reached, settings, Snapshot(seen))

    def cursor(self) -> Cursor:
        """The bookmark as text."""
        kept = {
            "reached": dict(self.reached), "settings": dict(self.settings),
            "seen": dict(self.states.seen),
        }  # fmt: skip
        return Cursor(json.dumps(kept, sort_keys=True, ensure_ascii=False))
