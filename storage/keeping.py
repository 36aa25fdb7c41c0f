"""Making what is kept for judging: what can speak no more is counted and left out, the rest copied.

It is made in parts of the subjects, so that memory does not grow with the lake.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
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
from evidence.gaps import Cover, joined
from evidence.own import CORRECTION_KIND, OWN_SOURCE
from evidence.runs import PULL_KIND
from evidence.times import stamp, utc
from storage.alone import HASH, write
from storage.arrivals import Asked, served_items
from storage.covers import Aging, covers
from storage.engine import Connection, literal
from storage.kept import BAD, FOLDER, FORM, GIVEN_UP, sha256, told, told_covers
from storage.lake import Lake
from storage.schema import EVIDENCE, TAGS
from storage.seen import SEEN
from storage.sightings import Key

_SUBJECT = "source, kind, system, subject"
_BEGUN = (
    """CREATE TEMP TABLE stirred AS SELECT DISTINCT source, kind FROM evidence
        WHERE change <> 'new' OR nature <> 'event'""",
    """CREATE TEMP TABLE marked AS SELECT item_id FROM lake_claims
        WHERE starts_with(control, 'event:')
        UNION SELECT item_id FROM corrections UNION SELECT unnest($served::VARCHAR[])""",
    """CREATE TEMP TABLE rest AS SELECT item_id FROM evidence SEMI JOIN stirred
        USING (source, kind)""",
)
_PART = f"""CREATE OR REPLACE TEMP TABLE part AS WITH {SEEN}
    SELECT item_id, {_SUBJECT}, place, observed_to, collected_at, landed_at,
        confirmed AND outcome NOT IN {BAD} AND observed_to <= $now
            AND NOT starts_with(kind, '{OWN_SOURCE}.') AS calm
    FROM seen ANTI JOIN stirred USING (source, kind) WHERE hash({_SUBJECT}) % $parts = $part
"""  # noqa: S608  ours
"""Some subjects of the kinds that nothing stirred, so that memory does not grow with the lake: of
each part the newest item of a key stays, where one of all parts would do."""
_PART_CLAIMS = """CREATE OR REPLACE TEMP TABLE part_claims AS
    SELECT DISTINCT item_id, control, evidence, lake_weighs(strength) AS weighs
    FROM lake_claims SEMI JOIN part USING (item_id)"""
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
_REST = "INSERT INTO rest SELECT item_id FROM part ANTI JOIN left_out USING (item_id)"
_COUNTS = """SELECT control, evidence, system, count(DISTINCT item_id)
    FROM left_out JOIN part_claims USING (item_id) GROUP BY ALL"""
_EVIDENCE = f"""SELECT * REPLACE (
        CASE WHEN kind IN ({literal(PULL_KIND)}, {literal(CORRECTION_KIND)}) THEN payload
            ELSE '{{}}' END AS payload)
    FROM evidence SEMI JOIN rest USING (item_id)"""  # noqa: S608  ours
"""Nobody asks for the payloads of the others."""
_STILL = """SELECT source, kind FROM evidence GROUP BY ALL
    HAVING bool_and(change = 'new' AND nature = 'event') ORDER BY ALL"""
"""Kinds of which nothing ever changed: when something does, what was left out may speak again."""
_ALONE = "SELECT alone FROM left_out WHERE alone IS NOT NULL"
AT_ONCE = 1_000_000
"""Items whose subjects are looked at together: the engine holds some 1 kB of each."""


def keep(
    connection: Connection, lake: Lake, versions: tuple[int, int], mapping: str, now: datetime,
    asked: Sequence[Asked], ages: Sequence[Aging] = (),
) -> None:  # fmt: skip
    """Make the state of what the connection shows: all that landed by these versions of evidence
    and tags.

    Where it cannot be made (too little memory, a full or read-only disk) there is none, and it is
    tried again after a day: nobody's judgement fails by it.
    """
    home = lake.place.derived(FOLDER)
    try:
        state, alone = _state(connection, lake, versions, now, asked, ages)
        _save(connection, home, state | {"mapping": mapping}, alone)
    except (duckdb.Error, pa.ArrowException, MemoryError, OSError, LakeError):
        with suppress(OSError):
            home.mkdir(exist_ok=True)
            (home / GIVEN_UP).write_text(stamp(now))


def _state(
    connection: Connection, lake: Lake, versions: tuple[int, int], now: datetime,
    asked: Sequence[Asked], ages: Sequence[Aging],
) -> tuple[dict[str, Any], list[NDArray[np.uint64]]]:  # fmt: skip
    evidence, tags = (
        (version, lake.table(name).entry_digest(version))
        for name, version in zip(("evidence", "tags"), versions, strict=True)
    )
    left_out = _LeftOut()
    served = served_items(connection, now, asked)
    for _ in _parts(connection, now, served):
        left_out.add(connection, now, ages)
    state = {
        "form": FORM, "engine": duckdb.__version__, "evidence": evidence, "tags": tags,
        "at": stamp(now), "kinds": connection.execute(_STILL).fetchall(),
        "counts": [(*key, count) for key, count in sorted(left_out.counts.items())],
        "covers": told_covers({key: until(many, now) for key, many in left_out.covers.items()}),
        "asked": [*map(told, asked), *map(told, ages)], "heeded": [],
    }  # fmt: skip
    return state, left_out.alone


@dataclass(slots=True)
class _LeftOut:
    """What is told of the items that are left out: how many of each key, what they covered, and the
    hashes of the subjects that stand alone."""

    counts: dict[Key, int] = field(default_factory=lambda: defaultdict(int))
    covers: dict[Key, tuple[Cover, ...]] = field(default_factory=dict)
    alone: list[NDArray[np.uint64]] = field(default_factory=list)

    def add(self, connection: Connection, now: datetime, ages: Sequence[Aging]) -> None:
        """Take in the part that the table `left_out` holds."""
        for control, evidence, system, count in connection.execute(_COUNTS).fetchall():
            self.counts[control, evidence, system] += count
        connection.execute("DROP TABLE part_claims")  # memory, for what comes next
        for key, found in covers(connection, now, ages, only="left_out").items():
            self.covers[key] = joined((*self.covers.get(key, ()), *found))
        self.alone.append(np.asarray(connection.execute(_ALONE).fetchnumpy()["alone"], np.uint64))


def _parts(connection: Connection, now: datetime, served: Sequence[str]) -> Iterator[int]:
    """Fill `left_out` with one part after the other, and `rest` with what it leaves of each."""
    for sql in _BEGUN:
        connection.execute(sql, {"served": served} if "$served" in sql else {})
    (rows,) = connection.execute("SELECT count(*) FROM evidence").fetchone() or (0,)
    parts = 1 + rows // AT_ONCE
    for part in range(parts):
        connection.execute(_PART, {"now": utc(now, what="now"), "parts": parts, "part": part})
        for sql in (_PART_CLAIMS, _LEFT_OUT, _REST, "DROP TABLE part"):
            connection.execute(sql)
        yield part


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
        rows = connection.execute(sql).to_arrow_table()
        names = [column for column in schema.names if column != "month"]
        pq.write_table(rows.select(names).cast(pa.schema([schema.field(n) for n in names])),
                       folder / name)  # fmt: skip
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
