"""Proofs from the ledger, made from the lake and checked without it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evidence.errors import LakeError, VerificationFailed
from storage.delta import Table, read_commit
from storage.files import read_rows
from storage.lake import Lake
from storage.ledger import leaf_hashes, read_checkpoint
from storage.merkle import (
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_from_inclusion,
    roots_from_consistency,
)
from storage.note import Checkpoint, VerifierKey, open_note
from storage.schema import LEAF_COLUMNS, leaf_data


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That one item is leaf `index` of the tree that `checkpoint` (a signed note) seals.

    `data` is the canonical JSON of the item's row without its payload.
    """

    index: int
    path: tuple[bytes, ...]
    data: bytes
    checkpoint: str


def inclusion_proof(lake: Lake, item_id: str) -> InclusionProof:
    """The proof for a sealed item. Raises LakeError if it is not in the lake or not sealed yet."""
    leaves, head = lake.table("leaves"), read_checkpoint(lake)
    index, version = _leaf(leaves, item_id)
    if index >= head.size:
        raise LakeError(f"{item_id} landed, but is not sealed yet; run the ledger first")
    hashes = leaf_hashes(leaves, head.size)
    data = _data(lake.table("evidence"), version, item_id)
    return InclusionProof(index, inclusion_path(hashes, index), data, head.text)


def _leaf(leaves: Table, item_id: str) -> tuple[int, int]:
    columns = ["item_id", "leaf_index", "evidence_version"]
    for file in leaves.files():
        rows = read_rows(file.path, {}, columns)
        for row in rows.filter(_is(rows, item_id)).to_pylist():
            return row["leaf_index"], row["evidence_version"]
    raise LakeError(f"{item_id} has no leaf in the ledger")


def _is(rows: pa.Table, item_id: str) -> Any:
    return pc.equal(rows["item_id"], pa.scalar(item_id))


def _data(evidence: Table, version: int, item_id: str) -> bytes:
    landed = read_commit(evidence.root, version)
    added = {evidence.root / add.path for add in landed.adds} if landed else set()
    files = evidence.files()
    # Where it landed, if that file still stands; else in a file that took the place of it.
    for file in sorted(files, key=lambda file: file.path not in added):
        rows = read_rows(file.path, file.partition, LEAF_COLUMNS)
        for row in rows.filter(_is(rows, item_id)).to_pylist():
            return leaf_data(row)
    raise LakeError(f"{item_id} has a leaf, but version {version} of the evidence lacks it")


def check_inclusion(
    proof: InclusionProof, vkey: str, *, payload: bytes | None = None
) -> Checkpoint:
    """Check a proof offline; the checkpoint it holds under. Raises VerificationFailed.

    With `payload` (the canonical bytes of the item's payload) also that this is what was sealed.
    """
    head = open_note(proof.checkpoint, VerifierKey.parse(vkey), what="the proof's checkpoint")
    try:
        root = root_from_inclusion(leaf_hash(proof.data), proof.index, head.size, proof.path)
        row = json.loads(proof.data)
        sealed = str(row["content_sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise VerificationFailed((f"the proof is malformed: {error}",)) from error
    if root != head.root:
        raise VerificationFailed((f"{row['item_id']} is not leaf {proof.index} of this ledger",))
    if payload is not None and hashlib.sha256(payload).hexdigest() != sealed:
        raise VerificationFailed((f"{row['item_id']} was sealed with another payload",))
    return head


def consistency_proof(lake: Lake, old: int) -> tuple[bytes, ...]:
    """That the sealed tree continues the one of `old` leaves. Raises LakeError."""
    head = read_checkpoint(lake)
    try:
        return consistency_path(leaf_hashes(lake.table("leaves"), head.size), old)
    except ValueError as error:
        raise LakeError(str(error)) from error


def check_consistency(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> None:
    """Check offline that `new` continues `old`. Raises VerificationFailed."""
    try:
        roots = roots_from_consistency(old.size, new.size, old.root, path)
    except ValueError as error:
        raise VerificationFailed((f"the proof is malformed: {error}",)) from error
    if roots != (old.root, new.root):
        raise VerificationFailed(
            (f"the log of {new.size} does not continue that of {old.size}: history was rewritten",)
        )
