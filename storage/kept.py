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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.canonical import digest, plain
from evidence.errors import HeadwaterError, LakeError
from evidence.gaps import Cover
from evidence.own import CORRECTION_KIND, SUGGESTION_KIND
from evidence.times import parse, stamp
from storage.alone import Block, any_of, hash_of
from storage.arrivals import Asked
from storage.covers import Aging
from storage.engine import Connection
from storage.lake import Lake
from storage.schema import EVIDENCE
from storage.sightings import Key

FORM = 5
FOLDER = "judged"
GIVEN_UP = "given-up"
BELIEVED = timedelta(days=1)
BAD = ("failed", "error")
"""Outcomes that speak against a control."""


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
    kinds: frozenset[tuple[str, ...]]
    asked: frozenset[str]
    alone: tuple[Block, ...]
    heeded: frozenset[str]
    """The events that came to be known since and are in `covers`."""

    def files(self, evidence: Sequence[Path], tags: Sequence[Path]) -> dict[str, list[Path]]:
        """The files of a lake that is this state, and what landed and was tagged since."""
        return {
            "evidence": [self.folder / "month=kept" / "evidence.parquet", *evidence],
            "tags": [self.folder / "tags.parquet", *tags],
        }

    def answers(self, asked: Sequence[Asked], ages: Sequence[Aging]) -> bool:
        """Whether what served these stretches of time, and was in date by these ages, is in it."""
        known = all(told(one) in self.asked for one in ages)
        return known and all(one.opens >= self.at or told(one) in self.asked for one in asked)


def load(lake: Lake, mapping: str, now: datetime) -> Kept | None:
    """The state of this lake and mapping; None if there is none to believe at `now`."""
    home = lake.place.derived(FOLDER)
    with suppress(OSError, ValueError, KeyError, TypeError, HeadwaterError):
        folder = home / (home / "current").read_text().strip()
        told = json.loads((folder / "state.json").read_bytes())
        if told["form"] != FORM or told["engine"] != duckdb.__version__:
            return None
        if any(sha256(folder / name) != known for name, known in told["files"].items()):
            return None
        kept = Kept(
            folder, tuple(told["evidence"]), tuple(told["tags"]), told["mapping"],
            parse(told["at"]), {(c, e, s): n for c, e, s, n in told["counts"]},
            {(c, e, s): tuple(map(_cover, many)) for c, e, s, many in told["covers"]},
            frozenset((source, kind) for source, kind in told["kinds"]), frozenset(told["asked"]),
            tuple((first, known) for first, known in told["alone"]), frozenset(told["heeded"]),
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
    if {CORRECTION_KIND, SUGGESTION_KIND} & set(rows["kind"].unique().to_pylist()):
        return True
    moved = rows.filter((pc.field("change") != "new") | (pc.field("nature") != "event"))
    if kept.kinds & _subjects(moved.select(["source", "kind"])):
        return True
    bad = _subjects(rows.filter(pc.field("outcome").isin(BAD)).select(columns[:4]))
    return any_of(kept.folder, kept.alone, (hash_of(*subject) for subject in bad))


def _subjects(rows: pa.Table) -> set[tuple[str, ...]]:
    return set(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def given_up(lake: Lake, now: datetime) -> bool:
    """Whether it could not be made within the last day."""
    with suppress(OSError, HeadwaterError):
        at = parse((lake.place.derived(FOLDER) / GIVEN_UP).read_text())
        return at <= now < at + BELIEVED
    return False


def told(one: Asked | Aging) -> str:
    """A stretch of time, or an age limit, as the state names it."""
    return digest(plain(one.row(0) if isinstance(one, Aging) else asdict(one)))


def _cover(told: Sequence[Any]) -> Cover:
    age, starts, ends, late = told
    return Cover(age, parse(starts), parse(ends), late)


def mend(kept: Kept) -> None:
    """Keep what was folded into the state; where that cannot be written it is folded again."""
    with suppress(OSError, ValueError):
        file = kept.folder / "state.json"
        state = json.loads(file.read_bytes())
        state |= {"covers": told_covers(kept.covers), "asked": sorted(kept.asked)}
        written = kept.folder / f"{uuid.uuid4().hex}.json"
        written.write_text(json.dumps(state | {"heeded": sorted(kept.heeded)}))
        written.replace(file)


def told_covers(covers: Mapping[Key, Sequence[Cover]]) -> list[Any]:
    """As the state holds them."""
    return [
        (*key, [(one.age, stamp(one.starts), stamp(one.ends), one.late) for one in many])
        for key, many in covers.items()
    ]


def tags_came_late(connection: Connection, kept: Kept) -> bool:
    """Whether a tag, as the connection shows it beside the state, came later than its item, which
    was left out. Raises LakeError."""
    try:
        row = connection.execute(
            """SELECT count(*) FROM lake_tags ANTI JOIN evidence USING (item_id)
            WHERE mapping_digest = $mapping AND NOT starts_with(control, 'context:')""",
            {"mapping": kept.mapping},
        ).fetchone()
    except duckdb.Error as error:
        raise LakeError(f"the kept state cannot be read: {error}") from error
    return row is None or row[0] > 0


def sha256(path: Path) -> str:
    """The digest of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
