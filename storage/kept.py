"""What the judge still needs of a lake, kept small: the same queries over it give the same answer.

Of millions of events most can never speak again: they passed, a whole pull confirmed them, nothing
of their kind ever changes, and a later one stands for them. They are counted and left out; the
rest, with what landed since, is asked as the whole lake would be.

It is a copy that can be made again and is never sealed: it is believed for a day at most, only for
the very log that it was made from, and only as long as nothing lands that could make an item that
was left out speak again. `headwater verify` judges without it and compares.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evidence.canonical import digest, plain
from evidence.errors import HeadwaterError, LakeError
from evidence.gaps import Cover
from evidence.own import CORRECTION_KIND, OWN_SOURCE, SUGGESTION_KIND
from evidence.runs import PULL_KIND
from evidence.times import parse, stamp, utc
from storage.arrivals import Asked, served_items
from storage.covers import Aging, covers
from storage.engine import Connection, literal
from storage.lake import Lake
from storage.schema import EVIDENCE, TAGS
from storage.seen import SEEN
from storage.sightings import Key

FORM = 3
FOLDER = "judged"
GIVEN_UP = "given-up"
BELIEVED = timedelta(days=1)
_SUBJECT = "source, kind, system, subject"
_HASH = f"hash({_SUBJECT})"
_BAD = "('failed', 'error')"
_BUILD = f"""CREATE TEMP TABLE left_out AS
WITH {SEEN}, stirred AS (
    SELECT DISTINCT source, kind FROM seen WHERE change <> 'new' OR nature <> 'event'
), still AS (
    SELECT item_id, {_SUBJECT}, place, observed_to, collected_at, landed_at,
        confirmed AND outcome NOT IN {_BAD} AND observed_to <= $now
            AND NOT starts_with(kind, '{OWN_SOURCE}.') AS calm
    FROM seen ANTI JOIN stirred USING (source, kind)
), many AS (
    -- Most events stand alone: nothing has to be put in order for them.
    SELECT {_SUBJECT} FROM still GROUP BY ALL HAVING count(*) > 1
), last AS (
    SELECT {_SUBJECT}, arg_max(calm, place) AS calm, max(place) AS place
    FROM still SEMI JOIN many USING ({_SUBJECT}) GROUP BY ALL
), prunable AS (
    SELECT item_id, system, observed_to, collected_at, landed_at, {_HASH} AS alone
    FROM still ANTI JOIN many USING ({_SUBJECT}) WHERE calm
    UNION ALL
    -- Of several results of a subject the last stays: by it a new failure stands or does not.
    SELECT s.item_id, system, observed_to, collected_at, landed_at, NULL
    FROM still s JOIN last l USING ({_SUBJECT})
    WHERE s.calm AND l.calm AND s.place <> l.place
), marked AS (
    SELECT item_id FROM lake_claims WHERE starts_with(control, 'event:')
    UNION SELECT item_id FROM corrections UNION SELECT unnest($served::VARCHAR[])
), top AS (
    SELECT arg_max(item_id, row(observed_to, collected_at, landed_at, item_id)) AS item_id
    FROM prunable JOIN lake_claims c USING (item_id) ANTI JOIN marked USING (item_id)
    GROUP BY c.control, c.evidence, system, lake_weighs(c.strength)
)
SELECT item_id, system, alone FROM prunable
ANTI JOIN marked USING (item_id) ANTI JOIN top USING (item_id)
"""  # noqa: S608  ours
_COUNTS = """SELECT control, evidence, system, count(*) FROM left_out JOIN (
        SELECT DISTINCT item_id, control, evidence FROM lake_claims) USING (item_id)
    GROUP BY ALL ORDER BY ALL"""
_EVIDENCE = f"""SELECT * REPLACE (
        CASE WHEN kind IN ({literal(PULL_KIND)}, {literal(CORRECTION_KIND)}) THEN payload
            ELSE '{{}}' END AS payload)
    FROM evidence ANTI JOIN left_out USING (item_id)"""  # noqa: S608  ours
"""Nobody asks for the payloads of the others."""
_STILL = """SELECT source, kind FROM evidence GROUP BY ALL
    HAVING bool_and(change = 'new' AND nature = 'event') ORDER BY ALL"""
"""Kinds of which nothing ever changed: when something does, what was left out may speak again."""
_ALONE = "SELECT alone FROM left_out WHERE alone IS NOT NULL ORDER BY alone"


@dataclass(frozen=True, slots=True)
class Kept:
    """A state on this machine: up to which versions of which logs it was made, by which mapping,
    when, how many items of each key were left out and what they covered. `asked` are the stretches
    of time for which the evidence that was known first is in it, and the ages it was asked by."""

    folder: Path
    evidence: tuple[int, str]
    tags: tuple[int, str]
    mapping: str
    at: datetime
    counts: Mapping[Key, int]
    covers: Mapping[Key, tuple[Cover, ...]]
    kinds: frozenset[tuple[str, str]]
    asked: frozenset[str]

    def files(self, evidence: Sequence[Path], tags: Sequence[Path]) -> dict[str, list[Path]]:
        """The files of a lake that is this state, and what landed and was tagged since."""
        return {
            "evidence": [self.folder / "month=kept" / "evidence.parquet", *evidence],
            "tags": [self.folder / "tags.parquet", *tags],
        }

    def answers(self, asked: Sequence[Asked], ages: Sequence[Aging]) -> bool:
        """Whether what served these stretches of time, and was in date by these ages, is in it."""
        known = all(_told(one) in self.asked for one in ages)
        return known and all(one.opens >= self.at or _told(one) in self.asked for one in asked)


def load(lake: Lake, mapping: str, now: datetime) -> Kept | None:
    """The state of this lake and mapping; None if there is none to believe at `now`."""
    home = lake.place.derived(FOLDER)
    with suppress(OSError, ValueError, KeyError, TypeError, HeadwaterError):
        folder = home / (home / "current").read_text().strip()
        told = json.loads((folder / "state.json").read_bytes())
        if told["form"] != FORM or told["engine"] != duckdb.__version__:
            return None
        if any(_sha256(folder / name) != known for name, known in told["files"].items()):
            return None
        kept = Kept(
            folder, tuple(told["evidence"]), tuple(told["tags"]), told["mapping"],
            parse(told["at"]), {(c, e, s): n for c, e, s, n in told["counts"]},
            {(c, e, s): tuple(map(_cover, many)) for c, e, s, many in told["covers"]},
            frozenset((source, kind) for source, kind in told["kinds"]), frozenset(told["asked"]),
        )  # fmt: skip
        if kept.mapping == mapping and kept.at <= now < kept.at + BELIEVED:
            return kept
    return None


def forget(lake: Lake) -> None:
    """Throw the state away."""
    shutil.rmtree(lake.place.derived(FOLDER), ignore_errors=True)


def landed_since(lake: Lake, kept: Kept) -> tuple[list[Path], list[Path]] | None:
    """The files of evidence and of tags that came since; None on any doubt that they are all that
    changed the answer. Raises LakeError."""
    found = []
    for name, (version, entry) in (("evidence", kept.evidence), ("tags", kept.tags)):
        table = lake.table(name)
        if version > table.version or table.entry_digest(version) != entry:
            return None
        commits = list(table.commits(version))
        names = [add.path for commit in commits for add in commit.adds if add.data_change]
        if any(commit.drops_data for commit in commits) or not all(map(table.place.has, names)):
            return None
        found.append(table.place.locals(names))
    evidence, tags = found
    return None if _stirs(kept, evidence) else (evidence, tags)


def _stirs(kept: Kept, files: Sequence[Path]) -> bool:
    """Whether a new row may make an item that was left out count otherwise."""
    columns = ["source", "kind", "system", "subject", "nature", "change", "outcome"]
    none = EVIDENCE.empty_table().select(columns)
    rows = pa.concat_tables([none, *(pq.ParquetFile(path).read(columns) for path in files)])
    with duckdb.connect(":memory:") as engine:
        engine.register("rows", rows)
        engine.register("kinds", _pairs(kept.kinds))
        told = engine.execute(
            f"""SELECT count(*) FILTER (
                    kind IN ({literal(CORRECTION_KIND)}, {literal(SUGGESTION_KIND)})
                    OR ((source, kind) IN (SELECT (source, kind) FROM kinds)
                        AND (change <> 'new' OR nature <> 'event'))),
                list({_HASH}) FILTER (outcome IN {_BAD}) FROM rows"""  # noqa: S608  ours
        ).fetchone()
    stirred, bad = told or (1, None)
    if stirred:
        return True
    alone = np.load(kept.folder / "alone.npy", mmap_mode="r")
    wanted = np.array(bad or [], np.uint64)
    places = np.minimum(np.searchsorted(alone, wanted), max(len(alone) - 1, 0))
    return bool(len(alone)) and bool((alone[places] == wanted).any())


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
        state = _state(connection, lake, versions, now, asked, ages)
        _save(connection, home, state | {"mapping": mapping})
    except (duckdb.Error, pa.ArrowException, MemoryError, OSError, LakeError):
        with suppress(OSError):
            home.mkdir(exist_ok=True)
            (home / GIVEN_UP).write_text(stamp(now))


def given_up(lake: Lake, now: datetime) -> bool:
    """Whether it could not be made within the last day."""
    with suppress(OSError, HeadwaterError):
        at = parse((lake.place.derived(FOLDER) / GIVEN_UP).read_text())
        return at <= now < at + BELIEVED
    return False


def _state(
    connection: Connection, lake: Lake, versions: tuple[int, int], now: datetime,
    asked: Sequence[Asked], ages: Sequence[Aging],
) -> dict[str, Any]:  # fmt: skip
    evidence, tags = (
        (version, lake.table(name).entry_digest(version))
        for name, version in zip(("evidence", "tags"), versions, strict=True)
    )
    served = served_items(connection, now, asked)
    connection.execute(_BUILD, {"now": utc(now, what="now"), "served": served})
    counts = connection.execute(_COUNTS).fetchall()
    covered = covers(connection, now, ages, only="left_out")
    return {
        "form": FORM, "engine": duckdb.__version__, "evidence": evidence, "tags": tags,
        "at": stamp(now), "counts": counts, "kinds": connection.execute(_STILL).fetchall(),
        "covers": [(*key, [_until(one, now) for one in many if one.starts < now])
                   for key, many in covered.items()],
        "asked": [*map(_told, asked), *map(_told, ages)],
    }  # fmt: skip


def _save(connection: Connection, home: Path, state: Mapping[str, Any]) -> None:
    """Write it beside the old one, then let it be the current one."""
    folder = home / uuid.uuid4().hex
    (folder / "month=kept").mkdir(parents=True)
    tables = {
        "month=kept/evidence.parquet": (_EVIDENCE, EVIDENCE),
        "tags.parquet": ("SELECT * FROM lake_claims ANTI JOIN left_out USING (item_id)", TAGS),
    }
    for name, (sql, schema) in tables.items():
        rows = connection.execute(sql).to_arrow_table()
        names = [column for column in schema.names if column != "month"]
        pq.write_table(rows.select(names).cast(pa.schema([schema.field(n) for n in names])),
                       folder / name)  # fmt: skip
    alone = connection.execute(_ALONE).fetchnumpy()["alone"]
    np.save(folder / "alone.npy", np.asarray(alone, np.uint64))
    files = {name: _sha256(folder / name) for name in (*tables, "alone.npy")}
    (folder / "state.json").write_text(json.dumps(dict(state) | {"files": files}))
    pointer = home / f".{folder.name}"
    pointer.write_text(folder.name)
    pointer.replace(home / "current")
    for old in home.iterdir():
        if old.is_dir() and old.name != folder.name:
            shutil.rmtree(old, ignore_errors=True)


def _told(one: Asked | Aging) -> str:
    return digest(plain(one.row(0) if isinstance(one, Aging) else asdict(one)))


def _until(one: Cover, now: datetime) -> tuple[str, str, str, bool]:
    """Until then: what is kept covers all that comes after, or nothing does."""
    return one.age, stamp(one.starts), stamp(min(one.ends, now)), one.late


def _cover(told: Sequence[Any]) -> Cover:
    age, starts, ends, late = told
    return Cover(age, parse(starts), parse(ends), late)


def overtaken_since(connection: Connection, kept: Kept) -> bool:
    """Whether an event landed since that had happened before: what was left out may then have been
    overtaken by it. Raises LakeError."""
    try:
        row = connection.execute(
            """SELECT count(*) FROM lake_claims JOIN evidence USING (item_id)
            WHERE starts_with(control, 'event:') AND landed_at > $at AND observed_from <= $at""",
            {"at": kept.at},
        ).fetchone()
    except duckdb.Error as error:
        raise LakeError(f"the kept state cannot be read: {error}") from error
    return row is None or row[0] > 0


def _pairs(kinds: frozenset[tuple[str, str]]) -> pa.Table:
    rows: Iterator[tuple[str, str]] = iter(sorted(kinds))
    values = list(rows)
    return pa.table({
        "source": pa.array([source for source, _ in values], pa.string()),
        "kind": pa.array([kind for _, kind in values], pa.string()),
    })  # fmt: skip


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
