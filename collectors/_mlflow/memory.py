"""What the runs collector remembers between pulls: how far it read, and what it saw."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from collectors._mlflow.store import utc_ms
from evidence.errors import SourceBroken
from evidence.model import Cursor

FORM, EARLIER = "mlflow.runs/2", "mlflow.runs/1"
ARCHIVE = "mlflow.runs.archive/1"
ACTIVE, DELETED, REMOVED = "active", "deleted", "removed"


@dataclass(frozen=True, slots=True)
class Seen:
    """One run as it was landed last.

    `at` is its end in ms (its start where it has no end), `content` the digests of what it said and
    of its files, `head` that of the item that said so, `stage` active, deleted or removed;
    `results` is the digest of the results with which it ended and `files` that of its files when
    they were read first, each empty where it was not taken.
    """

    at: int
    content: str
    head: str
    stage: str
    experiment: str
    system: str
    results: str = ""
    files: str = ""

    @property
    def said(self) -> str:
        """The digest of what the run itself said."""
        return self.content.partition(":")[0]

    @property
    def files_last(self) -> str:
        """The digest of its files when they were read last, empty where they were not."""
        return self.content.partition(":")[2]


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
            if kept["form"] not in {FORM, EARLIER}:
                raise ValueError(f"form {kept['form']!r}")
            until = None if kept["until"] is None else int(kept["until"])
            return cls(until, _read(kept["seen"]), tuple(map(str, kept["open"])))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceBroken(f"the cursor is no bookmark of {FORM}: {error}") from error

    def since(self, lookback_ms: int) -> int | None:
        """Where reading begins again; None reads all."""
        return None if self.until is None else self.until - lookback_ms

    def cursor(self, lookback_ms: int) -> Cursor:
        """The bookmark: runs older than the window are forgotten."""
        floor = self.since(lookback_ms)
        seen = _written((r, s) for r, s in self.seen.items() if floor is None or s.at >= floor)
        kept = {"form": FORM, "until": self.until, "open": sorted(self.open), "seen": seen}
        return Cursor(json.dumps(kept, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Archive:
    """Every run that landed, as of the last sweep, which ended at `swept` (ms).

    It is large (some 60 bytes a run): only the sweep's cursor holds it, written at its end.
    """

    swept: int | None = None
    seen: Mapping[str, Seen] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: Cursor | None) -> Archive:
        """From a cursor written by `cursor()`; None is the empty one. Raises SourceBroken."""
        if cursor is None:
            return cls()
        try:
            kept = json.loads(cursor.value)
            if kept["form"] != ARCHIVE:
                raise ValueError(f"form {kept['form']!r}")
            packed = base64.b64decode(kept["seen"], validate=True)
            swept = None if kept["swept"] is None else int(kept["swept"])
            return cls(swept, _read(json.loads(zlib.decompress(packed))))
        except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
            raise SourceBroken(f"the cursor is no bookmark of {ARCHIVE}: {error}") from error

    def due(self, now: datetime, every: timedelta) -> bool:
        """Whether it is time for another sweep; a clock that was turned back makes it so too."""
        passed = None if self.swept is None else utc_ms(now) - self.swept
        return passed is None or passed < 0 or passed >= every // timedelta(milliseconds=1)

    def cursor(self) -> Cursor:
        """The bookmark of the sweep."""
        text = json.dumps(_written(self.seen.items()), separators=(",", ":"), ensure_ascii=False)
        packed = base64.b64encode(zlib.compress(text.encode())).decode()
        return Cursor(json.dumps({"form": ARCHIVE, "swept": self.swept, "seen": packed}))


def _written(seen: Iterable[tuple[str, Seen]]) -> dict[str, list[object]]:
    return {
        run: [s.at, s.content, s.head, s.stage, s.experiment, s.system, s.results, s.files]
        for run, s in sorted(seen)
    }


def _read(kept: Mapping[str, list[object]]) -> dict[str, Seen]:
    return {run: Seen(int(str(at)), *map(str, rest)) for run, (at, *rest) in kept.items()}
