"""States of several kinds compared with what was seen last, of which some may not be whole."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from evidence.model import Change, EvidenceItem
from evidence.snapshot import Snapshot


def compared(
    before: Snapshot, items: Sequence[EvidenceItem], partial: Collection[str], *, at: datetime,
    source: str,
) -> tuple[tuple[EvidenceItem, ...], Snapshot]:  # fmt: skip
    """What changed, and the snapshot to keep. Of a kind in `partial` nothing is said to be gone:
    what did not come may only not have been shown."""
    changed, after = before.compare(items, at=at, source=source)
    if not partial:
        return changed, after
    told = tuple(i for i in changed if i.change is not Change.GONE or i.kind not in partial)
    seen = dict(after.seen)
    for key, digest in before.seen.items():
        if key.split("\x1f", 1)[0] in partial and not seen[key]:
            seen[key] = digest
    return told, Snapshot(seen)
