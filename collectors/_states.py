"""States of several kinds compared with what was seen last, of which some may not be whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from evidence.model import Change, EvidenceItem
from evidence.snapshot import Snapshot


def compared(
    before: Snapshot, items: Sequence[EvidenceItem], withheld: Callable[[str, str], bool], *,
    at: datetime, source: str,
) -> tuple[tuple[EvidenceItem, ...], Snapshot]:  # fmt: skip
    """What changed, and the snapshot to keep. Nothing is said to be gone where `withheld` is true
    of its kind and subject: what did not come may only not have been shown."""
    changed, after = before.compare(items, at=at, source=source)
    told = tuple(
        i for i in changed if i.change is not Change.GONE or not withheld(i.kind, i.subject)
    )
    seen = dict(after.seen)
    for key, digest in before.seen.items():
        kind, _, subject = key.split("\x1f", 2)
        if not seen[key] and withheld(kind, subject):
            seen[key] = digest
    return told, Snapshot(seen)
