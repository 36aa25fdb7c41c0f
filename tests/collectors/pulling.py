"""One pull of a collector, whole: its items, the cursor to go on from, and its facts added up."""

from __future__ import annotations

import json
from typing import Any

from collectors.base import Collector
from evidence.model import Cursor, EvidenceItem
from evidence.runs import PullFacts


def pull(
    collector: Collector, cursor: Cursor | None = None
) -> tuple[list[EvidenceItem], Cursor, PullFacts]:
    """All batches of a pull as one."""
    items: list[EvidenceItem] = []
    facts = PullFacts()
    for batch in collector.collect(cursor):
        items += batch.items
        facts = facts + batch.facts
        cursor = batch.cursor
    assert cursor is not None
    return items, cursor, facts


def kept(item: EvidenceItem) -> dict[str, Any]:
    """The payload as it lands."""
    found: dict[str, Any] = json.loads(item.content)
    return found
