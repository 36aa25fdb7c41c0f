"""Data files: written with our own Parquet settings, forced to disk, described for the log."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.errors import LakeError
from evidence.times import stamp
from storage.place import Place
from storage.schema import TYPES, TableSpec

ROW_GROUP = 100_000
PART_BYTES = 64 << 20
"""No part of a file, and no group of parts, is meant to take more memory than this."""
_THREADS = 4
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file of a table: its name there, rows, least and greatest values known, bytes."""

    place: Place
    name: str
    rows: int
    partition: Mapping[str, str]
    least: Mapping[str, Any]
    greatest: Mapping[str, Any]
    size: int = 0

    @property
    def path(self) -> Path:
        """Where its bytes lie on this machine; from a bucket they are fetched at the first use."""
        return self.place.local(self.name)


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is written but is not yet part of the table.

    `stats` is Delta's JSON, `sha256` the digest of the file's bytes.
    """

    relative: str
    size: int
    modified_ms: int
    partition: Mapping[str, str]
    stats: str
    sha256: str


def write_files(place: Place, spec: TableSpec, rows: pa.Table) -> list[Written]:
    """One file a partition value, in the rows' order, each stored; `settle` them before a commit.

    On an error (LakeError, pa.ArrowException) none of the files stays.
    """
    parts = list(_split(rows.select(spec.schema.names), spec))
    written: list[Written] = []
    jobs = [partial(_write, place, spec, values, part, written.append) for values, part in parts]
    try:
        if len(jobs) < 2:
            return [job() for job in jobs]
        # Compression and waiting for the disk let go of the interpreter, so threads overlap them.
        with ThreadPoolExecutor(_THREADS) as pool:
            return [future.result() for future in [pool.submit(job) for job in jobs]]
    except BaseException:
        for file in written:
            place.remove(file.relative)
        raise


def _split(rows: pa.Table, spec: TableSpec) -> Iterator[tuple[dict[str, str], pa.Table]]:
    """The rows of each partition value, values ascending; one sort instead of a filter a value.

    Rows that a source gave in the order of time lie right already and are not copied.
    """
    if not rows.num_rows:
        return
    if not spec.partition:
        yield {}, rows
        return
    (name,) = spec.partition
    runs = _runs(rows[name])
    if any(value >= later for (value, _), (later, _) in pairwise(runs)):
        rows = rows.take(pc.sort_indices(rows[name]))  # a stable sort: each part keeps its order
        runs = _runs(rows[name])
    rows, start = rows.drop_columns([name]), 0
    for value, end in runs:
        yield {name: value}, rows.slice(start, end - start)
        start = end


def _runs(values: pa.ChunkedArray[Any]) -> list[tuple[str, int]]:
    """Each stretch of equal values: the value, and where the stretch ends."""
    found: Any = pc.call_function("run_end_encode", [values.combine_chunks()])
    return list(zip(map(str, found.values.to_pylist()), found.run_ends.to_pylist(), strict=True))


def _write(
    place: Place, spec: TableSpec, values: Mapping[str, str], part: pa.Table,
    done: Callable[[Written], None],
) -> Written:  # fmt: skip
    """The digest is of the bytes that were meant, not of what the disk gives back."""
    content = parquet(spec, part)
    digest = hashlib.sha256(content).hexdigest()
    file = Written(
        relative=file_name(values, digest), size=len(content), partition=values,
        modified_ms=time.time_ns() // 1_000_000, stats=_stats(spec, part), sha256=digest,
    )  # fmt: skip
    place.store(file.relative, content)
    done(file)
    return file


def file_name(partition: Mapping[str, str], digest: str, prefix: str = "") -> str:
    """A name for a new data file: nobody else's, and telling what its bytes must be.

    So a copy fetched from a bucket is checked without a look into the log.
    """
    folders = "".join(f"{name}={value}/" for name, value in partition.items())
    return f"{folders}{prefix}{uuid.uuid4()}{'-' * bool(digest)}{digest}.parquet"


def parquet(spec: TableSpec, part: pa.Table) -> bytes:
    """A data file of these rows as bytes, with the table's own settings."""
    sink = pa.BufferOutputStream()
    dictionary: Any = list(spec.dictionary)  # the stubs know only its boolean form
    pq.write_table(
        part.cast(spec.file_schema), sink, compression="zstd", compression_level=1,
        use_dictionary=dictionary, row_group_size=ROW_GROUP, store_schema=False,
        write_page_index=True, bloom_filter_options=_blooms(spec, part.num_rows),
    )  # fmt: skip
    return sink.getvalue().to_pybytes()


def _blooms(spec: TableSpec, rows: int) -> dict[str, dict[str, float]] | None:
    return {name: {"ndv": min(rows, ROW_GROUP), "fpp": 0.01} for name in spec.bloom} or None


def _stats(spec: TableSpec, part: pa.Table) -> str:
    least, greatest, nulls = {}, {}, {}
    for name in spec.stats:
        ends: Any = pc.min_max(part[name]).as_py()
        nulls[name] = part[name].null_count
        if ends["min"] is not None:
            least[name], greatest[name] = plain(ends["min"]), plain(ends["max"])
    facts = {"numRecords": part.num_rows, "minValues": least, "maxValues": greatest}
    return orjson.dumps(facts | {"nullCount": nulls}).decode()


def plain(value: Any) -> Any:
    """A value as the log entry writes it: times as text."""
    return stamp(value) if isinstance(value, datetime) else value


def file_sha256(path: Path) -> str:
    """The digest of a file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_bytes(path: Path, sha256: str, size: int) -> bool:
    """Whether a file has this digest; one that is much longer than `size` is not read for it.

    Raises OSError.
    """
    return path.stat().st_size <= size + PART_BYTES and file_sha256(path) == sha256


def read_rows(
    path: Path, partition: Mapping[str, str], columns: Iterable[str] | None = None
) -> pa.Table:
    """The rows of one data file in their order, partition columns put back at the end.

    Raises LakeError if the file is gone, no Parquet, or has not these columns with our types.
    """
    try:
        with pq.ParquetFile(path) as file:
            held = _held(partition, columns)
            _demand_columns(file.schema_arrow, held or ())
            table = file.read(columns=held, use_threads=False)
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    return _put_back(table, partition)


def read_parts(
    path: Path, partition: Mapping[str, str], columns: Iterable[str] | None = None, *,
    rows: int, most: int, landed: bool = True,
) -> Iterator[pa.Table]:  # fmt: skip
    """`read_rows` in parts of at most so many rows: memory does not grow with the file.

    The file is not trusted: its columns must have our types, and no more than `most` rows are
    read; where its bytes are not those that landed, nor what would swell a thousandfold.
    Raises LakeError, also after some parts.
    """
    count = 0
    try:
        with pq.ParquetFile(path) as file:
            _demand_columns(file.schema_arrow)
            demand_size(file.metadata, most, None if landed else path.stat().st_size)
            held = _held(partition, columns)
            # Threads inside the library cost small files more than they give.
            for batch in file.iter_batches(_step(file, rows), columns=held, use_threads=False):
                count += batch.num_rows
                if count > most:
                    raise ValueError(f"it holds more than {most} rows")
                batch.validate(full=True)
                yield _put_back(pa.Table.from_batches([batch]), partition)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _demand_columns(there: pa.Schema, wanted: Iterable[str] = ()) -> None:
    if len(set(there.names)) < len(there.names):
        raise ValueError("a column is there twice")
    if missing := set(wanted) - set(there.names):
        raise ValueError(f"its column {sorted(missing)[0]} is missing")
    for field in there:
        kind = TYPES.get(field.name, field.type)
        if field.type != kind:
            raise ValueError(f"its column {field.name} is of type {field.type}, not {kind}")


def demand_size(told: pq.FileMetaData, most: int, size: int | None) -> None:
    """Raise ValueError if a file says that it holds more rows than `most`, or that so many bytes
    (`size`, None: they are trusted) would swell a thousandfold."""
    if told.num_rows > most:
        raise ValueError(f"it holds more than {most} rows")
    swollen = sum(told.row_group(number).total_byte_size for number in range(told.num_row_groups))
    if size is not None and swollen > max(1000 * size, PART_BYTES):
        raise ValueError(f"its {size} bytes would swell to {swollen}")


def _step(file: pq.ParquetFile, rows: int) -> int:
    """Fewer rows at a time where they are large; what the file says of itself is a hint only."""
    groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
    size = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(rows, PART_BYTES // max(size, 1)))


def gathered(
    parts: Iterable[tuple[pa.Table, T]], *, rows: int
) -> Iterator[list[tuple[pa.Table, T]]]:
    """Small parts put together up to so many rows, in their order: many files are cheaper so."""
    group, count, size = list[tuple[pa.Table, T]](), 0, 0
    for part in parts:
        if group and (count + part[0].num_rows > rows or size + part[0].nbytes > PART_BYTES):
            yield group
            group, count, size = [], 0, 0
        group.append(part)
        count += part[0].num_rows
        size += part[0].nbytes
    if group:
        yield group


def _held(partition: Mapping[str, str], columns: Iterable[str] | None) -> list[str] | None:
    return None if columns is None else [name for name in columns if name not in partition]


def _unreadable(path: Path, error: Exception) -> LakeError:
    return LakeError(f"cannot read {path}: {error}; run `headwater verify`")


def _put_back(table: pa.Table, partition: Mapping[str, str]) -> pa.Table:
    for name, value in partition.items():
        table = table.append_column(name, pa.repeat(value, table.num_rows))
    return table
