"""Many small files into few sorted ones, of the same rows, shown before the log changes."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from evidence.errors import LakeConflict, LakeError
from storage.delta import Table
from storage.files import DataFile, Written
from storage.same import check_bytes, check_rows, open_spilling, selected
from storage.schema import month_of
from storage.streamed import GROUP_ROWS, TARGET_BYTES, write_stream

SMALL_BYTES, MIDDLE_BYTES = 8 << 20, 64 << 20
MANY = 8
"""So many files of one size, and they become one."""
LATE = timedelta(days=2)
"""How long after its end a month still counts as open: its last items come late."""
FINAL = "final-"
"""Begins the names of a closed month's files: what has been sorted once is not sorted again."""

ORDER: Mapping[str, str] = {
    # Rules ask of each kind its own questions: mixed, the engine asks all of them of each few rows.
    "evidence": "kind, system, observed_to, landed_at, item_id",
    "tags": "mapping_digest, control, item_id, rule",
    "leaves": "leaf_index",
    "verdicts": "judged_at, control, evidence, system",
    "standings": "judged_at, control",
}
"""By what the rows of each table are sorted."""


@dataclass(frozen=True, slots=True)
class Group:
    """Files of one partition that are to become as few as can be."""

    partition: Mapping[str, str]
    files: tuple[DataFile, ...]
    prefix: str = ""


@dataclass(slots=True)
class Compacted:
    """What became of one table: files taken out and put in, their rows and bytes.

    `refused` are sentences: what was left as it is, and why.
    """

    taken: int = 0
    put: int = 0
    rows: int = 0
    size: int = 0
    refused: list[str] = field(default_factory=list)


def compact(table: Table, leaves: Table, *, sealed: int, now: datetime) -> Compacted:
    """Compact every group of files that is worth it; one commit each.

    Of `evidence` only what landed up to version `sealed` is touched: later versions are still to
    be followed file by file. Before a commit the files read must have the bytes that landed, and
    the files written the same rows, each with the leaf that `leaves` holds of it: a group for which
    that does not hold stays as it is and is named. Raises LakeError if the table cannot be read,
    LakeConflict if another process replaces files at the same moment.
    """
    done = Compacted()
    for group in plan(_settled(table, sealed), now):
        try:
            _replace(table, leaves, group, done)
        except LakeConflict:
            raise
        except LakeError as error:
            done.refused.append(str(error))
    return done


def _settled(table: Table, sealed: int) -> list[DataFile]:
    """The files that nobody has to read by version any more."""
    files = table.files()
    if table.spec.name != "evidence":
        return list(files)
    added = (add for commit in table.commits(sealed) for add in commit.adds)
    fresh = {add.path for add in added if add.data_change}
    return [file for file in files if file.name not in fresh]


def plan(files: Sequence[DataFile], now: datetime) -> Iterator[Group]:
    """Which files to put together, partition by partition.

    A closed month is sorted once as a whole; what arrives after that, and every other table, waits
    until there are `MANY` files of one size, so that no row is rewritten often.
    """
    partitions: dict[tuple[tuple[str, str], ...], list[DataFile]] = defaultdict(list)
    for file in files:
        partitions[tuple(sorted(file.partition.items()))].append(file)
    for key, found in sorted(partitions.items(), key=lambda entry: entry[0]):
        partition = dict(key)
        closed = partition.get("month", "9999") < month_of(now - LATE)
        once = closed and not any(_last(file).startswith(FINAL) for file in found)
        worth = found if once else _alike(found)
        if len(worth) > 1:
            ordered = sorted(worth, key=_last)
            yield Group(partition, tuple(ordered), FINAL if closed else "")


def _last(file: DataFile) -> str:
    return file.name.rpartition("/")[2]


def _alike(files: Sequence[DataFile]) -> list[DataFile]:
    small = [file for file in files if file.size < SMALL_BYTES]
    middle = [file for file in files if SMALL_BYTES <= file.size < MIDDLE_BYTES]
    if len(middle) >= MANY:
        return small + middle
    return small if len(small) >= MANY else []


def _replace(table: Table, leaves: Table, group: Group, done: Compacted) -> None:
    check_bytes(table, group.files)
    written: list[Written] = []
    try:
        for file in _rewritten(table, group):
            written.append(file)
        check_rows(table, leaves, group.files, written)
    except BaseException:
        for file in written:
            table.place.remove(file.relative)
        raise
    table.replace(group.files, written, metadata={"act": "compact"})
    done.taken += len(group.files)
    done.put += len(written)
    done.rows += sum(file.rows for file in group.files)
    done.size += sum(file.size for file in written)


def _rewritten(table: Table, group: Group) -> Iterator[Written]:
    """The files' rows, sorted, in new files; sorting spills to disk, not into memory."""
    spec = table.spec
    paths = table.place.locals(file.name for file in group.files)
    sql = selected(spec, paths) + f" ORDER BY {ORDER[spec.name]}"
    try:
        with (
            tempfile.TemporaryDirectory(prefix="headwater-") as spill,
            open_spilling(Path(spill)) as engine,
        ):
            batches = engine.execute(sql).to_arrow_reader(GROUP_ROWS)
            rows = (pa.Table.from_batches([batch]) for batch in batches)
            yield from write_stream(
                table.place, spec, group.partition, rows, prefix=group.prefix, target=TARGET_BYTES
            )
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise LakeError(f"table {spec.name} cannot be compacted: {error}") from error
