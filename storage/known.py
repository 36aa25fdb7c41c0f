"""Which items of a batch are not in the lake yet: the index guesses, the table decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from evidence.errors import LakeError
from evidence.model import EvidenceItem
from storage.commits import read_commit
from storage.delta import Table
from storage.engine import Limits, open_engine
from storage.files import DataFile, read_rows
from storage.index import Index, rebuild
from storage.run import DamagedRun
from storage.spans import spans_of

_NEAR = 16


def unknown(items: Iterable[EvidenceItem], table: Table, index: Index) -> tuple[EvidenceItem, ...]:
    """The items that the table does not hold, in their order; of equal ids the first.

    An id that the index lacks is new. One that it has is looked up in the table: the id covers
    `observed_to`, so only files of the same month whose times overlap are read, first those of the
    commit that the index names. Raises LakeError if one of them cannot be read.
    """
    batch: dict[str, EvidenceItem] = {}
    for item in items:
        batch.setdefault(item.item_id, item)
    ids = list(batch)
    try:
        guesses = index.find(ids)
    except DamagedRun:
        index.runs = rebuild(index.folder, table).runs
        guesses = index.find(ids)
    landed = _confirmed(batch, table, guesses) if guesses else set()
    return tuple(item for item in batch.values() if item.item_id not in landed)


def _confirmed(
    batch: Mapping[str, EvidenceItem], table: Table, guesses: Mapping[str, int]
) -> set[str]:
    """Of the guessed ids those that the table really holds."""
    files = table.files(spans_of(batch[item_id] for item_id in guesses))
    landed = _in_near(list(guesses), _near(table, files, set(guesses.values())))
    rest = [item_id for item_id in guesses if item_id not in landed]
    return landed | _in_all(rest, _paths(table, files)) if rest else landed


def _near(table: Table, files: Sequence[DataFile], versions: set[int]) -> list[Path]:
    """The files that these versions brought, if they are few and still part of the table."""
    if len(versions) > _NEAR:
        return []
    commits = [read_commit(table.place, version) for version in versions if version]
    brought = {add.path for commit in commits if commit for add in commit.adds}
    return _paths(table, [file for file in files if file.name in brought])


def _paths(table: Table, files: Iterable[DataFile]) -> list[Path]:
    return table.place.locals(file.name for file in files)


def _in_near(ids: Sequence[str], paths: Iterable[Path]) -> set[str]:
    wanted = pa.array(ids, pa.string())
    found: set[Any] = set()
    for path in paths:
        held = read_rows(path, {}, ["item_id"])["item_id"]
        found.update(held.filter(pc.is_in(held, value_set=wanted)).to_pylist())
    return found


def _in_all(ids: Sequence[str], paths: Sequence[Path]) -> set[str]:
    if not paths:
        return set()
    with open_engine(Limits()) as engine:
        engine.register("wanted", pa.table({"item_id": list(ids)}))
        engine.lock(paths)
        try:
            found = engine.execute(
                "SELECT item_id FROM read_parquet($files) SEMI JOIN wanted USING (item_id)",
                {"files": [str(path) for path in paths]},
            ).fetchall()
        except duckdb.Error as error:
            raise LakeError(f"cannot read what landed before: {error}") from error
    return {row[0] for row in found}
