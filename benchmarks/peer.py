"""The same job done by Headwater and by dlt, the library one would take instead.

Usage: python -m benchmarks.peer headwater [ITEMS]; and for dlt, in an environment of its own,
python -m venv PEER; PEER/bin/pip install 'dlt[deltalake,filesystem]==1.31.*';
PEER/bin/python -m benchmarks.peer dlt [ITEMS]. Both take the same dictionaries and end in a Delta
table of a local folder that holds each ticket once: ITEMS of them (default 100,000), all of them
again, then 20 runs of 50 new ones. Making the dictionaries is measured apart.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.records import spread, today

Land = Callable[[Iterable[dict[str, Any]]], None]
Rows = Callable[[], int]
RUNS, SMALL, BATCH = 20, 50, 10_000


def headwater(folder: Path) -> tuple[Land, Rows]:
    """Batches of 10,000, each landed with its cursor: every landing is forced to disk."""
    from benchmarks.measure import SOURCE, batches, now
    from evidence.model import Cursor
    from storage.lake import Lake

    lake = Lake.create(folder / "lake", clock=now)

    def land(records: Iterable[dict[str, Any]]) -> None:
        bookmark = lake.bookmark(SOURCE)
        for batch in batches(records, BATCH):
            word = batch[-1].subject
            bookmark = lake.land(
                SOURCE, batch, bookmark=bookmark, cursor=Cursor(word), pull_id=word
            ).bookmark

    return land, lambda: lake.table("evidence").rows


def dlt(folder: Path) -> tuple[Land, Rows]:
    """One pipeline run with the merge that inserts or updates by key: nothing comes twice."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt as library  # type: ignore[import-not-found]
    from deltalake import DeltaTable

    pipeline = library.pipeline(
        "bench", pipelines_dir=str(folder / "work"), dataset_name="lake",
        destination=library.destinations.filesystem(bucket_url=str(folder)),
    )  # fmt: skip

    def land(records: Iterable[dict[str, Any]]) -> None:
        resource = library.resource(
            ({**told, "payload": json.dumps(told["payload"])} for told in records),
            name="tickets", primary_key="subject", table_format="delta",
            write_disposition={"disposition": "merge", "strategy": "upsert"},
        )  # fmt: skip
        pipeline.run(resource).raise_on_failed_jobs()

    def rows() -> int:
        return int(DeltaTable(str(folder / "lake" / "tickets")).count())

    return land, rows


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the wall and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main(who: str, items: int) -> None:
    """Measure and print."""
    made = timed(lambda: sum(1 for _ in spread(0, items)))
    rows = [("tickets made", *made)]
    with tempfile.TemporaryDirectory() as name:
        land, count = {"headwater": headwater, "dlt": dlt}[who](Path(name))
        for what in ("landed", "landed again"):
            wall, cpu = timed(lambda: land(spread(0, items)))
            rows.append((what, wall - made[0], cpu - made[1]))
            expect(count(), items)
        few = [
            timed(
                lambda run=run: land(
                    today(range(items + run * SMALL, items + run * SMALL + SMALL), run)
                )
            )
            for run in range(RUNS)
        ]
        rows.append(("a run of 50, median", *(median(each) for each in zip(*few, strict=True))))
        expect(count(), items + RUNS * SMALL)
    held = Path("/proc/self/status").read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]
    print(f"| {who}, {items:,} items | seconds | CPU seconds |\n|---|---|---|")
    for what, wall, cpu in rows:
        print(f"| {what} | {wall:.3f} | {cpu:.3f} |")
    print(f"| most memory | {int(held) / 1024:,.0f} MiB | |")


def expect(found: int, due: int) -> None:
    """The job is only done if every ticket is there once."""
    if found != due:
        raise SystemExit(f"{found} rows where {due} should be")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
