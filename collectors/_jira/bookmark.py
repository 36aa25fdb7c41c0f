"""How far a Jira pull has come: a watermark that never passes what was landed, and the overlap."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from evidence.errors import SourceBroken
from evidence.model import Cursor
from evidence.times import from_ms

_REMEMBERED = 5_000
"""Beyond that, issues of the overlap are read again: memory saves work, correctness needs none."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """`updated_ms` is the watermark (None: from the beginning), `seen` issue id → version read.

    `projects` and `settings` say what the watermark speaks of: it means nothing for a project
    that was not read, or for settings under which other items would have been made.
    """

    updated_ms: int | None = None
    projects: tuple[str, ...] = ()
    settings: str = ""
    seen: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Cursor | None) -> Bookmark:
        """From a cursor written by `cursor()`; None is the beginning. Raises SourceBroken."""
        if cursor is None:
            return cls()
        try:
            kept = json.loads(cursor.value)
            mark = kept["updated_ms"]
            return cls(
                updated_ms=None if mark is None else int(mark),
                projects=tuple(map(str, kept["projects"])),
                settings=str(kept["settings"]),
                seen={str(k): (int(at), str(v)) for k, (at, v) in kept["seen"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceBroken(f"the cursor is no Jira bookmark: {error!r}") from error

    def cursor(self) -> Cursor:
        """The bookmark as text."""
        kept: dict[str, Any] = {
            "updated_ms": self.updated_ms, "projects": self.projects, "settings": self.settings,
            "seen": self.seen,
        }  # fmt: skip
        return Cursor(json.dumps(kept, sort_keys=True))

    def since(self, lookback: timedelta) -> datetime | None:
        """From when to read again; None for everything."""
        return None if self.updated_ms is None else from_ms(self.updated_ms) - lookback

    def moved(
        self, to_ms: int | None, read: Iterable[tuple[str, int, str]], lookback: timedelta
    ) -> Bookmark:
        """After issues (id, updated in ms, version) were read; the watermark only goes forward."""
        mark = max((m for m in (self.updated_ms, to_ms) if m is not None), default=None)
        seen = {**self.seen, **{number: (at, version) for number, at, version in read}}
        floor = 0 if mark is None else mark - int(lookback.total_seconds() * 1000)
        kept = sorted((k for k in seen if seen[k][0] >= floor), key=lambda k: seen[k], reverse=True)
        seen = {k: seen[k] for k in kept[:_REMEMBERED]}
        return Bookmark(mark, self.projects, self.settings, seen)
