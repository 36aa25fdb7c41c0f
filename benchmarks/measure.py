"""Items, clocks and the table that the benchmarks print: what they have in common."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.parquet as pq

from benchmarks.records import record, scattered
from evidence.model import Cursor, EvidenceItem
from storage.lake import Bookmark, Lake
from storage.schema import TABLES

SOURCE = "bench"
BATCH, SMALL = 10_000, 50


def item(number: int, at: datetime | None = None) -> EvidenceItem:
    """Ticket `number` as evidence, of any minute of the months unless told."""
    one = range(number, number + 1)
    return made(record(number, at) if at else next(scattered(one)))


def made(told: dict[str, Any]) -> EvidenceItem:
    """One ticket as evidence."""
    at = told["at"]
    return EvidenceItem(
        source=SOURCE, kind="jira.issue", subject=told["subject"], system=told["system"],
        observed_from=at, observed_to=at, collected_at=at, title=told["title"],
        payload=told["payload"],
    )  # fmt: skip


def batches(records: Iterable[dict[str, Any]], size: int) -> Iterator[list[EvidenceItem]]:
    """Items in batches, built anew each time: building is not what is measured."""
    rest = iter(records)
    while batch := [made(told) for told in islice(rest, size)]:
        yield batch


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of the wall, and of this process's CPU on all cores: these hold on a busy machine."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: Took) -> Took:
        return Took(self.wall + other.wall, self.cpu + other.cpu)

    def over(self, other: Took) -> str:
        """How many times the other."""
        return f"{self.wall / other.wall:.2f}× ({self.cpu / other.cpu:.2f}× its CPU)"

    def rate(self, number: int) -> str:
        """So many a second, of the wall and of CPU."""
        return f"{number / self.wall:,.0f}/s ({number / self.cpu:,.0f} a CPU s)"

    @property
    def ms(self) -> str:
        """Milliseconds of both."""
        return f"{self.wall * 1000:,.1f} ms ({self.cpu * 1000:,.1f} CPU)"


def took(work: Callable[[], object]) -> Took:
    """What a piece of work takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def best(work: Callable[[], object], times: int = 5) -> Took:
    """The quickest of some tries."""
    return min((took(work) for _ in range(times)), key=lambda each: each.wall)


def middle(each: Sequence[Took]) -> Took:
    """The medians."""
    return Took(median(one.wall for one in each), median(one.cpu for one in each))


def landing(lake: Lake, batch: list[EvidenceItem], word: str) -> tuple[Took, int]:
    """Land a batch as a collector's run does, bookmark first; how many items were new."""
    new = 0

    def land() -> Bookmark:
        nonlocal new
        landed = lake.land(
            SOURCE, batch, bookmark=lake.bookmark(SOURCE), cursor=Cursor(word), pull_id=word
        )
        new = landed.new
        return landed.bookmark

    return took(land), new


def bare_commit(folder: Path, rows: Any, word: str) -> Took:
    """The least that a durable commit can be: a Parquet file and an entry, each forced to disk."""

    def commit() -> None:
        data, entry = folder / f"{word}.parquet", folder / f"{word}.new"
        with data.open("xb") as file:
            write_raw(rows, file)
            file.flush()
            os.fsync(file.fileno())
        with entry.open("xb") as file:
            file.write(b"{}")
            file.flush()
            os.fsync(file.fileno())
        os.link(entry, folder / f"{word}.json")
        handle = os.open(folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)

    return took(commit)


def write_raw(rows: Any, to: Any) -> None:
    """The rows as one Parquet file, compressed as the lake does, and nothing else."""
    with raw_writer(rows, to) as writer:
        writer.write_table(rows)


def raw_writer(rows: Any, to: Any) -> pq.ParquetWriter:
    """A writer for such rows."""
    dictionary: Any = list(TABLES["evidence"].dictionary)
    return pq.ParquetWriter(
        to, rows.schema, compression="zstd", compression_level=1, use_dictionary=dictionary
    )


def now() -> datetime:
    """The clock of the benchmarks."""
    return datetime.now(UTC)


def peak() -> float:
    """The most MiB this process held. Not `ru_maxrss`: a child begins with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table in Markdown."""
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
