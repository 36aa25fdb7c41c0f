"""Judging a large lake from what is kept of it, beside judging it from all of it.

Usage: python -m benchmarks.kept [ITEMS] (default 1,000,000). Events of four kinds for 200 systems,
of which one in a thousand failed, all confirmed; then commits of 50, each judged.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa

from evidence.model import Cursor, EvidenceItem
from evidence.runs import Pull, PullFacts, PullOutcome
from storage.covers import Aging
from storage.engine import ample
from storage.kept import FOLDER
from storage.lake import Lake
from storage.landed import landed, landed_by_now
from storage.schema import EVIDENCE
from storage.views import connect

NOW = datetime(2026, 11, 26, tzinfo=UTC)
STEP, COMMITS, SMALL = 250_000, 20, 50
AGES = [Aging(f"iso42001:{number}", "record", timedelta(days=30)) for number in ("8.1", "9.1")]
TAGS = """SELECT item_id, 'iso42001:' || c AS control, 'record' AS evidence, 'r' AS rule,
    'full' AS strength, 'x' AS rationale, 'm' AS mapping_digest
    FROM items, (VALUES ('8.1'), ('9.1')) AS controls(c) WHERE kind LIKE 'bench.%'"""


def rows(items: int) -> Iterator[pa.Table]:
    """Rows as they lie in the table, made without items: making them is not measured."""
    rng = np.random.default_rng(7)
    for low in range(0, items, STEP):
        count = min(STEP, items - low)
        numbers = range(low, low + count)
        ids = [hashlib.sha256(b"%d" % number).hexdigest() for number in numbers]
        at = pa.array(NOW - timedelta(days=1) - timedelta(seconds=int(s)) for s in
                      rng.integers(0, 700 * 86400, count))  # fmt: skip
        given = {
            "form": pa.repeat("headwater.item/1", count), "item_id": pa.array(ids),
            "content_sha256": pa.array(ids), "source": pa.repeat("bench", count),
            "kind": pa.array([f"bench.{n % 4}" for n in numbers]),
            "subject": pa.array([f"event-{n}" for n in numbers]),
            "nature": pa.repeat("event", count), "change": pa.repeat("new", count),
            "system": pa.array([f"system-{n % 200}" for n in numbers]),
            "outcome": pa.array(["failed" if n % 1000 == 0 else "passed" for n in numbers]),
            "observed_from": at, "observed_to": at, "collected_at": at,
            "landed_at": pa.repeat(pa.scalar(NOW - timedelta(days=1), at.type), count),
            "pull_id": pa.repeat("bulk", count), "payload": pa.repeat("{}", count),
            "month": pa.repeat("2026-11", count),
        }  # fmt: skip
        empty = pa.repeat("", count)
        columns = [given.get(field.name, empty).cast(field.type) for field in EVIDENCE]
        yield pa.Table.from_arrays(columns, schema=EVIDENCE)


def _event(number: int, n: int, at: datetime) -> EvidenceItem:
    return EvidenceItem(
        source="bench", kind=f"bench.{n % 4}", subject=f"new-{number}-{n}", observed_from=at,
        observed_to=at, collected_at=at, payload={"n": n}, system=f"system-{n}",
    )  # fmt: skip


def pull(lake: Lake, number: int, at: datetime) -> None:
    """A whole pull of a few new events."""
    items = [_event(number, n, at) for n in range(SMALL if number else 0)]
    record = Pull(f"pull-{number}", "bench", "benchmarks.kept:None", at, at, PullOutcome.COMPLETE,
                  PullFacts(), len(items))  # fmt: skip
    lake.land("bench", items, bookmark=lake.bookmark("bench"), cursor=Cursor(str(number)),
              pull_id=record.pull_id, pull=record)  # fmt: skip
    lake.follow_sql("tags", TAGS, app="m")


def took(work: Callable[[], object]) -> tuple[float, float, object]:
    """Seconds by the clock, of CPU, and what came of it."""
    began, used = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - began, time.process_time() - used, found


def main(items: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        clock = [NOW]
        lake = Lake.create(Path(name) / "lake", clock=lambda: clock[0])
        lake.table("evidence").commit(rows(items))
        pull(lake, 0, clock[0])

        def whole() -> object:
            with connect(lake, as_of=clock[0], mapping_digest="m", limits=ample()) as connection:
                return landed(connection, clock[0], [], AGES)

        def by_now() -> object:
            return landed_by_now(lake, "m", clock[0], [], ample(), ages=AGES)

        clocked, cpu = min(took(whole)[:2] for _ in range(2))
        print(f"{items:,} items, all of them: {clocked:.2f} s, {cpu:.2f} CPU", flush=True)
        clocked, cpu, _ = took(by_now)
        print(f"all of them, and the state kept: {clocked:.2f} s, {cpu:.2f} CPU", flush=True)
        folder = lake.place.derived(FOLDER)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        print(f"the state: {size / 1e6:.1f} MB")
        each: list[tuple[float, float]] = []
        for number in range(1, COMMITS + 1):
            clock[0] += timedelta(minutes=10)
            pull(lake, number, clock[0])
            clocked, cpu, found = took(by_now)
            each.append((clocked, cpu))
            if number in {1, COMMITS} and found != whole():
                raise SystemExit("the kept state says otherwise: nothing here is true")
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"most memory, that of making the rows included: {most:,.0f} MiB")
        clocked, cpu = (1000 * median(one[n] for one in each) for n in (0, 1))
        print(f"judged after each of {COMMITS} commits of {SMALL}, median: {clocked:.0f} ms, "
              f"{cpu:.0f} CPU")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
