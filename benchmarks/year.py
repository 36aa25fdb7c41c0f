"""A collector every five minutes for a year: does the lake stay quick while maintenance runs?

Usage: python -m benchmarks.year [COMMITS] [BEFORE]. BEFORE items (default none) land first, as bulk
of the year before. Then COMMITS small landings are spread evenly over 365 days of a clock of its
own (default 3,000; 105,120: one every five minutes). Twelve landings are followed by tags and a
seal, 72 by `maintain`. Prints, as the year goes by, what a commit and each question cost and what
lies on disk; then the same questions right after maintenance and after 500 more commits without it.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from evidence.model import Cursor, EvidenceItem
from evidence.runs import Pull, PullFacts, PullOutcome
from storage.engine import Connection
from storage.keys import load_key, make_key
from storage.lake import Bookmark, Lake
from storage.ledger import integrate
from storage.log_packs import listed_versions
from storage.maintain import maintain
from storage.verify import verify
from storage.views import Limits, connect, sightings

YEAR = timedelta(days=365)
ITEMS, SEAL, MAINTAIN, LOOSE, BULK = 5, 12, 72, 500, 10_000
DIGEST = "bench"
TAG = (
    "SELECT item_id, 'iso42001:8.1' AS control, 'change_request' AS evidence, 'r' AS rule, 'full' "
    "AS strength, 'x' AS rationale, 'bench' AS mapping_digest FROM items "
    "WHERE kind <> 'headwater.pull'"
)  # fmt: skip
QUESTIONS = {
    "point": "SELECT payload FROM evidence WHERE item_id = $id",
    "latest": "SELECT count(*), max(observed_to) FROM latest",
    "kind × month": "SELECT kind, substr(CAST(observed_to AS VARCHAR), 1, 7), count(*) "
    "FROM evidence GROUP BY ALL",
}


@dataclass
class Year:
    """The lake, the clock that the year is played by, and what each landing took."""

    folder: Path
    commits: int
    now: datetime = field(default_factory=lambda: datetime.now(UTC) - YEAR)
    done: int = 0
    took: list[float] = field(default_factory=list)
    sealed: list[float] = field(default_factory=list)
    maintained: list[float] = field(default_factory=list)
    bookmark: Bookmark = field(default_factory=Bookmark)
    first: str = ""

    def __post_init__(self) -> None:
        self.lake = Lake.create(self.folder / "lake", clock=lambda: self.now)
        make_key(self.folder / "key", origin="bench/lake")
        self.signer = load_key(self.folder / "key", origin="bench/lake")

    def load(self, before: int) -> None:
        """Items of the year before, in batches of 10,000."""
        start = self.now
        for low in range(0, before, BULK):
            numbers = range(low, min(low + BULK, before))
            self.now = start
            items = [self._item(-number - 1, YEAR * (number + 1) / before) for number in numbers]
            self.bookmark = self.lake.land(
                "bench", items, bookmark=self.bookmark, cursor=Cursor(f"bulk:{low}"),
                pull_id=f"bulk:{low}",
            ).bookmark  # fmt: skip
        if before:
            self.maintain()

    def land(self) -> None:
        """One small landing of five items and its pull's record."""
        self.now += YEAR / self.commits
        items = [self._item(self.done * ITEMS + n) for n in range(ITEMS)]
        self.first = self.first or items[0].item_id
        word = str(self.done)
        pull = Pull(word, "bench", "benchmarks:none", self.now, self.now, PullOutcome.COMPLETE,
                    PullFacts(), ITEMS)  # fmt: skip
        began = time.perf_counter()
        self.bookmark = self.lake.land(
            "bench", items, bookmark=self.bookmark, cursor=Cursor(word), pull_id=word, pull=pull
        ).bookmark
        self.took.append(time.perf_counter() - began)
        self.done += 1

    def _item(self, number: int, ago: timedelta = timedelta()) -> EvidenceItem:
        at = self.now - ago
        words = [hashlib.sha256(f"{number}:{n}".encode()).hexdigest() for n in range(9)]
        return EvidenceItem(
            source="bench", kind=f"kind-{number % 7}", subject=f"T-{number % 5000}",
            system=f"system-{number % 200}", observed_from=at, observed_to=at, collected_at=at,
            title=f"Ticket {number}", payload={"id": number, "words": words},
        )  # fmt: skip

    def follow(self) -> None:
        """Tags and the seal."""
        self.lake.follow_sql("tags", TAG, app=f"tags:{DIGEST}")
        began = time.perf_counter()
        integrate(self.lake, self.signer)
        self.sealed.append(time.perf_counter() - began)

    def maintain(self) -> None:
        """Maintenance as its flow does it."""
        self.follow()
        began = time.perf_counter()
        maintain(self.lake, self.signer.verifier)
        self.maintained.append(time.perf_counter() - began)
        integrate(self.lake, self.signer)

    def play(self, until: int) -> None:
        """Landings, seals and maintenance up to a number of landings."""
        while self.done < until:
            self.land()
            if self.done % MAINTAIN == 0:
                self.maintain()
            elif self.done % SEAL == 0:
                self.follow()

    def asked(self) -> dict[str, float]:
        """Milliseconds of each question, best of three, on a connection opened before."""
        told = {
            "open": best(lambda: self.lake.table("evidence").files()),
            "bookmark": best(lambda: self.lake.bookmark("bench")),
        }
        with connect(self.lake, mapping_digest=DIGEST, limits=Limits(memory_mb=2048)) as connection:
            for name, sql in QUESTIONS.items():
                values = {"id": self.first} if "$id" in sql else {}
                told[name] = best(partial(_rows, connection, sql, values))
            told["sightings"] = best(lambda: sightings(connection, self.now))
        return told

    def row(self) -> list[str]:
        """One row of the table."""
        evidence = self.lake.place.at("evidence")
        size = sum(p.stat().st_size for p in Path(self.lake.place.uri).rglob("*") if p.is_file())
        lying = len(list(Path(self.lake.place.uri).rglob("*.parquet")))
        asked = self.asked()
        return [
            f"{self.done:,}", f"{median(self.took[-200:]) * 1000:.0f}",
            f"{median(self.sealed[-50:]) * 1000:.0f}" if self.sealed else "",
            f"{median(self.maintained[-10:]) * 1000:.0f}" if self.maintained else "",
            *(f"{value:.0f}" for value in asked.values()),
            str(len(self.lake.files("evidence"))), f"{lying:,}",
            f"{len(listed_versions(evidence)):,}", f"{size / 1e6:,.0f}", f"{_held():,.0f}",
        ]  # fmt: skip


def _held() -> float:
    """MiB that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _rows(connection: Connection, sql: str, values: dict[str, str]) -> object:
    return connection.execute(sql, values).fetchall()


def best(work: Callable[[], object]) -> float:
    """Milliseconds of the quickest of three."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times) * 1000


def main(commits: int, before: int = 0) -> None:
    """Play the year and print."""
    heads = ["landings", "commit ms", "seal ms", "maintain ms", "open ms", "bookmark ms",
             *(f"{q} ms" for q in QUESTIONS),
             "sightings ms", "files", "Parquet on disk", "log entries", "MB",
             "RSS MiB"]  # fmt: skip
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    with tempfile.TemporaryDirectory() as name:
        year = Year(Path(name), commits)
        year.load(before)
        for part in (0.02, 0.1, 0.5, 1.0):
            year.play(int(commits * part))
            print("| " + " | ".join(year.row()) + " |", flush=True)
        year.maintain()
        lean = year.asked()
        for _ in range(LOOSE):
            year.land()
        year.follow()
        loose = year.asked()
        year.maintain()
        ratios = (f"{key} {lean[key]:.0f} → {loose[key]:.0f} ms" for key in lean)
        print(f"\nRight after maintenance → after {LOOSE} commits without: {', '.join(ratios)}.")
        print(f"The maintenance after them: {year.maintained[-1]:.1f} s.")
        began = time.perf_counter()
        found = verify(year.lake.place, year.signer.vkey)
        seconds = time.perf_counter() - began
        print(f"Verified: {found.items:,} items in {seconds:.1f} s; {'; '.join(found.notes)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3] or ["3000"]))
