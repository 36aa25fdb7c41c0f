"""A lake at one size after the other: landing, landing again and asking, beside their raw limits.

Usage: python -m benchmarks.lake [SIZE]... (default 100000). Each size is grown from the one before
and is a column. Tickets of about 1.2 KB lie over 24 months and 200 systems. CPU is this process's
own, on all cores.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.asked import Asked, ask
from benchmarks.growth import Growing
from benchmarks.measure import BATCH, Took, middle, peak, print_table

COMMITS = 500


def measured(growing: Growing, size: int) -> dict[str, str]:
    """Everything at one size: what it is called → what it took."""
    before = growing.stretches[-1].stop if growing.stretches else 0
    grown = growing.grow(size)
    count, raw = size - before, grown.raw
    told = {
        "raw Parquet, zstd-1, one file": raw.rate(count),
        "the same rows committed": f"{grown.committed.rate(count)}, {grown.committed.over(raw)}",
        "items landed, batches of 10,000": f"{grown.landed.rate(count)}, {grown.landed.over(raw)}",
    }
    scattered = growing.scattered()
    told["10,000 items of all months at once"] = scattered.rate(BATCH)
    tagged, sealed = growing.follow()
    told |= {"tagged": tagged.rate(count), "sealed": sealed.rate(count)}
    told["maintained"] = f"{growing.maintain().wall:,.1f} s"
    told |= _again(growing)
    lean = ask(growing)
    told |= _asked(lean)
    told |= _commits(growing, lean)
    told["most memory until then"] = f"{peak():,.0f} MiB"
    return told


def _again(growing: Growing) -> dict[str, str]:
    return {
        "100,000 known items, the last ones": growing.again(anywhere=False).ms,
        "100,000 known items, from anywhere": growing.again(anywhere=True).ms,
        "telling 200 new items from known ones": growing.guess().ms,
    }


def _asked(lean: Asked) -> dict[str, str]:
    scan, payload = lean.scans["four"], lean.scans["payload"]
    ids = lean.scans["item_id"]
    return {
        "scan of item_id": ids.ms,
        "scan of the 4 columns of freshness": scan.ms,
        "scan of payload": payload.ms,
        "point look-up": f"{lean.point.ms}, {lean.point.wall / ids.wall:.2f}× scan of item_id",
        "latest of each system and control": _beside(lean.latest, scan, payload),
        "fold into sightings": _beside(lean.sightings, scan, payload),
        "a control in a month": lean.month.ms,
        "counts by kind and month": lean.counts.ms,
    }


def _beside(one: Took, scan: Took, payload: Took) -> str:
    return (
        f"{one.ms}, {one.wall / scan.wall:.1f}× scan of 4, "
        f"{one.wall / payload.wall:.2f}× scan of payload"
    )


def _commits(growing: Growing, lean: Asked) -> dict[str, str]:
    landed, bare = growing.commits(COMMITS)
    one, least = middle(landed), middle(bare)
    drift = middle(landed[-50:]).wall / middle(landed[:50]).wall
    growing.follow()
    loose = ask(growing)
    worse = {name: took.wall / lean.questions[name].wall for name, took in loose.questions.items()}
    return {
        "a commit of 50, median of 500": f"{one.ms}, {one.wall / least.wall:.1f}× bare "
        f"({least.ms}), last 50 {drift:.2f}× first",
        "after 500 commits": ", ".join(f"{name} {ratio:.1f}×" for name, ratio in worse.items()),
        "maintenance after them": f"{growing.maintain().wall:,.1f} s",
    }


def main(sizes: list[int]) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        growing = Growing(Path(name))
        columns = []
        for size in sizes:
            columns.append(measured(growing, size))
            print_table(["items", f"{size:,}"], columns[-1].items())
        if len(columns) > 1:
            heads = ["items", *(f"{size:,}" for size in sizes)]
            print_table(heads, ([what, *(c[what] for c in columns)] for what in columns[0]))


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [100_000])
