"""Data files written from a stream: memory holds one row group, whatever the file's size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.files import Written, file_name, file_sha256, plain
from storage.place import Place
from storage.schema import TableSpec

GROUP_ROWS = 50_000
TARGET_BYTES = 256 << 20


def write_stream(
    place: Place,
    spec: TableSpec,
    partition: Mapping[str, str],
    batches: Iterable[pa.Table],
    *,
    prefix: str = "",
    target: int = TARGET_BYTES,
) -> Iterator[Written]:
    """Files of about `target` bytes with the rows in their order, each durable when it is yielded.

    The rows have the columns of `spec.file_schema` and belong to one partition. `prefix` begins
    the files' names. What was not finished is deleted again. Raises OSError or ArrowException.
    """
    file: _File | None = None
    try:
        for batch in batches:
            file = file or _File(place.scratch(file_name(partition, "", prefix)), spec)
            if file.add(batch) >= target:
                done, file = file, None
                yield done.close(place, partition, prefix)
        if file is not None:
            done, file = file, None
            yield done.close(place, partition, prefix)
    finally:
        if file is not None:
            file.drop()


@dataclass(slots=True)
class _File:
    """One file being written, and what its log entry will say of its values."""

    path: Path
    spec: TableSpec
    rows: int = 0
    ends: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    nulls: dict[str, int] = field(default_factory=dict)
    writer: pq.ParquetWriter = field(init=False)

    def __post_init__(self) -> None:
        dictionary: Any = list(self.spec.dictionary)  # the stubs know only its boolean form
        blooms = {name: {"ndv": GROUP_ROWS, "fpp": 0.01} for name in self.spec.bloom}
        more: dict[str, Any] = {"bloom_filter_options": blooms} if blooms else {}
        self.writer = pq.ParquetWriter(
            self.path, self.spec.file_schema, compression="zstd", compression_level=1,
            use_dictionary=dictionary, store_schema=False, write_page_index=True, **more,
        )  # fmt: skip

    def add(self, batch: pa.Table) -> int:
        """Write rows; how many bytes the file has so far."""
        self.writer.write_table(batch.cast(self.spec.file_schema), row_group_size=GROUP_ROWS)
        self.rows += batch.num_rows
        for name in self.spec.stats:
            self._count(name, batch[name])
        return self.path.stat().st_size

    def _count(self, name: str, values: Any) -> None:
        self.nulls[name] = self.nulls.get(name, 0) + values.null_count
        found: Any = pc.min_max(values).as_py()
        if found["min"] is not None:
            least, greatest = self.ends.get(name, (found["min"], found["max"]))
            self.ends[name] = min(least, found["min"]), max(greatest, found["max"])

    def close(self, place: Place, partition: Mapping[str, str], prefix: str) -> Written:
        """Finish the file, store it durably and describe it."""
        try:
            self.writer.close()
            status, digest = self.path.stat(), file_sha256(self.path)
            name = file_name(partition, digest, prefix)
            place.store(name, self.path)
            place.settle([name], stored=True)
            return Written(
                relative=name, size=status.st_size, partition=partition, stats=self._stats(),
                modified_ms=status.st_mtime_ns // 1_000_000, sha256=digest,
            )  # fmt: skip
        except BaseException:
            self.path.unlink(missing_ok=True)
            raise

    def _stats(self) -> str:
        facts: dict[str, Any] = {"numRecords": self.rows, "nullCount": self.nulls}
        facts["minValues"] = {name: plain(ends[0]) for name, ends in self.ends.items()}
        facts["maxValues"] = {name: plain(ends[1]) for name, ends in self.ends.items()}
        return orjson.dumps(facts).decode()

    def drop(self) -> None:
        """Take back what was written of it."""
        try:
            self.writer.close()
        finally:
            self.path.unlink(missing_ok=True)
