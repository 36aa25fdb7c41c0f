"""The ledger's list of leaves in compact form: 32 bytes a hash, whatever order the files have."""

from __future__ import annotations

import hashlib
from binascii import hexlify, unhexlify
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evidence.errors import LakeError
from storage.delta import Table
from storage.files import DataFile, read_parts, read_rows
from storage.merkle import Edge

Hashes = npt.NDArray[np.uint8]
"""One SHA-256 a row: shape (n, 32)."""

_DIGITS = 64
_NO_HASH = "a hash is not 64 lower-case hexadecimal digits"
_PART_ROWS = 100_000
_STEP = 65_536


@dataclass(slots=True)
class Leaves:
    """The first `size` leaves by their place. Where `held` is False the other arrays say nothing.

    `odd` are the ids that are no hash, as their text; in `ids` a digest of the text stands for it.
    """

    ids: Hashes
    hashes: Hashes
    versions: npt.NDArray[np.int64]
    held: npt.NDArray[np.bool_]
    odd: dict[int, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, size: int) -> Leaves:
        """Room for so many leaves, none held."""
        return cls(
            ids=np.zeros((size, 32), np.uint8), hashes=np.zeros((size, 32), np.uint8),
            versions=np.zeros(size, np.int64), held=np.zeros(size, np.bool_),
        )  # fmt: skip

    @property
    def size(self) -> int:
        """How many leaves there is room for."""
        return len(self.held)

    def first(self, size: int) -> Leaves:
        """The first `size` of them."""
        odd = {place: text for place, text in self.odd.items() if place < size}
        part = slice(size)
        return Leaves(self.ids[part], self.hashes[part], self.versions[part], self.held[part], odd)

    def name(self, place: int) -> str:
        """The id of the item at a place."""
        return self.odd.get(place) or self.ids[place].tobytes().hex()

    def read(self, path: Path, most: int) -> None:
        """Take in one file of the list, of so many rows. Raises LakeError if it is damaged."""
        for rows in read_parts(path, {}, rows=_PART_ROWS, most=most):
            try:
                self._take(rows)
            except (KeyError, TypeError, ValueError, IndexError, pa.ArrowException) as error:
                raise LakeError(f"{path} is no list of leaves: {error}") from error

    def _take(self, rows: pa.Table) -> None:
        if rows["leaf_index"].null_count or rows["evidence_version"].null_count:
            raise ValueError("a leaf has no place or no version")
        places = rows["leaf_index"].to_numpy()
        inside = (places >= 0) & (places < self.size)
        kept, at = rows.filter(pa.array(inside)), places[inside]
        hashes, versions = hashes_of(kept["leaf_hash"]), kept["evidence_version"].to_numpy()
        texts = kept["item_id"]
        try:
            self.ids[at] = hashes_of(texts)
        except ValueError:
            for place, text in zip(at.tolist(), texts.to_pylist(), strict=True):
                self.ids[place] = np.frombuffer(id_key(str(text)), np.uint8)
                self.odd[place] = str(text)
        self.hashes[at], self.versions[at], self.held[at] = hashes, versions, True


def id_key(item_id: str) -> bytes:
    """The 32 bytes that stand for an item's id: those it names, or the digest of another text."""
    try:
        named = bytes.fromhex(item_id)
    except ValueError:
        named = b""
    if len(named) == 32 and named.hex() == item_id:
        return named
    return hashlib.sha256(b"odd " + item_id.encode("utf-8", "replace")).digest()


class Finder:
    """Where a hash stands in an array, by binary search over its first eight bytes."""

    def __init__(self, hashes: Hashes) -> None:
        keys = _keys(hashes)
        self._hashes = hashes
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]

    def places(self, wanted: Hashes) -> npt.NDArray[np.int64]:
        """The place of each hash, -1 for one that is not there."""
        found = np.full(len(wanted), -1, np.int64)
        if not len(self._sorted):
            return found
        keys = _keys(wanted)
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        candidates = self._order[at]
        same = (self._hashes[candidates] == wanted).all(axis=1)
        found[same] = candidates[same]
        # Another hash with the same beginning stands first: rare, or made on purpose.
        for row in np.flatnonzero(~same & (self._sorted[at] == keys)).tolist():
            found[row] = self._among(int(at[row]), wanted[row])
        return found

    def _among(self, at: int, wanted: Any) -> int:
        end = int(np.searchsorted(self._sorted, self._sorted[at], side="right"))
        same = (self._hashes[self._order[at:end]] == wanted).all(axis=1)
        return int(self._order[at + int(np.argmax(same))]) if same.any() else -1


def _keys(hashes: Hashes) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(hashes[:, :8]).view(np.dtype(np.uint64)).reshape(-1)


@dataclass(frozen=True, slots=True)
class Grown:
    """A tree grown over leaf hashes: its roots at the sizes asked for, its tiles' hashes by level.

    `roots` ends where the first leaf is missing.
    """

    roots: dict[int, bytes]
    levels: dict[int, bytearray]


def grow(leaves: Leaves, sizes: Sequence[int]) -> Grown:
    """The roots at these sizes, in one pass."""
    missing = np.flatnonzero(~leaves.held)
    whole = int(missing[0]) if len(missing) else leaves.size
    grown, edge = Grown({0: Edge().root()}, {}), Edge()
    for stop in _stops(sizes, whole):
        growth = edge.grow(leaves.hashes[edge.size : stop].tobytes())
        for level, new in growth.tops.items():
            if level:
                grown.levels.setdefault(level, bytearray()).extend(new)
        edge = growth.edge
        grown.roots[stop] = edge.root()
    return grown


def _stops(sizes: Sequence[int], whole: int) -> Iterator[int]:
    """The sizes in order, and steps between them that fit into memory."""
    at = 0
    for size in sorted({size for size in sizes if 0 < size <= whole}):
        yield from range(at + _STEP, size, _STEP)
        yield size
        at = size


def hashes_of(texts: Any) -> Hashes:
    """Hashes from an Arrow column of lower-case hex. Raises ValueError if one is no such text."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    wide: Any = column.cast(pa.large_binary())
    _, offsets, content = wide.buffers()
    ends = np.frombuffer(offsets or bytes(8), np.int64)[wide.offset : wide.offset + len(wide) + 1]
    if wide.null_count or (np.diff(ends) != _DIGITS).any():
        raise ValueError(_NO_HASH)
    # As bytes: Python compares a view of Arrow's signed bytes one by one.
    text = bytes(memoryview(content or b"")[ends[0] : ends[-1]])
    try:
        found = unhexlify(text)
    except ValueError as error:
        raise ValueError(_NO_HASH) from error
    if hexlify(found) != text:
        raise ValueError(_NO_HASH)
    return np.frombuffer(found, np.uint8).reshape(-1, 32)


def leaf_hashes(leaves: Table, first: int, last: int) -> bytes:
    """The hashes of the leaves from `first` up to (not with) `last`, in order, 32 bytes each.

    Only files that may hold one of them are read. Raises LakeError if one is missing or damaged.
    """
    found = np.zeros((last - first, 32), np.uint8)
    held = np.zeros(last - first, np.bool_)
    for file in leaves.files():
        if _may_hold(file, first, last):
            rows = read_rows(file.path, {}, ["leaf_index", "leaf_hash"])
            places = rows["leaf_index"].to_numpy() - first
            inside = (places >= 0) & (places < last - first)
            found[places[inside]] = _hashes(rows.filter(pa.array(inside)), file)
            held[places[inside]] = True
    if missing := int(np.count_nonzero(~held)):
        raise LakeError(f"{missing} of the leaves {first} to {last - 1} are missing")
    return found.tobytes()


def _may_hold(file: DataFile, first: int, last: int) -> bool:
    least, greatest = file.least.get("leaf_index"), file.greatest.get("leaf_index")
    return least is None or greatest is None or (least < last and first <= greatest)


def _hashes(rows: pa.Table, file: DataFile) -> Hashes:
    try:
        return hashes_of(rows["leaf_hash"])
    except ValueError as error:
        raise LakeError(f"{file.path} is damaged: {error}; run `headwater verify`") from error
