"""What the collector of Great Expectations remembers: results, suites, these at their strictest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors._checks.latest import Latest
from collectors._checks.shelves import Shelves
from collectors._checks.weakened import Strict
from evidence.errors import InvalidItem, SourceBroken
from evidence.model import Cursor
from evidence.snapshot import Snapshot
from evidence.times import parse, stamp


@dataclass(frozen=True, slots=True)
class Memory:
    """`shelves` of results and the `latest` of them, `seen` suites and what these once asked, when
    each checkpoint `ran`."""

    shelves: Shelves = field(default_factory=Shelves)
    latest: Latest = field(default_factory=Latest)
    seen: Snapshot = field(default_factory=lambda: Snapshot({}))
    strict: Strict = field(default_factory=dict)
    ran: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Cursor | None) -> Memory:
        """From a cursor written by `cursor()`, of which earlier versions held less.

        Raises SourceBroken.
        """
        if cursor is None:
            return cls()
        shelves, latest, seen = Shelves.read(cursor), Latest.read(cursor), Snapshot.read(cursor)
        try:
            kept: Mapping[str, Mapping[str, Any]] = json.loads(cursor.value)
            strict = {str(suite): dict(told) for suite, told in kept.get("strict", {}).items()}
            ran = {str(n): stamp(parse(str(at))) for n, at in kept.get("ran", {}).items()}
        except (ValueError, TypeError, AttributeError, InvalidItem) as error:
            raise SourceBroken(f"the cursor was not written by this collector: {error}") from error
        return cls(shelves, latest, seen, strict, ran)

    def cursor(self) -> Cursor:
        """The bookmark for the next pull."""
        kept = {
            "files": {key: list(value) for key, value in sorted(self.shelves.seen.items())},
            "latest": self.latest.packed(),
            "seen": dict(sorted(self.seen.seen.items())),
            "strict": {suite: dict(checks) for suite, checks in sorted(self.strict.items())},
            "ran": dict(sorted(self.ran.items())),
        }
        return Cursor(json.dumps(kept, ensure_ascii=False, separators=(",", ":")))
