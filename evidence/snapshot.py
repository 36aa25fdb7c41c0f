"""States have no history at their source: remember digests, compare, and call the difference."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from evidence.errors import SourceBroken
from evidence.model import Change, Cursor, EvidenceItem, Nature

_GONE = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was seen last: `kind␟subject` → content digest; an empty digest remembers a loss."""

    seen: Mapping[str, str]

    @classmethod
    def read(cls, cursor: Cursor | None) -> Snapshot:
        """From a cursor written by `cursor()`; None is the empty snapshot. Raises SourceBroken."""
        if cursor is None:
            return cls({})
        try:
            seen = json.loads(cursor.value)["seen"]
            return cls({str(k): str(v) for k, v in seen.items()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceBroken(f"the cursor is not a snapshot: {error}") from error

    def cursor(self) -> Cursor:
        """The bookmark for the next pull."""
        return Cursor(json.dumps({"seen": dict(sorted(self.seen.items()))}, ensure_ascii=False))

    def compare(
        self, items: Iterable[EvidenceItem], *, at: datetime, source: str
    ) -> tuple[tuple[EvidenceItem, ...], Snapshot]:
        """Items that differ from this snapshot, with their change, and the snapshot to keep.

        `items` must be the whole of the source's states: what is missing in them is gone. An
        unchanged state is left out: the pull record is its heartbeat.
        """
        seen = dict(self.seen)
        present = {}
        for item in items:
            present[_key(item)] = item
        changed = tuple(self._judge(present))
        seen.update({key: item.content_sha256 for key, item in present.items()})
        lost = [key for key, old in self.seen.items() if old != _GONE and key not in present]
        seen.update(dict.fromkeys(lost, _GONE))
        gone = tuple(_gone(key, self.seen[key], at=at, source=source) for key in lost)
        return changed + gone, Snapshot(seen)

    def _judge(self, present: Mapping[str, EvidenceItem]) -> Iterator[EvidenceItem]:
        for key, item in present.items():
            old = self.seen.get(key)
            if old is None:
                yield item
            elif old == _GONE:
                yield replace_change(item, Change.RESTORED)
            elif old != item.content_sha256:
                yield replace_change(item, Change.CHANGED)


def replace_change(item: EvidenceItem, change: Change) -> EvidenceItem:
    """The same item with another `change`, and so another id; seen at the moment of collection."""
    at = item.collected_at if item.nature is Nature.STATE else item.observed_to
    since = at if item.nature is Nature.STATE else item.observed_from
    return EvidenceItem(
        source=item.source, kind=item.kind, subject=item.subject, observed_from=since,
        observed_to=at, collected_at=item.collected_at, payload=item.payload, nature=item.nature,
        system=item.system, title=item.title, change=change, outcome=item.outcome,
        actor=item.actor, locator=item.locator,
    )  # fmt: skip


def _key(item: EvidenceItem) -> str:
    return f"{item.kind}\x1f{item.system}\x1f{item.subject}"


def _gone(key: str, digest: str, *, at: datetime, source: str) -> EvidenceItem:
    kind, system, subject = key.split("\x1f", 2)
    return EvidenceItem(
        source=source, kind=kind, subject=subject, observed_from=at, observed_to=at,
        collected_at=at, payload={"last_content_sha256": digest}, nature=Nature.STATE,
        system=system, title=f"{subject} is gone at the source", change=Change.GONE,
    )  # fmt: skip
