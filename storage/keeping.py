"""Making what is kept for judging: what can speak no more is counted and left out, the rest copied.

It is made in parts of the subjects, so that memory does not grow with the lake.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from evidence.errors import LakeError
from evidence.gaps import Cover
from evidence.own import CORRECTION_KIND, OWN_SOURCE
from evidence.runs import PULL_KIND
from evidence.times import stamp
from storage.alone import HASH, write
from storage.arrivals import Asked
from storage.covers import Aging, Covered
from storage.engine import Connection, literal
from storage.kept import BAD, FOLDER, FORM, GIVEN_UP, sha256, told, told_covers
from storage.lake import Lake
from storage.schema import EVIDENCE, TAGS
from storage.seen import ask_seen
from storage.sightings import Key

_SUBJECT = "source, kind, system, subject"
_BEGUN = (
    """CREATE OR REPLACE TEMP TABLE stirred AS SELECT DISTINCT source, kind FROM evidence
        WHERE change <> 'new' OR nature <> 'event'""",
    """CREATE OR REPLACE TEMP TABLE marked AS SELECT item_id FROM lake_claims
        WHERE starts_with(control, 'event:') UNION SELECT item_id FROM corrections""",
    """CREATE OR REPLACE TEMP TABLE rest AS SELECT item_id FROM evidence SEMI JOIN stirred
        USING (source, kind)""",
)
_PART = f"""CREATE OR REPLACE TEMP TABLE part AS WITH {{seen}}
    SELECT item_id, {_SUBJECT}, place, observed_to, collected_at, landed_at,
        confirmed AND outcome NOT IN {BAD} AND observed_to <= $now
            AND NOT starts_with(kind, '{OWN_SOURCE}.') AS calm
    FROM seen ANTI JOIN stirred USING (source, kind)
"""  # noqa: S608  ours
"""Of the subjects that are shown, those of the kinds that nothing stirred: of each part the newest
item of a key stays, where one of all parts would do."""
_PART_CLAIMS = """CREATE OR REPLACE TEMP TABLE part_claims AS
    SELECT DISTINCT item_id, control, evidence, lake_weighs(strength) AS weighs
    FROM {claims} SEMI JOIN part USING (item_id)"""
_LEFT_OUT = f"""CREATE OR REPLACE TEMP TABLE left_out AS
WITH many AS (
    -- Most events stand alone: nothing has to be put in order for them.
    SELECT {_SUBJECT} FROM part GROUP BY ALL HAVING count(*) > 1
), last AS (
    SELECT {_SUBJECT}, arg_max(calm, place) AS calm, max(place) AS place
    FROM part SEMI JOIN many USING ({_SUBJECT}) GROUP BY ALL
), prunable AS (
    SELECT item_id, system, observed_to, collected_at, landed_at, {HASH} AS alone
    FROM part ANTI JOIN many USING ({_SUBJECT}) WHERE calm
    UNION ALL
    -- Of several results of a subject the last stays: by it a new failure stands or does not.
    SELECT s.item_id, system, observed_to, collected_at, landed_at, NULL
    FROM part s JOIN last l USING ({_SUBJECT})
    WHERE s.calm AND l.calm AND s.place <> l.place
), top AS (
    SELECT arg_max(item_id, row(observed_to, collected_at, landed_at, item_id)) AS item_id
    FROM prunable JOIN part_claims c USING (item_id) ANTI JOIN marked USING (item_id)
    GROUP BY c.control, c.evidence, system, c.weighs
)
SELECT item_id, system, alone FROM prunable
ANTI JOIN marked USING (item_id) ANTI JOIN top USING (item_id)
"""  # noqa: S608  ours
_MARKED = "INSERT INTO marked SELECT unnest($served::VARCHAR[])"
_REST = "INSERT INTO rest SELECT item_id FROM part ANTI JOIN left_out USING (item_id)"
_COUNTS = """SELECT control, evidence, system, count(DISTINCT item_id)
    FROM left_out JOIN part_claims USING (item_id) GROUP BY ALL"""
_TOLD = f"({literal(PULL_KIND)}, {literal(CORRECTION_KIND)})"
_EVIDENCE = f"""SELECT * FROM evidence SEMI JOIN rest USING (item_id) WHERE kind IN {_TOLD}
    UNION ALL SELECT * REPLACE ('{{}}' AS payload) FROM evidence SEMI JOIN rest USING (item_id)
    WHERE kind NOT IN {_TOLD}"""  # noqa: S608  ours
"""Nobody asks for the payloads of the others: they are not even read."""
_STILL = """SELECT source, kind FROM evidence GROUP BY ALL
    HAVING bool_and(change = 'new' AND nature = 'event') ORDER BY ALL"""
"""Kinds of which nothing ever changed: when something does, what was left out may speak again."""
LEFT_OUT, _ROWS = "left_out", 100_000
_ALONE = "SELECT alone FROM left_out WHERE alone IS NOT NULL"


@dataclass(slots=True)
class Keeping:
    """Makes the state of what a connection shows: all that landed by these versions of evidence and
    tags.

    Where it cannot be made (too little memory, a full or read-only disk) there is none, and it is
    tried again after a day: nobody's judgement fails by it.
    """

    connection: Connection
    lake: Lake
    versions: tuple[int, int]
    mapping: str
    now: datetime
    asked: Sequence[Asked]
    ages: Sequence[Aging]
    failed: bool = False
    _begun: bool = False
    _counts: dict[Key, int] = field(default_factory=lambda: defaultdict(int))
    _covered: Covered = field(init=False)
    _alone: list[NDArray[np.uint64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._covered = Covered(self.connection, self.now, self.ages)

    def take(self, served: Collection[str]) -> Mapping[Key, Sequence[Cover]] | None:
        """Leave out what may be left out of the subjects that are shown now, `served` aside: count
        it, and note the hashes of those that stand alone. `LEFT_OUT` is a table of it then.

        What it covered; None if no state can be made.
        """
        if not self.failed:
            with self._may_fail():
                return self._leave_out(served)
        return None

    def save(self) -> None:
        """Write it, once all subjects were shown."""
        if not self.failed:
            with self._may_fail():
                _save(self.connection, self.lake.place.derived(FOLDER), self._state(), self._alone)

    def _leave_out(self, served: Collection[str]) -> Mapping[Key, Sequence[Cover]]:
        if not self._begun:
            for sql in _BEGUN:
                self.connection.execute(sql)
            self._begun = True
        self.connection.execute(_MARKED, {"served": sorted(served)})
        for sql in (_PART, _PART_CLAIMS, _LEFT_OUT, _REST):
            ask_seen(self.connection, sql, self.now, {})
        for control, evidence, system, count in self.connection.execute(_COUNTS).fetchall():
            self._counts[control, evidence, system] += count
        for table in ("part", "part_claims"):  # memory, for what comes next
            self.connection.execute(f"DROP TABLE {table}")
        alone = self.connection.execute(_ALONE).fetchnumpy()["alone"]
        self._alone.append(np.asarray(alone, np.uint64))
        found = Covered(self.connection, self.now, self.ages)
        found.take(only=LEFT_OUT)
        self._covered.add(found.told)
        return found.told

    def _state(self) -> dict[str, Any]:
        evidence, tags = (
            (version, self.lake.table(name).entry_digest(version))
            for name, version in zip(("evidence", "tags"), self.versions, strict=True)
        )
        covered = {key: until(many, self.now) for key, many in self._covered.told.items()}
        return {
            "form": FORM, "engine": duckdb.__version__, "evidence": evidence, "tags": tags,
            "mapping": self.mapping, "at": stamp(self.now),
            "kinds": self.connection.execute(_STILL).fetchall(),
            "counts": [(*key, count) for key, count in sorted(self._counts.items())],
            "covers": told_covers(covered),
            "asked": [*map(told, self.asked), *map(told, self.ages)], "heeded": [],
        }  # fmt: skip

    @contextmanager
    def _may_fail(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.Error, pa.ArrowException, MemoryError, OSError, LakeError):
            self.failed = True
            home = self.lake.place.derived(FOLDER)
            with suppress(OSError):
                home.mkdir(exist_ok=True)
                (home / GIVEN_UP).write_text(stamp(self.now))


def _save(
    connection: Connection, home: Path, state: Mapping[str, Any],
    alone: Sequence[NDArray[np.uint64]],
) -> None:  # fmt: skip
    """Write it beside the old one, then let it be the current one."""
    folder = home / uuid.uuid4().hex
    (folder / "month=kept").mkdir(parents=True)
    tables = {
        "month=kept/evidence.parquet": (_EVIDENCE, EVIDENCE),
        "tags.parquet": ("SELECT * FROM lake_claims SEMI JOIN rest USING (item_id)", TAGS),
    }
    for name, (sql, schema) in tables.items():
        names = [column for column in schema.names if column != "month"]
        written = pa.schema([schema.field(column) for column in names])
        with pq.ParquetWriter(folder / name, written) as file:
            for rows in connection.execute(sql).to_arrow_reader(_ROWS):
                file.write_batch(rows.select(names).cast(written))
    files = {name: sha256(folder / name) for name in tables}
    told = {**state, "files": files, "alone": write(folder, alone)}
    (folder / "state.json").write_text(json.dumps(told))
    pointer = home / f".{folder.name}"
    pointer.write_text(folder.name)
    pointer.replace(home / "current")
    for old in home.iterdir():
        if old.is_dir() and old.name != folder.name:
            shutil.rmtree(old, ignore_errors=True)


def until(covers: Iterable[Cover], at: datetime) -> tuple[Cover, ...]:
    """What they cover until then: what is kept covers all that comes after, or nothing does."""
    return tuple(replace(one, ends=min(one.ends, at)) for one in covers if one.starts < at)
