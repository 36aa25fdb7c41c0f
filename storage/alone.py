"""The subjects that stand alone and were left out of what is kept for judging, as sorted hashes."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evidence.errors import LakeError

HASH = "md5_number_upper(concat_ws(chr(31), source, kind, system, subject))"
"""The hash in SQL; `hash_of` is the same. Two subjects of one hash cost a doubt, no false word."""
FILE = "alone.npy"
BLOCK = 1 << 16

Block = tuple[int, str]
"""The first hash of some and the SHA-256 of all: a look-up reads one block, and checks it."""


def hash_of(*subject: str) -> int:
    """The hash of a subject, given as source, kind, system and subject."""
    first = hashlib.md5("\x1f".join(subject).encode(), usedforsecurity=False).digest()[:8]
    return int.from_bytes(first, "little")


def write(folder: Path, hashes: Iterable[NDArray[np.uint64]]) -> list[Block]:
    """Write the hashes to a folder; the blocks to know them by."""
    alone = np.sort(np.concatenate([np.empty(0, np.uint64), *hashes]))
    np.save(folder / FILE, alone)
    starts = range(0, len(alone), BLOCK)
    return [(int(alone[n]), _digest(alone[n : n + BLOCK])) for n in starts]


def any_of(folder: Path, blocks: Sequence[Block], wanted: Iterable[int]) -> bool:
    """Whether one of these hashes is among those in the folder. Raises LakeError where they are not
    those that were written."""
    firsts = [first for first, _ in blocks]
    places: dict[int, set[int]] = {}
    for one in wanted:
        if (number := bisect_right(firsts, one) - 1) >= 0:
            places.setdefault(number, set()).add(one)
    try:
        alone = np.load(folder / FILE, mmap_mode="r") if places else np.empty(0, np.uint64)
    except (OSError, ValueError) as error:
        raise LakeError(f"{folder / FILE} cannot be read: {error}") from error
    for number, those in places.items():
        block = alone[number * BLOCK : (number + 1) * BLOCK]
        if _digest(block) != blocks[number][1]:
            raise LakeError(f"{folder / FILE} is not what was written")
        if np.isin(np.array(sorted(those), np.uint64), block).any():
            return True
    return False


def _digest(block: NDArray[np.uint64]) -> str:
    return hashlib.sha256(block.tobytes()).hexdigest()
