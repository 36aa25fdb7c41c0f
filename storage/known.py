"""Which items of a batch are not in the lake yet: an equal id means an equal time, so few files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from evidence.errors import LakeError
from evidence.model import EvidenceItem
from storage.engine import Limits, lock, open_engine
from storage.files import DataFile
from storage.schema import month_of


def unknown(items: Iterable[EvidenceItem], files: Sequence[DataFile]) -> tuple[EvidenceItem, ...]:
    """The items that no file holds, in their order; of equal ids the first.

    The id covers `observed_to`, so only files of the same month whose times overlap are read.
    Raises LakeError if one of them cannot be read.
    """
    batch: dict[str, EvidenceItem] = {}
    for item in items:
        batch.setdefault(item.item_id, item)
    spans = _spans(batch.values())
    paths = [file.path for file in files if _may_hold(file, spans)]
    landed = _landed(list(batch), paths) if paths else set()
    return tuple(item for item in batch.values() if item.item_id not in landed)


def _spans(items: Iterable[EvidenceItem]) -> dict[str, tuple[datetime, datetime]]:
    """The first and the last observed time of each month."""
    spans: dict[str, tuple[datetime, datetime]] = {}
    for item in items:
        at, month = item.observed_to, month_of(item.observed_to)
        first, last = spans.get(month, (at, at))
        spans[month] = min(first, at), max(last, at)
    return spans


def _may_hold(file: DataFile, spans: Mapping[str, tuple[datetime, datetime]]) -> bool:
    if (span := spans.get(file.partition["month"])) is None:
        return False
    least, greatest = file.least.get("observed_to"), file.greatest.get("observed_to")
    return least is None or greatest is None or (least <= span[1] and span[0] <= greatest)


def _landed(ids: list[str], paths: list[Path]) -> set[str]:
    with open_engine(Limits()) as engine:
        engine.register("wanted", pa.table({"item_id": ids}))
        lock(engine, paths)
        files = [str(path) for path in paths]
        try:
            found = engine.execute(
                "SELECT item_id FROM read_parquet($files) SEMI JOIN wanted USING (item_id)",
                {"files": files},
            ).fetchall()
        except duckdb.Error as error:
            raise LakeError(f"cannot read what landed before: {error}") from error
    return {row[0] for row in found}
