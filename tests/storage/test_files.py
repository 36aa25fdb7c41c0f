"""Data files that were tampered with: reading one never ends the process."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evidence.errors import LakeError
from evidence.own import DISPOSAL_KIND
from storage import files
from storage.disposal import _holds
from storage.disposed import rows_of_kind
from storage.files import gathered, read_parts, read_rows


def emptied(folder: Path) -> Path:
    """A file of evidence whose rows were all taken away."""
    path = folder / "month=2026-11" / "emptied.parquet"
    path.parent.mkdir()
    schema = pa.schema([("item_id", pa.string()), ("kind", pa.string())])
    pq.write_table(schema.empty_table(), path)
    return path


def test_a_file_that_was_emptied_holds_nothing(tmp_path: Path) -> None:
    path = emptied(tmp_path)

    assert not list(rows_of_kind(path, DISPOSAL_KIND))
    assert _holds(path, pa.array(["one"], pa.string())) == 0
    assert read_rows(path, {"month": "2026-11"}).num_rows == 0
    parts = read_parts(path, {}, rows=10, most=0)
    assert sum(part.num_rows for part in parts) == 0


def test_an_empty_value_set_holds_nothing(tmp_path: Path) -> None:
    rows = pa.table({"item_id": ["one", "two"]})
    path = tmp_path / "rows.parquet"
    pq.write_table(rows, path)

    assert _holds(path, pa.array(["two", "three"], pa.string())) == 1
    assert _holds(path, pa.array([], pa.string())) == 0


def test_large_rows_are_read_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.parquet"
    pq.write_table(pa.table({"payload": ["x" * 1000] * 50}), path, use_dictionary=False)
    monkeypatch.setattr(files, "PART_BYTES", 10_000)

    parts = list(read_parts(path, {}, rows=50, most=50))
    groups = list(gathered(((part, 0) for part in parts), rows=50))

    assert max(part.num_rows for part in parts) <= 10
    assert max(sum(part.nbytes for part, _ in group) for group in groups) <= 11_000
    assert sum(part.num_rows for part in parts) == 50


def test_no_more_is_read_than_there_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PART_BYTES", 1_000_000)
    path = tmp_path / "hostile.parquet"
    pq.write_table(pa.table({"payload": pa.nulls(100_000, pa.string())}), path)
    with pytest.raises(LakeError, match="holds more than 500 rows"):
        next(read_parts(path, {}, rows=100, most=500))

    bomb = pa.table({"payload": ["a" * 5_000_000]})
    pq.write_table(bomb, path, compression="zstd")
    with pytest.raises(LakeError, match="would swell to"):
        next(read_parts(path, {}, rows=100, most=500, landed=False))
    assert next(read_parts(path, {}, rows=100, most=500)).num_rows == 1
