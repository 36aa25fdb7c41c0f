"""The lake against the physical limit of its own format, measured in one run.

Usage: python benchmarks/lake.py [ITEMS]. Prints a table; every figure is a ratio or stands beside
what it is compared with. Items are about 1.2 KB, over 24 months and 200 systems.
"""

from __future__ import annotations

import hashlib
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pyarrow.parquet as pq

from evidence.model import Cursor, EvidenceItem
from evidence.runs import Pull, PullFacts, PullOutcome
from storage.keys import load_key, make_key
from storage.lake import Bookmark, Lake
from storage.ledger import integrate
from storage.rows import evidence_rows
from storage.verify import verify
from storage.views import Limits, connect, sightings

START = datetime(2024, 11, 1, tzinfo=UTC)
BATCH = 10_000
SMALL = 50


def item(number: int, at: datetime | None = None) -> EvidenceItem:
    """One synthetic ticket; hashes in the payload keep it from compressing too well.

    Observed at any minute of the 24 months unless told.
    """
    dice = random.Random(number)
    at = at or START + timedelta(minutes=dice.randrange(24 * 30 * 24 * 60))
    words = [hashlib.sha256(f"{number}:{n}".encode()).hexdigest() for n in range(9)]
    return EvidenceItem(
        source="bench", kind="jira.issue", subject=f"T-{number}", system=f"system-{number % 200}",
        observed_from=at, observed_to=at, collected_at=at, title=f"Ticket {number}",
        payload={"id": number, "status": dice.choice(["open", "done"]), "words": words},
    )  # fmt: skip


def batches(items: int) -> Iterator[list[EvidenceItem]]:
    """The items in batches, built anew each time: building is not what is measured."""
    for low in range(0, items, BATCH):
        yield [item(number) for number in range(low, min(low + BATCH, items))]


def timed(work: Callable[[], object]) -> float:
    """Seconds of CPU and waiting that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def raw(folder: Path, items: int) -> float:
    """One Parquet file of the same rows with the same compression: the limit."""
    seconds = 0.0
    with pq.ParquetWriter(folder / "raw.parquet", _rows([]).schema, compression="zstd",
                          compression_level=1) as writer:  # fmt: skip
        for batch in batches(items):
            rows = _rows(batch)
            seconds += timed(lambda rows=rows: writer.write_table(rows))
    return seconds


def _rows(batch: list[EvidenceItem]) -> object:
    return evidence_rows(batch, landed_at=START, pull_id="raw")


def land(lake: Lake, items: int) -> float:
    """Land everything in batches of 10,000; the seconds of `land` alone."""
    seconds, bookmark = 0.0, lake.bookmark("bench")
    for number, batch in enumerate(batches(items)):
        began = time.perf_counter()
        bookmark = _land(lake, batch, bookmark, f"{number}:{lake.version}")
        seconds += time.perf_counter() - began
    return seconds


def _land(lake: Lake, batch: list[EvidenceItem], bookmark: Bookmark, cursor: str) -> Bookmark:
    at = datetime.now(UTC)
    pull = Pull(
        cursor, "bench", "benchmarks:none", at, at, PullOutcome.COMPLETE, PullFacts(), len(batch)
    )
    return lake.land(
        "bench", batch, bookmark=bookmark, cursor=Cursor(cursor), pull_id=cursor, pull=pull
    ).bookmark


def small(lake: Lake, items: int, commits: int) -> list[float]:
    """Seconds of each of `commits` landings of 50 new items."""
    bookmark, seconds = lake.bookmark("bench"), []
    for number in range(commits):
        batch = [item(items + number * SMALL + n) for n in range(SMALL)]
        began = time.perf_counter()
        bookmark = _land(lake, batch, bookmark, f"small:{number}")
        seconds.append(time.perf_counter() - began)
    return seconds


def main(items: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake.create(folder / "lake", clock=lambda: datetime.now(UTC))
        vkey = make_key(folder / "key", origin="bench/lake")
        signer = load_key(folder / "key", origin="bench/lake")
        limit = raw(folder, items)
        landed = land(lake, items)
        again = land(lake, items)
        sealed = timed(lambda: integrate(lake, signer))
        commits = small(lake, items, 100)
        one = timed(lambda: integrate(lake, signer))
        tag = "SELECT item_id, 'iso42001:8.1' AS control, 'change_request' AS evidence, 'r' AS rule"
        tag += ", 'full' AS strength, 'x' AS rationale, 'm' AS mapping_digest FROM items"
        tagged = timed(lambda: lake.follow_sql("tags", tag, app="tags:m"))
        with connect(lake, mapping_digest="m", limits=Limits(memory_mb=4096)) as connection:
            folded = timed(lambda: sightings(connection, datetime.now(UTC)))
            scan = timed(
                lambda: connection.execute("SELECT sum(hash(payload)) FROM evidence").fetchall()
            )
        verified = timed(lambda: verify(folder / "lake", vkey))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = [
        ("raw Parquet, zstd-1, one file", f"{items / limit:,.0f} rows/s", "1"),
        ("land, batches of 10,000", f"{items / landed:,.0f} rows/s", f"{landed / limit:.1f}× raw"),
        ("land the same again", f"{items / again:,.0f} rows/s", f"{again / landed:.2f}× first"),
        ("land 50 items, median", f"{median(commits) * 1000:.0f} ms",
         f"last 50 {median(commits[50:]) / median(commits[:50]):.2f}× first 50"),
        ("seal all", f"{items / sealed:,.0f} leaves/s", f"{sealed / limit:.1f}× raw"),
        ("seal 100 commits of 50", f"{one * 1000:.0f} ms", ""),
        ("tag all, one rule", f"{items / tagged:,.0f} items/s", f"{tagged / scan:.1f}× scan"),
        ("fold into sightings", f"{folded:.2f} s", f"{folded / scan:.1f}× scan"),
        ("verify", f"{verified:.1f} s", f"{verified / scan:.1f}× scan"),
        ("peak memory of it all", f"{peak:,.0f} MiB", ""),
    ]  # fmt: skip
    print(f"| {items:,} items | measured | ratio |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
