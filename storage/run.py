"""One sorted run of the index of known items: a file that is written once and checks itself.

A file holds `count` keys (the first 8 bytes of item ids as numbers, ascending, filled up to whole
blocks), for each the evidence version that brought it, and for each block a checksum and its first
key. All numbers are little-endian. The footer binds the run to a stretch of one evidence log.
"""

from __future__ import annotations

import hashlib
import os
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Keys = npt.NDArray[np.uint64]
Versions = npt.NDArray[np.uint32]

BLOCK = 256
_MAGIC = b"headwater.run/1\n"
_FOOTER = struct.Struct("<16sQQQ32s32s32s")
_FILLER = np.uint64(2**64 - 1)
_HEX = 64
# Odd factors, one a place: any one changed bit of a block changes the block's sum.
_FACTORS = (np.arange(BLOCK, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C16)) | np.uint64(1)


class DamagedRun(Exception):
    """The file is not what was written; it is only an index, and is made again."""


@dataclass(frozen=True, slots=True)
class Span:
    """Evidence versions after `first` up to `last`, and the digests of the log entries of both."""

    first: int
    last: int
    start: bytes
    end: bytes

    @property
    def name(self) -> str:
        """The name of the file of such a run."""
        return f"{self.first:020}-{self.last:020}-{self.end.hex()[:16]}.run"


@dataclass(frozen=True, slots=True)
class Run:
    """The keys of a span. Arrays lie in the mapped file; `sums` and `fences` were checked."""

    span: Span
    count: int
    keys: Keys
    versions: Versions
    sums: Keys
    fences: Keys

    def find(self, wanted: Keys) -> npt.NDArray[np.int64]:
        """For each wanted key the version that brought it, -1 if the run does not hold it.

        Reads and checks only the blocks that could hold one. Raises DamagedRun.
        """
        found = np.full(len(wanted), -1, np.int64)
        order = np.argsort(wanted)  # near keys one after the other: the processor's caches help
        block = np.searchsorted(self.fences, wanted[order], side="right") - 1
        reached = order[block >= 0]
        touched = np.unique(block[block >= 0])
        keys = self._checked(touched)
        place = np.searchsorted(keys, wanted[reached])
        hit = place < len(keys)
        hit[hit] = keys[place[hit]] == wanted[reached[hit]]
        origin = touched[place[hit] // BLOCK] * BLOCK + place[hit] % BLOCK
        real = origin < self.count  # what fills the last block is no key
        found[reached[hit][real]] = self.versions[origin[real]]
        return found

    def whole(self) -> tuple[Keys, Versions]:
        """All keys and versions, checked. Raises DamagedRun."""
        keys = self._checked(np.arange(len(self.sums)))
        return keys[: self.count], np.array(self.versions[: self.count])

    def _checked(self, blocks: npt.NDArray[np.int64]) -> Keys:
        """A copy of these blocks, so that what was checked is what is searched."""
        keys = self.keys.reshape(-1, BLOCK)[blocks]
        if not np.array_equal(_sums(keys), self.sums[blocks]):
            raise DamagedRun(self.span.name)
        return keys.reshape(-1)


def _sums(blocks: Keys) -> Keys:
    sums: Keys = blocks @ _FACTORS
    return sums


def make_run(span: Span, keys: Keys, versions: Versions) -> Run:
    """A run in memory, of keys in any order with the versions that brought them."""
    order = np.argsort(keys, kind="stable")  # quick where the keys are runs put end to end
    blocks = np.full((-(-len(keys) // BLOCK), BLOCK), _FILLER)
    brought = np.zeros(blocks.size, np.uint32)
    np.take(keys, order, out=blocks.reshape(-1)[: len(keys)])
    np.take(versions, order, out=brought[: len(keys)])
    fences = np.ascontiguousarray(blocks[:, 0])
    return Run(span, len(keys), blocks.reshape(-1), brought, _sums(blocks), fences)


def save_run(folder: Path, run: Run) -> None:
    """Write a run in one step (others see all of it or nothing). Raises OSError.

    It is not forced to disk: after a power cut its checks fail and it is made again.
    """
    guides = run.sums.tobytes() + run.fences.tobytes()
    folder.mkdir(exist_ok=True)
    fresh = folder / f".{uuid.uuid4()}.new"
    try:
        with fresh.open("xb") as file:
            for part in (run.keys.data, run.versions.data, guides):
                file.write(part)
            file.write(_footer(run.span, run.count, guides))
        fresh.replace(folder / run.span.name)
    finally:
        fresh.unlink(missing_ok=True)


def _footer(span: Span, count: int, guides: bytes) -> bytes:
    said = struct.pack("<QQQ", count, span.first, span.last) + span.start + span.end
    seal = hashlib.sha256(_MAGIC + said + guides).digest()
    return _FOOTER.pack(_MAGIC, count, span.first, span.last, span.start, span.end, seal)


def open_run(path: Path) -> Run:
    """Map a run and check its footer and guides. Raises DamagedRun, FileNotFoundError, OSError."""
    size = path.stat().st_size - _FOOTER.size
    if size < 0:
        raise DamagedRun(path.name)
    with path.open("rb") as file:
        file.seek(size)
        footer = file.read()
        magic, count, first, last, start, end, _ = _FOOTER.unpack(footer)
        blocks = -(-count // BLOCK)
        if magic != _MAGIC or size != blocks * (BLOCK * 12 + 16):
            raise DamagedRun(path.name)
        file.seek(blocks * BLOCK * 12)
        guides = file.read(blocks * 16)
        content = np.memmap(file, np.uint8, "r", shape=(size,)) if size else np.empty(0, np.uint8)
    span = Span(first, last, start, end)
    if footer != _footer(span, count, guides) or path.name != span.name:
        raise DamagedRun(path.name)
    split = blocks * BLOCK * 8
    return Run(
        span, count,
        keys=content[:split].view(np.uint64),
        versions=content[split : blocks * BLOCK * 12].view(np.uint32),
        sums=np.frombuffer(guides, np.uint64, blocks),
        fences=np.frombuffer(guides, np.uint64, blocks, blocks * 8),
    )  # fmt: skip


def keys_of(ids: Any) -> Keys:
    """The keys of item ids (an Arrow array or a sequence of texts) in their order.

    Text of another length is no item id: it has no key and is left out.
    """
    column: Any = ids if isinstance(ids, pa.Array) else pa.array(ids, pa.string())
    column = column.filter(pc.equal(pc.binary_length(column), pa.scalar(_HEX)))
    if len(column) == 0:
        return np.empty(0, np.uint64)
    heads = pc.utf8_slice_codeunits(column, 0, 16).cast(pa.binary(16))
    letters = np.frombuffer(heads.buffers()[1], np.uint8, len(heads) * 16, heads.offset * 16)
    digits = _NIBBLES[letters].reshape(-1, 16)
    halves = (digits[:, 0::2] << 4) | digits[:, 1::2]
    return np.ascontiguousarray(halves).view(">u8").reshape(-1).astype(np.uint64)


_NIBBLES = np.zeros(256, np.uint8)
for _digit, _letter in enumerate(b"0123456789abcdef"):
    _NIBBLES[_letter] = _digit


def remove_runs(folder: Path, names: Sequence[str]) -> None:
    """Take files of runs away that larger ones have replaced; another process may be quicker."""
    for name in names:
        (folder / name).unlink(missing_ok=True)


def run_names(folder: Path) -> list[str]:
    """The names of all runs that lie there, ascending; a folder that cannot be read has none."""
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".run"))
    except OSError:
        return []
