"""The ledger's list of leaves in compact form: 32 bytes a hash, whatever order the files have."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evidence.errors import LakeError
from storage.delta import Table
from storage.files import DataFile, read_rows

Hashes = npt.NDArray[np.uint8]
"""One SHA-256 a row: shape (n, 32)."""


def hashes_of(texts: Any) -> Hashes:
    """Hashes from an Arrow column of lower-case hex. Raises ValueError if one is no such text."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    joined = "".join(str(text) for text in column.to_pylist())
    content = bytes.fromhex(joined)
    if len(content) != 32 * len(column) or content.hex() != joined:
        raise ValueError("a hash is not 64 lower-case hexadecimal digits")
    return np.frombuffer(content, np.uint8).reshape(-1, 32)


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
            found[places[inside]] = _hashes(rows, file)[inside]
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
