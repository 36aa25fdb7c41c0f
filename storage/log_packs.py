"""Old log entries in packs: the log that readers list stays short, and nothing of it is lost.

A pack is a Parquet file `_log_packs/FIRST-LAST.parquet` in the table's folder with the columns
`version` and `entry` (the bytes of `_delta_log/VERSION.json`). The ledger's chain goes on over it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.errors import LakeError
from storage.files import sync

FOLDER = "_log_packs"
ENTRIES = 1000
BYTES = 32 << 20
_GROUP = 50  # entries in a row group: one entry is found without reading all
_COLUMNS: list[tuple[str, pa.DataType]] = [("version", pa.int64()), ("entry", pa.large_binary())]
_SCHEMA = pa.schema(_COLUMNS)


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack: the versions it holds, both ends included, and where it lies."""

    first: int
    last: int
    path: Path


def packs(root: Path) -> list[Pack]:
    """The packs of a table, ascending."""
    found = []
    for path in (root / FOLDER).glob("*.parquet"):
        first, _, last = path.stem.partition("-")
        if first.isdecimal() and last.isdecimal():
            found.append(Pack(int(first), int(last), path))
    return sorted(found, key=lambda pack: pack.first)


def entry(root: Path, version: int) -> bytes | None:
    """One entry out of its pack, None if no pack holds it. Raises LakeError for a damaged pack."""
    for pack in packs(root):
        if pack.first <= version <= pack.last:
            return _read(pack, version).get(version)
    return None


@dataclass(slots=True)
class Packed:
    """The entries of a table's packs for whoever reads many: the pack read last is held."""

    root: Path
    _pack: Pack | None = None
    _entries: dict[int, bytes] = field(default_factory=dict)
    _damage: str = ""

    def entry(self, version: int) -> bytes | None:
        """Like `entry`."""
        if self._pack is None or not self._pack.first <= version <= self._pack.last:
            holding = (p for p in packs(self.root) if p.first <= version <= p.last)
            self._pack, self._entries = next(holding, None), {}
            self._damage = ""
            try:
                self._entries = _read(self._pack) if self._pack else {}
            except LakeError as error:
                self._damage = str(error)
        if self._damage:
            raise LakeError(self._damage)
        return self._entries.get(version)


def _read(pack: Pack, only: int | None = None) -> dict[int, bytes]:
    wanted = None if only is None else pc.field("version") == only
    try:
        with pack.path.open("rb") as file:
            rows = pq.read_table(file, columns=_SCHEMA.names, filters=wanted)
        return {row["version"]: row["entry"] for row in rows.to_pylist()}
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise LakeError(
            f"{pack.path} is no pack of log entries: {error}; restore it from a backup"
        ) from error


def commit_path(root: Path, version: int) -> Path:
    """Where the log entry of a version lies before it is packed."""
    return root / "_delta_log" / f"{version:020}.json"


def listed_versions(root: Path) -> list[int]:
    """The versions whose entries lie in the log itself, ascending."""
    names = (path.stem for path in (root / "_delta_log").glob("*.json"))
    return sorted(int(name) for name in names if len(name) == 20 and name.isdigit())


def pack_entries(root: Path, below: int) -> int:
    """Move whole packs of entries with versions less than `below`; how many entries left the log.

    A pack is on disk, and was read again and compared, before the first of its entries goes; who
    dies in between goes on here the next time. Raises LakeError if an entry is gone or a pack does
    not hold what the log holds.
    """
    held = packs(root)
    there = set(listed_versions(root))
    moved = sum(_release(root, pack, there) for pack in held)
    start = held[-1].last + 1 if held else 0
    for versions, entries in _spans(root, start, below):
        pack = _write(root, versions, entries)
        moved += _release(root, pack, set(versions))
    return moved


def _spans(root: Path, start: int, below: int) -> Iterator[tuple[list[int], list[bytes]]]:
    versions: list[int] = []
    entries: list[bytes] = []
    size = 0
    for version in range(start, below):
        try:
            entries.append(commit_path(root, version).read_bytes())
        except OSError as error:
            raise LakeError(
                f"log entry {version} of table {root.name} cannot be read, so the log is left as "
                f"it is: {error}; run `headwater verify`"
            ) from error
        versions.append(version)
        size += len(entries[-1])
        if len(versions) == ENTRIES or size >= BYTES:
            yield versions, entries
            versions, entries, size = [], [], 0


def _write(root: Path, versions: Sequence[int], entries: Sequence[bytes]) -> Pack:
    path = root / FOLDER / f"{versions[0]:020}-{versions[-1]:020}.parquet"
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    held = zip(versions, entries, strict=True)
    table = pa.Table.from_pylist([{"version": v, "entry": e} for v, e in held], schema=_SCHEMA)
    try:
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            sync(root)
        pq.write_table(table, fresh, compression="zstd", row_group_size=_GROUP)
        sync(fresh)
        fresh.rename(path)
        sync(path.parent)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise LakeError(f"the pack {path} cannot be written: {error}") from error
    return Pack(versions[0], versions[-1], path)


def _release(root: Path, pack: Pack, there: set[int]) -> int:
    """Delete the entries that the pack holds, oldest first: what is left is always whole."""
    due = [v for v in range(pack.first, pack.last + 1) if v in there]
    if not due:
        return 0
    held = _read(pack)
    try:
        for version in due:
            if commit_path(root, version).read_bytes() != held.get(version):
                raise LakeError(
                    f"{pack.path} does not hold log entry {version} as it is; both are left as "
                    "they are: run `headwater verify`"
                )
        for version in due:
            commit_path(root, version).unlink()
        sync(root / "_delta_log")
    except OSError as error:
        raise LakeError(f"the log of {root.name} cannot be packed: {error}") from error
    return len(due)
