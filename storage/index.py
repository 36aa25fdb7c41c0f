"""Which item ids may be in the evidence: a derived index whose cost grows with the batch.

Sorted runs of key prefixes lie in a folder of their own, may be deleted at any time and are made
again. An index is never believed: what it calls known is looked up in the table, and it counts
only if it belongs to this very log and holds at least as many keys as the table has rows. So a
damaged or foreign index costs time; it cannot swallow evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from evidence.errors import LakeError
from storage.commits import read_commit
from storage.delta import Table
from storage.files import read_rows
from storage.run import (
    DamagedRun,
    Keys,
    Run,
    Span,
    Versions,
    keys_of,
    make_run,
    open_run,
    remove_runs,
    run_names,
    save_run,
)

_RATIO = 4
_MOST_KEYS = 1 << 24
"""Runs are merged into one of about this size at most: 200 MB."""
_UNKNOWN = 0


@dataclass(slots=True)
class Index:
    """The index of one evidence table, as of the snapshot it was opened with."""

    folder: Path
    runs: list[Run] = field(default_factory=list)

    @property
    def covered(self) -> int:
        """The evidence version up to which every item is in the index."""
        return self.runs[-1].span.last if self.runs else 0

    def find(self, ids: Sequence[str]) -> dict[str, int]:
        """The ids that may have landed, each with the version that brought it (0: not known).

        Raises DamagedRun.
        """
        keys, found = keys_of(ids), np.full(len(ids), -1, np.int64)
        for run in self.runs:
            found = np.maximum(found, run.find(keys))
        return {ids[n]: int(found[n]) for n in np.flatnonzero(found >= 0).tolist()}

    def landed(self, table: Table, version: int, ids: Sequence[str]) -> None:
        """Take in a commit just made, if it is the next one; else it is read from the log later.

        Raises nothing: the commit has landed, whatever becomes of its index.
        """
        if version == self.covered + 1:
            with suppress(LakeError, DamagedRun):
                self._add(table, version, keys_of(ids), np.full(len(ids), version, np.uint32))

    def _add(self, table: Table, last: int, keys: Keys, versions: Versions) -> None:
        """One more run; it swallows the last ones as long as they are not much larger."""
        runs = list(self.runs)
        start = runs[-1].span.end if runs else _entry(table, 0)
        span = Span(self.covered, last, start, _entry(table, last))
        parts = [(keys, versions)]
        count = len(keys)
        while runs and runs[-1].count <= _RATIO * count and runs[-1].count + count <= _MOST_KEYS:
            run = runs.pop()
            parts.insert(0, run.whole())
            count += run.count
            span = Span(run.span.first, last, run.span.start, span.end)
        merged = make_run(
            span, np.concatenate([k for k, _ in parts]), np.concatenate([v for _, v in parts])
        )
        self.runs = [*runs, merged]
        if span.last > span.first:
            with suppress(OSError):  # on a full or read-only disk the index lives in memory
                save_run(self.folder, merged)
                self._tidy()

    def _tidy(self) -> None:
        mine = {run.span.name for run in self.runs}
        stale = [n for n in run_names(self.folder) if n not in mine and _last(n) <= self.covered]
        remove_runs(self.folder, stale)


def open_index(folder: Path, table: Table) -> Index:
    """The index in a folder, brought up to the table's snapshot; made anew if it does not fit.

    Raises LakeError if the table cannot be read.
    """
    index = Index(folder, _chain(folder, table))
    try:
        if index.runs and _follow(index, table) and sum(r.count for r in index.runs) >= table.rows:
            return index
    except DamagedRun:
        pass
    return rebuild(folder, table)


def rebuild(folder: Path, table: Table) -> Index:
    """The index made anew from the files of the snapshot. Raises LakeError."""
    index = Index(folder)
    keys = _keys(table.place.locals(file.name for file in table.files()))
    index._add(table, table.version, keys, np.full(len(keys), _UNKNOWN, np.uint32))
    return index


def _follow(index: Index, table: Table) -> bool:
    """Take in the versions since, as the log tells them; False if a file of them is gone.

    Compaction and retention leave their old files only for a while.
    """
    if index.covered == table.version:
        return True
    keys, versions = [], []
    for commit in table.commits(index.covered):
        names = [add.path for add in commit.adds if add.data_change]
        if not all(map(table.place.has, names)):
            return False
        found = _keys(table.place.locals(names))
        keys.append(found)
        versions.append(np.full(len(found), commit.version, np.uint32))
    index._add(table, table.version, np.concatenate(keys), np.concatenate(versions))
    return True


def _keys(paths: Iterable[Path]) -> Keys:
    found = [np.empty(0, np.uint64)]
    for path in paths:
        ids = read_rows(path, {}, ["item_id"])["item_id"].combine_chunks()
        try:
            found.append(keys_of(ids if isinstance(ids, pa.Array) else ids.chunk(0)))
        except pa.ArrowException as error:
            told = f"cannot read {path}: it holds an id that is none: {error}"
            raise LakeError(f"{told}; run `headwater verify`") from error
    return np.concatenate(found)


def _chain(folder: Path, table: Table) -> list[Run]:
    """Whole runs, one after the other from version 0, that belong to this table's log."""
    names = [name for name in run_names(folder) if _last(name) <= table.version]
    runs: list[Run] = []
    while run := _next(folder, names, runs):
        runs.append(run)
    while runs and _entry(table, runs[-1].span.last) != runs[-1].span.end:
        runs.pop()
    return runs


def _next(folder: Path, names: Iterable[str], runs: Sequence[Run]) -> Run | None:
    """The longest run that goes on where the last one ended."""
    first = runs[-1].span.last if runs else 0
    for name in sorted((n for n in names if n.startswith(f"{first:020}-")), reverse=True):
        with suppress(DamagedRun, OSError):
            run = open_run(folder / name)
            if run.span.last > first and (not runs or run.span.start == runs[-1].span.end):
                return run
    return None


def _last(name: str) -> int:
    text = name.split("-")[1] if name.count("-") == 2 else ""
    return int(text) if text.isdecimal() else 0


def _entry(table: Table, version: int) -> bytes:
    """The digest of a log entry."""
    commit = read_commit(table.place, version)
    if commit is None:
        raise LakeError(f"table {table.spec.name}: log file {version} is gone")
    return commit.digest
