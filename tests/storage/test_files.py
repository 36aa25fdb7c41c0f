"""Data files that were tampered with: reading one never ends the process."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from evidence.own import DISPOSAL_KIND
from storage.disposal import _holds
from storage.disposed import rows_of_kind
from storage.files import read_parts, read_rows


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
    assert sum(part.num_rows for part in read_parts(path, {}, rows=10)) == 0


def test_an_empty_value_set_holds_nothing(tmp_path: Path) -> None:
    rows = pa.table({"item_id": ["one", "two"]})
    path = tmp_path / "rows.parquet"
    pq.write_table(rows, path)

    assert _holds(path, pa.array(["two", "three"], pa.string())) == 1
    assert _holds(path, pa.array([], pa.string())) == 0
