"""Small commits one after the other, with no maintenance: what the first and the last cost.

Usage: python -m benchmarks.commits [COMMITS] (default 1,000). Each lands 50 new items of one
minute, beside a bare commit of the same rows: a Parquet file and a log entry, each forced to disk.
What regular maintenance makes of it is measured by year.py.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.growth import Growing
from benchmarks.measure import Took, middle, print_table, took

WINDOW = 50


def row(growing: Growing, number: int) -> list[str]:
    """The next 50 commits after so many, and what they find."""
    landed, bare = growing.commits(WINDOW)
    return [
        f"{number:,}", middle(landed).ms, middle(bare).ms,
        f"{middle(landed).wall / middle(bare).wall:.1f}×", opened(growing).ms,
        f"{len(growing.lake.files('evidence')):,}",
    ]  # fmt: skip


def opened(growing: Growing) -> Took:
    """Opening the table and listing its files, as every reader does."""
    return middle([took(lambda: growing.lake.files("evidence")) for _ in range(5)])


def main(commits: int) -> None:
    """Measure and print."""
    marks = [mark for mark in (1, 100, 1_000, 10_000) if mark <= commits]
    rows, done = [], 0
    with tempfile.TemporaryDirectory() as name:
        growing = Growing(Path(name))
        for mark in marks:
            growing.commits(mark - done)
            rows.append(row(growing, mark))
            done = mark + WINDOW
    heads = ["after commits", "landing 50", "bare commit", "ratio", "open and list", "files"]
    print_table(heads, rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
