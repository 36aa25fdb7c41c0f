"""Which documents of a large store changed since last time, from a bookmark that stays small."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from evidence.errors import SourceBroken
from evidence.model import Cursor


@dataclass(frozen=True, slots=True)
class Shelves:
    """What was read before, in at most 256 digests: files lie on shelves by the hash of their path.

    A shelf is remembered by its count and one digest over its fingerprints, so that a late, a
    replaced and a deleted file each show, and the bookmark does not grow with the store. A shelf
    with an unreadable file has no digest and is read again.
    """

    seen: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Cursor | None) -> Shelves:
        """From a cursor that holds `files`. Raises SourceBroken."""
        if cursor is None:
            return cls()
        try:
            files = json.loads(cursor.value)["files"]
            return cls({str(k): (int(v[0]), str(v[1])) for k, v in files.items()})
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise SourceBroken(f"the cursor was not written by this collector: {error}") from error

    def changed(self, now: Mapping[str, Shelf]) -> list[Shelf]:
        """The shelves that are not as they were."""
        return [s for s in now.values() if self.seen.get(s.key) != (len(s.paths), s.digest)]

    def lost(self, now: Mapping[str, Shelf]) -> int:
        """At least how many files are there no more."""
        counts = {key: len(shelf.paths) for key, shelf in now.items()}
        return sum(max(0, count - counts.get(key, 0)) for key, (count, _) in self.seen.items())


@dataclass(frozen=True, slots=True)
class Shelf:
    """The files whose paths share the first byte of their hash."""

    key: str
    paths: tuple[str, ...]
    digest: str


def shelve(prints: Mapping[str, str], salt: str) -> dict[str, Shelf]:
    """All files on their shelves; `salt` stands for the settings that change what is read."""
    sorted_out: dict[str, list[str]] = {}
    for path in sorted(prints):
        key = hashlib.sha256(os.fsencode(path)).hexdigest()[:2]
        sorted_out.setdefault(key, []).append(path)
    return {
        key: Shelf(key, tuple(paths), _print([salt, *(f"{p}\0{prints[p]}" for p in paths)]))
        for key, paths in sorted_out.items()
    }


def _print(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:16]
