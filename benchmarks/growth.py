"""A lake that grows: what landing costs, beside raw Parquet of the same rows."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import (
    BATCH,
    SMALL,
    SOURCE,
    Took,
    bare_commit,
    batches,
    best,
    landing,
    made,
    middle,
    now,
    raw_writer,
    took,
)
from benchmarks.records import START, moment, record, scattered, spread, today
from evidence.model import EvidenceItem
from storage import delta, known
from storage.index import open_index
from storage.keys import load_key, make_key
from storage.lake import Lake
from storage.ledger import integrate
from storage.maintain import maintain
from storage.place_local import LocalPlace
from storage.rows import STEP_ROWS, evidence_rows
from storage.schema import TABLES

FEW, AGAIN = 200, 100_000
ELSEWHERE = 1 << 40
"""Tickets from here on are none of those that the lake was grown with."""
TAGS = """SELECT item_id, 'iso42001:control-' || (CAST(substr(subject, 3) AS BIGINT) % 38) AS
    control, 'change_request' AS evidence, 'r' AS rule, 'full' AS strength, 'x' AS rationale,
    'm' AS mapping_digest FROM items WHERE kind <> 'headwater.pull'"""


@dataclass(slots=True)
class Grown:
    """What growing by some items took: raw Parquet, its rows committed, the items landed."""

    raw: Took = field(default_factory=Took)
    committed: Took = field(default_factory=Took)
    landed: Took = field(default_factory=Took)


@dataclass(slots=True)
class Growing:
    """A lake in a folder, and how its tickets are numbered."""

    folder: Path
    stretches: list[range] = field(default_factory=list)
    elsewhere: int = ELSEWHERE
    minutes: int = 0
    lake: Lake = field(init=False)
    signer: Any = field(init=False)

    def __post_init__(self) -> None:
        self.lake = Lake.create(self.folder / "lake", clock=now)
        make_key(self.folder / "key", origin="bench.example/lake")
        self.signer = load_key(self.folder / "key")

    def grow(self, size: int) -> Grown:
        """Land up to `size` tickets, oldest first over the months, in batches of 10,000."""
        low = self.stretches[-1].stop if self.stretches else 0
        self.stretches.append(range(low, size))
        grown = Grown()
        beside = _Beside(self.folder, grown)
        for batch in batches(spread(low, size), BATCH):
            beside.take(evidence_rows(batch, landed_at=START, pull_id="raw"))
            spent, new = landing(self.lake, batch, batch[0].subject)
            grown.landed += spent
            _expect(new, len(batch))
        beside.close()
        return grown

    def follow(self) -> tuple[Took, Took]:
        """Tag everything new, then seal it."""
        tagged = took(lambda: self.lake.follow_sql("tags", TAGS, app="tags:m"))
        return tagged, took(lambda: integrate(self.lake, self.signer))

    def maintain(self) -> Took:
        """Compact what is sealed, and seal that."""
        return took(
            lambda: (
                maintain(self.lake, self.signer.verifier),
                integrate(self.lake, self.signer),
            )
        )

    def scattered(self, times: int = 3) -> Took:
        """Landing 10,000 new items of any month at once: one file a month each time."""
        return middle([self._new(batch) for batch in batches(self._anywhere(times), BATCH)])

    def _anywhere(self, times: int) -> Iterator[dict[str, Any]]:
        low, self.elsewhere = self.elsewhere, self.elsewhere + times * BATCH
        return scattered(range(low, self.elsewhere))

    def _new(self, batch: list[EvidenceItem]) -> Took:
        spent, new = landing(self.lake, batch, batch[0].subject)
        _expect(new, len(batch))
        return spent

    def again(self, *, anywhere: bool) -> Took:
        """Landing 100,000 known items: a stretch of the last ones, or from all over the lake."""
        spent = Took()
        for batch in batches(self._known(anywhere=anywhere), BATCH):
            took_it, new = landing(self.lake, batch, f"again:{self.minutes}:{batch[0].subject}")
            _expect(new, 0)
            spent += took_it
        return spent

    def _known(self, *, anywhere: bool) -> Iterator[dict[str, Any]]:
        last = self.stretches[-1]
        count = min(AGAIN, len(last))
        numbers: Iterable[int] = last[len(last) - count :]
        if anywhere:
            numbers = random.Random(len(self.stretches)).sample(range(last.stop), count)
        for number in numbers:
            yield self._landed(number)

    def _landed(self, number: int) -> dict[str, Any]:
        """The ticket as `spread` gave it with its stretch."""
        (stretch,) = (stretch for stretch in self.stretches if number in stretch)
        return record(number, moment(number, stretch.start, stretch.stop))

    def guess(self) -> Took:
        """Telling 200 new items from all that is known, the index opened for it."""
        items = [made(told) for told in scattered(range(self.elsewhere, self.elsewhere + FEW))]
        table = self.lake.table("evidence")

        def tell() -> None:
            index = open_index(self.lake.place.derived("index"), table)
            _expect(len(known.unknown(items, table, index)), FEW)

        return best(tell)

    def commits(self, number: int) -> tuple[list[Took], list[Took]]:
        """Landing 50 new items of one minute, so many times; each beside a bare commit of them."""
        landed, bare = [], []
        folder = self.folder / "bare"
        folder.mkdir(exist_ok=True)
        for _ in range(number):
            self.minutes += 1
            numbers = range(self.elsewhere, self.elsewhere + SMALL)
            self.elsewhere += SMALL
            batch = [made(told) for told in today(numbers, self.minutes)]
            landed.append(self._new(batch))
            rows = evidence_rows(batch, landed_at=START, pull_id="raw")
            bare.append(bare_commit(folder, rows, str(self.minutes)))
        return landed, bare

    def some_id(self) -> str:
        """The id of an item from the middle of the lake."""
        last = self.stretches[-1]
        return str(made(self._landed(last[len(last) // 2])).item_id)


class _Beside:
    """The same rows written twice more, 50,000 at a time: raw, and committed to a bare table."""

    def __init__(self, folder: Path, grown: Grown) -> None:
        self._place, self._folder, self._grown = LocalPlace(folder / "beside"), folder, grown
        if not self._place.has("_delta_log/00000000000000000000.json"):
            delta.create(self._place, TABLES["evidence"])
        self._rows: list[pa.Table] = []
        self._raw: pq.ParquetWriter | None = None

    def take(self, rows: pa.Table) -> None:
        self._rows.append(rows)
        if sum(part.num_rows for part in self._rows) >= STEP_ROWS:
            self._write()

    def _write(self) -> None:
        if not self._rows:
            return
        rows = pa.concat_tables(self._rows).combine_chunks()
        self._rows = []
        raw = self._raw = self._raw or raw_writer(rows, self._folder / "raw.parquet")
        self._grown.raw += took(lambda: raw.write_table(rows))
        table = delta.Table(self._place, TABLES["evidence"])
        self._grown.committed += took(lambda: table.commit([rows], app=SOURCE, marker=1))

    def close(self) -> None:
        self._write()
        if self._raw is not None:
            self._grown.raw += took(self._raw.close)


def _expect(found: int, due: int) -> None:
    if found != due:
        raise SystemExit(f"{found} items were new where {due} should be: nothing here is true")
