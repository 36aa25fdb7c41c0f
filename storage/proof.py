"""Proofs from the ledger, made from the lake and checked without it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from evidence.errors import LakeError, VerificationFailed
from storage.canonical_rows import leaf_data_of
from storage.checkpoints import checkpoint_of
from storage.commits import read_commit
from storage.delta import Table
from storage.engine import Limits, literal, open_engine, rows_of
from storage.lake import Lake
from storage.leaves import leaf_hashes
from storage.ledger import tiles_of
from storage.merkle import (
    Roots,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_from_inclusion,
    root_of,
    roots_from_consistency,
    split_at,
)
from storage.note import Checkpoint, VerifierKey, open_note
from storage.schema import EVIDENCE, TableSpec

Path = tuple[bytes, ...]
"""The hashes that lead from a leaf, or an older tree, to the root."""

_Found = TypeVar("_Found")
_HEAD = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That one item is leaf `index` of the tree that `checkpoint` (a signed note) seals.

    `data` is the canonical JSON of the item's row without its payload. As text it is a proof of
    c2sp.org/tlog-proof, with the data as its extra line.
    """

    index: int
    path: Path
    data: bytes
    checkpoint: str

    def __str__(self) -> str:
        lines = [_HEAD, f"extra {_base64(self.data)}", f"index {self.index}"]
        return "\n".join([*lines, *map(_base64, self.path), "", self.checkpoint])

    @classmethod
    def parse(cls, text: str) -> InclusionProof:
        """From its text. Raises VerificationFailed for anything that is not exactly such a text."""
        try:
            head, _, checkpoint = text.partition("\n\n")
            first, extra, index, *path = head.split("\n")
            data = base64.b64decode(extra.removeprefix("extra "), validate=True)
            hashes = tuple(base64.b64decode(line, validate=True) for line in path)
            proof = cls(int(index.removeprefix("index ")), hashes, data, checkpoint)
        except ValueError as error:
            raise VerificationFailed((f"the text is no proof with its item: {error}",)) from error
        exact = first == _HEAD and proof.index >= 0 and str(proof) == text
        if not exact or any(len(node) != 32 for node in hashes):
            raise VerificationFailed((f"the text is no {_HEAD} with its item",))
        return proof


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def inclusion_proof(lake: Lake, item_id: str, *, size: int | None = None) -> InclusionProof:
    """The proof for a sealed item under the last checkpoint, or the kept one of `size` items.

    Raises LakeError if the item is not in the lake, or not sealed by it.
    """
    head = checkpoint_of(lake, size)
    index, version = _leaf(lake.table("leaves"), item_id)
    if index >= head.size:
        raise LakeError(f"{item_id} landed, but is not sealed yet; run the ledger first")
    data = _data(lake.table("evidence"), version, item_id)
    leaf = leaf_hash(data)

    def path(roots: Roots) -> Path | None:
        nodes = inclusion_path(roots, index, head.size)
        return nodes if root_from_inclusion(leaf, index, head.size, nodes) == head.root else None

    if (found := _prove(lake, head, path)) is None:
        raise LakeError(
            f"{item_id} cannot be proved: it differs from its leaf; run `headwater verify`"
        )
    return InclusionProof(index, found, data, head.text)


class Paths:
    """The paths of many leaves under one checkpoint, in the order of the leaves: each leads up to
    the nearest node that an earlier one has proved (`storage/verify_pack.py` reads them so)."""

    def __init__(self, lake: Lake, head: Checkpoint) -> None:
        self._lake, self._head = lake, head
        self._roots: Roots = tiles_of(lake).root
        self._open = [(0, head.size, head.root)]

    def to(self, index: int, leaf: bytes, name: str) -> Path:
        """The path of the next leaf. Raises LakeError if it is not the leaf that was sealed."""
        while self._open and self._open[-1][1] <= index:
            self._open.pop()
        if not self._open or index < self._open[-1][0]:
            raise LakeError(f"{name} has two leaves or none; run `headwater verify`")
        low, high, proved = self._open.pop()
        path = self._path(low, high, index, leaf, proved)
        if path is None:
            self._roots = self._from_leaves()  # the tiles are missing or damaged
            if (path := self._path(low, high, index, leaf, proved)) is None:
                raise LakeError(f"{name} is not the leaf that was sealed; run `headwater verify`")
        for node in reversed(path):
            split = low + split_at(high - low)
            if index < split:
                self._open.append((split, high, node))
                high = split
            else:
                low = split
        return path

    def _path(self, low: int, high: int, index: int, leaf: bytes, proved: bytes) -> Path | None:
        def below(first: int, last: int) -> bytes:
            return self._roots(low + first, low + last)

        with suppress(LakeError):
            path = inclusion_path(below, index - low, high - low)
            if root_from_inclusion(leaf, index - low, high - low, path) == proved:
                return path
        return None

    def _from_leaves(self) -> Roots:
        hashes = leaf_hashes(self._lake.table("leaves"), 0, self._head.size)
        leaves = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
        return lambda first, last: root_of(leaves[first:last])


def _prove(lake: Lake, head: Checkpoint, path: Callable[[Roots], _Found | None]) -> _Found | None:
    """A path from the tiles; where they are missing or damaged, from the list of all leaves."""
    with suppress(LakeError):
        if (found := path(tiles_of(lake).root)) is not None:
            return found
    hashes = leaf_hashes(lake.table("leaves"), 0, head.size)
    leaves = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    return path(lambda first, last: root_of(leaves[first:last]))


def _leaf(leaves: Table, item_id: str) -> tuple[int, int]:
    files = [file.path for file in leaves.files()]
    found = _find(leaves.spec, files, item_id, ["leaf_index", "evidence_version"])
    if not found.num_rows:
        raise LakeError(f"{item_id} has no leaf in the ledger")
    row: dict[str, Any] = found.to_pylist()[0]
    return row["leaf_index"], row["evidence_version"]


def _data(evidence: Table, version: int, item_id: str) -> bytes:
    """The leaf data of an item: from the files it landed in, or where it was moved since."""
    commit = read_commit(evidence.place, version)
    shown = [file.name for file in evidence.files()]
    landed = {add.path for add in commit.adds} if commit else set()
    for names in ([name for name in shown if name in landed], shown):
        paths = evidence.place.locals(names)
        found = _find(evidence.spec, paths, item_id, EVIDENCE.names)
        if found.num_rows:
            data: bytes = leaf_data_of(found.slice(0, 1).cast(EVIDENCE))[0].as_py()
            return data
    raise LakeError(f"{item_id} has a leaf, but the evidence lacks it; run `headwater verify`")


def _find(spec: TableSpec, files: Sequence[File], item_id: str, columns: Sequence[str]) -> pa.Table:
    """The rows of one item; the Bloom filters spare reading files that do not hold it."""
    names = ", ".join(columns)
    sql = f"SELECT {names} FROM ({rows_of(spec, files)}) WHERE item_id = {literal(item_id)}"  # noqa: S608
    with open_engine(Limits()) as engine:
        engine.lock(files)
        try:
            return engine.execute(sql).to_arrow_table()
        except duckdb.Error as error:
            raise LakeError(f"table {spec.name} cannot be read: {error}") from error


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


def consistency_proof(lake: Lake, old: int, new: int | None = None) -> Path:
    """That the tree of `new` leaves (a kept checkpoint; None: the last) continues that of `old`.

    Raises LakeError if the ledger does not hold these trees.
    """
    head = checkpoint_of(lake, new)
    if not 0 < old <= head.size:
        raise LakeError(f"no tree of {old} leaves lies in one of {head.size}")

    def path(roots: Roots) -> Path | None:
        nodes = consistency_path(roots, old, head.size)
        proved = roots_from_consistency(old, head.size, roots(0, old), nodes)
        return nodes if proved[1] == head.root else None

    if (found := _prove(lake, head, path)) is None:
        raise LakeError(f"the leaves are not the {head.size} sealed ones; run `headwater verify`")
    return found


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
