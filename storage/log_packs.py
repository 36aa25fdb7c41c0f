"""Old log entries in packs: the log that readers list stays short, and nothing of it is lost.

A pack is a Parquet file `_log_packs/FIRST-LAST.parquet` in the table's folder with the columns
`version` and `entry` (the bytes of `_delta_log/VERSION.json`). The ledger's chain goes on over it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.errors import LakeError
from storage.files import demand_size
from storage.place import Place

LOG = "_delta_log"
FOLDER = "_log_packs"
ENTRIES = 1000
BYTES = 32 << 20
_MOST = 100_000  # entries that a pack's name may promise: beyond that it is no name of ours
_GROUP = 50  # entries in a row group: one entry is found without reading all
_COLUMNS: list[tuple[str, pa.DataType]] = [("version", pa.int64()), ("entry", pa.large_binary())]
_SCHEMA = pa.schema(_COLUMNS)


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack: the versions it holds, both ends included, and where it lies."""

    first: int
    last: int
    place: Place
    name: str


def packs(place: Place) -> list[Pack]:
    """The packs of a table, ascending."""
    found = []
    for name in place.names(FOLDER):
        stem = name.removeprefix(f"{FOLDER}/").removesuffix(".parquet")
        first, _, last = stem.partition("-")
        if first.isdecimal() and last.isdecimal() and 0 <= int(last) - int(first) < _MOST:
            found.append(Pack(int(first), int(last), place, name))
    return sorted(found, key=lambda pack: pack.first)


def entry(place: Place, version: int) -> bytes | None:
    """One entry out of its pack, None if no pack holds it. Raises LakeError for a damaged pack."""
    for pack in packs(place):
        if pack.first <= version <= pack.last:
            return _read(pack, version).get(version)
    return None


@dataclass(slots=True)
class Packed:
    """The entries of a table's packs for whoever reads many: the pack read last is held."""

    place: Place
    _pack: Pack | None = None
    _entries: dict[int, bytes] = field(default_factory=dict)
    _damage: str = ""

    def entry(self, version: int) -> bytes | None:
        """Like `entry`."""
        if self._pack is None or not self._pack.first <= version <= self._pack.last:
            holding = (p for p in packs(self.place) if p.first <= version <= p.last)
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
    content = pack.place.read(pack.name) or b""
    try:
        with pq.ParquetFile(io.BytesIO(content)) as file:
            if not file.schema_arrow.equals(_SCHEMA):
                raise ValueError("it has other columns")
            demand_size(file.metadata, _MOST, len(content))
        rows = pq.read_table(io.BytesIO(content), columns=_SCHEMA.names, filters=wanted)
        return {row["version"]: row["entry"] for row in rows.to_pylist()}
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise LakeError(
            f"{pack.place.shown(pack.name)} is no pack of log entries: {error}; restore it from a "
            "backup"
        ) from error


def commit_name(version: int) -> str:
    """Where in its table the log entry of a version lies before it is packed."""
    return f"{LOG}/{version:020}.json"


def listed_versions(place: Place, since: int = 0) -> list[int]:
    """The versions from `since` on whose entries lie in the log itself, ascending."""
    after = commit_name(since - 1) if since > 0 else ""
    names = (name.removeprefix(f"{LOG}/") for name in place.names(LOG, after=after))
    stems = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return sorted(int(stem) for stem in stems if len(stem) == 20 and stem.isdecimal())


def pack_entries(place: Place, below: int) -> int:
    """Move whole packs of entries with versions less than `below`; how many entries left the log.

    A pack is on disk, and was read again and compared, before the first of its entries goes; who
    dies in between goes on here the next time. Raises LakeError if an entry is gone or a pack does
    not hold what the log holds.
    """
    held = packs(place)
    there = set(listed_versions(place))
    moved = sum(_release(pack, there) for pack in held)
    start = held[-1].last + 1 if held else 0
    for versions, entries in _spans(place, start, below):
        pack = _write(place, versions, entries)
        moved += _release(pack, set(versions))
    return moved


def _spans(place: Place, start: int, below: int) -> Iterator[tuple[list[int], list[bytes]]]:
    versions: list[int] = []
    entries: list[bytes] = []
    size = 0
    for version in range(start, below):
        content = place.read(commit_name(version))
        if content is None:
            raise LakeError(
                f"log entry {version} cannot be read, so the log is left as it is: "
                f"{place.shown(commit_name(version))} is gone; run `headwater verify`"
            )
        entries.append(content)
        versions.append(version)
        size += len(entries[-1])
        if len(versions) == ENTRIES or size >= BYTES:
            yield versions, entries
            versions, entries, size = [], [], 0


def _write(place: Place, versions: Sequence[int], entries: Sequence[bytes]) -> Pack:
    name = f"{FOLDER}/{versions[0]:020}-{versions[-1]:020}.parquet"
    held = zip(versions, entries, strict=True)
    table = pa.Table.from_pylist([{"version": v, "entry": e} for v, e in held], schema=_SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=_GROUP)
    place.replace(name, sink.getvalue().to_pybytes())
    return Pack(versions[0], versions[-1], place, name)


def _release(pack: Pack, there: set[int]) -> int:
    """Delete the entries that the pack holds, oldest first: what is left is always whole."""
    due = [v for v in range(pack.first, pack.last + 1) if v in there]
    if not due:
        return 0
    held, place = _read(pack), pack.place
    for version in due:
        if place.read(commit_name(version)) != held.get(version):
            raise LakeError(
                f"{place.shown(pack.name)} does not hold log entry {version} as it is; both are "
                "left as they are: run `headwater verify`"
            )
    for version in due:
        place.remove(commit_name(version))
    place.settle([f"{LOG}/_last_checkpoint"])
    return len(due)
