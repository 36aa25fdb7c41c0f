"""A backfill as a collector's run makes it: one pull of millions of items, then tags and seal.

Usage: python -m benchmarks.bulk [ITEMS] (default 100,000). Prints what each stage took and the most
memory that the process has used by its end: it must not grow with the number of items.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.measure import item, now, peak
from benchmarks.records import moment
from evidence.model import Batch, Cursor, EvidenceItem
from evidence.runs import PullFacts
from flows.config import Source
from flows.pull import attempt
from storage.keys import load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate

BATCH = 20_000
TAGS = """SELECT item_id, 'iso42001:8.1' AS control, 'change_request' AS evidence, 'r' AS rule,
    'full' AS strength, 'x' AS rationale, 'm' AS mapping_digest FROM items"""


def ticket(number: int, items: int) -> EvidenceItem:
    """Ticket `number` of `items`: oldest first, over 24 months, as a source would give them."""
    return item(number, moment(number, 0, items))


@dataclass(frozen=True, slots=True)
class Backfill:
    """A source that has everything since the beginning."""

    source: str
    clock: Callable[[], datetime]
    items: int

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Everything after the cursor, in batches of 20,000."""
        for low in range(int(cursor.value) if cursor else 0, self.items, BATCH):
            high = min(low + BATCH, self.items)
            made = tuple(ticket(number, self.items) for number in range(low, high))
            yield Batch(made, Cursor(str(high)), PullFacts(pages=1, received=high - low))


def main(items: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_key(folder / "key", origin="bench.example/lake")
        lake = Lake.create(folder / "lake", clock=now)
        source = Source("bench", "benchmarks.bulk:Backfill", "", {"items": items})
        signer = load_key(folder / "key")
        print(
            f"| {items:,} items | seconds | items/s | most memory until then |\n|---|---|---|---|"
        )
        told("items made and landed, one pull", items, lambda: attempt(lake, source, now))
        told("tagged", items, lambda: lake.follow_sql("tags", TAGS, app="tags:m"))
        told("sealed", items, lambda: integrate(lake, signer))
        found = sum(file.rows for file in lake.files("evidence"))
        if found != items + 1:
            raise SystemExit(f"{found} rows landed, not {items} and the pull's record")


def told(what: str, items: int, work: Callable[[], Any]) -> None:
    """Do the work and print one row."""
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    print(f"| {what} | {seconds:,.0f} | {items / seconds:,.0f} | {peak():,.0f} MiB |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
