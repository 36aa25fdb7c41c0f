"""What sealing, proving and verifying cost, beside what the same rows cost to write and to scan.

Usage: python -m benchmarks.ledger [ITEMS]. Figures of CPU are this process's own and hold on a busy
machine; verification runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import BATCH, SMALL, item
from benchmarks.records import START
from evidence.model import Cursor, EvidenceItem
from storage.checkpoints import history_sizes
from storage.keys import load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.processes import cores
from storage.proof import consistency_proof, inclusion_proof
from storage.rows import evidence_rows
from storage.verify import verify
from storage.views import Limits, connect

COMMITS = 40


def clocks() -> tuple[float, float]:
    """Seconds of wall and of CPU so far."""
    return time.perf_counter(), time.process_time()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall and of CPU that `work` takes."""
    before = clocks()
    work()
    after = clocks()
    return after[0] - before[0], after[1] - before[1]


def batches(items: int) -> Iterator[list[EvidenceItem]]:
    """The items, in batches."""
    for low in range(0, items, BATCH):
        yield [item(number) for number in range(low, min(low + BATCH, items))]


def fill(lake: Lake, folder: Path, items: int) -> float:
    """Land everything; returns the CPU seconds that writing the same rows as one file takes."""
    bookmark, seconds = lake.bookmark("bench"), 0.0
    writer: pq.ParquetWriter | None = None
    for number, batch in enumerate(batches(items)):
        rows: pa.Table = evidence_rows(batch, landed_at=START, pull_id="raw")
        writer = writer or pq.ParquetWriter(
            folder / "raw.parquet", rows.schema, compression="zstd", compression_level=1
        )
        seconds += timed(lambda rows=rows, writer=writer: writer.write_table(rows))[1]
        bookmark = lake.land(
            "bench", batch, bookmark=bookmark, cursor=Cursor(str(number)), pull_id=str(number)
        ).bookmark
    if writer is not None:
        writer.close()
    return seconds


def small(lake: Lake, items: int, seal: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Wall seconds of landing 50 items of one day, and of sealing them, `COMMITS` times."""
    landed, sealed, bookmark = [], [], lake.bookmark("bench")
    for number in range(COMMITS):
        first = items + number * SMALL
        at = datetime(2026, 11, 2, 9, number, tzinfo=UTC)
        batch = [_moved(item(n), at) for n in range(first, first + SMALL)]
        began = time.perf_counter()
        bookmark = lake.land(
            "bench", batch, bookmark=bookmark, cursor=Cursor(f"s{number}"), pull_id=f"s{number}"
        ).bookmark
        landed.append(time.perf_counter() - began)
        sealed.append(timed(seal)[0])
    return landed, sealed


def _moved(one: EvidenceItem, at: datetime) -> EvidenceItem:
    return EvidenceItem(
        source=one.source, kind=one.kind, subject=one.subject, system=one.system, title=one.title,
        observed_from=at, observed_to=at, collected_at=at, payload=one.payload,
    )  # fmt: skip


def proofs(lake: Lake, items: int) -> tuple[float, float]:
    """Median wall seconds of an inclusion and of a consistency proof."""
    sizes = history_sizes(lake.place)
    ids = [item(number).item_id for number in range(0, items, max(1, items // 9))]
    inclusion = [timed(lambda one=one: inclusion_proof(lake, one))[0] for one in ids]
    pairs = [(sizes[0] or sizes[1], new) for new in sizes[2:11]]
    consistency = [timed(lambda p=pair: consistency_proof(lake, *p))[0] for pair in pairs]
    return median(inclusion), median(consistency)


def scan(lake: Lake) -> tuple[float, float]:
    """Reading and hashing every payload in the engine."""
    with connect(lake, limits=Limits(memory_mb=4096)) as connection:
        sql = "SELECT sum(hash(payload)) FROM evidence"
        return timed(lambda: connection.execute(sql).fetchall())


def alone(path: Path, vkey: str, processes: int) -> None:
    """Verify with so many processes, and print what it took: the work of another process.

    The memory is that of all its processes at their most, as if that were at one moment.
    """
    with watched() as most:
        wall, cpu = timed(lambda: verify(path, vkey, processes=processes))
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu += theirs.ru_utime + theirs.ru_stime
    print(json.dumps([wall, cpu, peak() + sum(most.values())]))


@contextmanager
def watched() -> Iterator[dict[int, float]]:
    """The most MiB that each process which this one began has held so far, by its number."""
    most, done = dict[int, float](), threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            for child in multiprocessing.active_children():
                with suppress(OSError, ValueError, IndexError):
                    most[child.pid or 0] = peak(str(child.pid))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()


def peak(process: str = "self") -> float:
    """The most MiB a process held. Not `ru_maxrss`: a child begins with its parent's."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def verified(path: Path, vkey: str, processes: int) -> list[float]:
    """Wall seconds, CPU seconds and peak MiB of `verify` in processes of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.ledger",
        "--verify",
        str(path),
        vkey,
        str(processes),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def main(items: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake.create(folder / "lake", clock=lambda: datetime.now(UTC))
        vkey = make_key(folder / "key", origin="bench/lake")
        signer = load_key(folder / "key", origin="bench/lake")
        raw = fill(lake, folder, items)
        landing = peak()
        wall, cpu = timed(lambda: integrate(lake, signer))
        grown = peak()
        landed, sealed = small(lake, items, lambda: integrate(lake, signer))
        inclusion, consistency = proofs(lake, items)
        read, read_cpu = scan(lake)
        told = {n: verified(folder / "lake", vkey, n) for n in sorted({1, cores()})}
    rows = [
        ("raw Parquet, zstd-1, one file", f"{items / raw:,.0f} rows a CPU second", "1"),
        ("seal all", f"{items / cpu:,.0f} leaves a CPU second, {wall:.1f} s",
         f"{cpu / raw:.2f}× raw CPU"),
        ("seal a commit of 50, median", f"{median(sealed) * 1000:.0f} ms",
         f"{median(sealed) / median(landed):.2f}× landing it ({median(landed) * 1000:.0f} ms)"),
        ("prove an item, median", f"{inclusion * 1000:.0f} ms", ""),
        ("prove that a seal continues another", f"{consistency * 1000:.1f} ms", ""),
        ("scan of the payloads", f"{read:.2f} s, {read_cpu:.2f} s CPU", "1"),
        *(
            (f"verify, processes: {number}", f"{wall:.1f} s, {cpu:.1f} s CPU, {memory:,.0f} MiB",
             f"{wall / read:.1f}× scan, {cpu / read_cpu:.1f}× its CPU")
            for number, (wall, cpu, memory) in told.items()
        ),
        ("peak memory until landed, until sealed", f"{landing:,.0f} MiB, {grown:,.0f} MiB", ""),
    ]  # fmt: skip
    print(f"| {items:,} items | measured | ratio |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--verify"]:
        alone(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
