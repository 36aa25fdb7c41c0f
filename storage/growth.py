"""The ledger grows: leaves for what landed since, and the tiles over them."""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from evidence.errors import InvalidItem, LakeError, VerificationFailed
from evidence.times import parse, stamp
from storage.canonical_rows import digests, leaf_data_of
from storage.commits import Commit
from storage.delta import Table
from storage.files import gathered, read_rows
from storage.log import Log
from storage.merkle import LEAF_PREFIX, Edge
from storage.note import LogChain
from storage.rows import LEAF_COLUMNS
from storage.schema import LEAVES
from storage.tiles import Tiles

APP = "ledger"
_STEP_LEAVES = 65_536
_AT_ONCE = 20_000
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the ledger ends: the tree's right edge, and the evidence log it was made from.

    `at` is when the last leaves were taken in; it never goes back, also where the clock did.
    """

    edge: Edge = field(default_factory=Edge)
    chain: LogChain = field(default_factory=LogChain)
    at: datetime = _NEVER


def tip_of(leaves: Table) -> Tip:
    """The tip that the last leaves were committed with."""
    commit = leaves.latest(APP)
    if commit is None:
        return Tip()
    try:
        hashes = tuple(bytes.fromhex(text) for text in commit.metadata["edge"])
        chain = LogChain(commit.transactions[APP], chain_digest(commit))
        at = parse(commit.metadata.get("sealed_at", stamp(_NEVER)))
        return Tip(Edge(commit.metadata["size"], hashes), chain, at)
    except (KeyError, TypeError, ValueError, InvalidItem) as error:
        raise LakeError(f"the ledger's log entry {commit.version} is damaged: {error}") from error


def chain_digest(commit: Commit) -> bytes:
    """The evidence log's chain as the leaves of a commit were made from it. Raises LakeError."""
    try:
        return bytes.fromhex(commit.metadata["chain"])
    except (KeyError, ValueError) as error:
        raise LakeError(f"the ledger's log entry {commit.version} is damaged: {error}") from error


def append_leaves(
    evidence: Log, leaves: Table, tiles: Tiles, tip: Tip, clock: Callable[[], datetime]
) -> Tip:
    """Leaves for the versions after the tip; log entries without rows wait for the next rows."""
    if tip.chain.version > evidence.version:
        raise VerificationFailed(
            (f"version {tip.chain.version} was sealed, but the evidence is at {evidence.version}: "
             "it was cut",)
        )  # fmt: skip
    parts: list[pa.Table] = []
    chain = tip.chain
    for commit in evidence.commits(chain.version):
        chain = chain.then(commit.version, commit.digest)
        parts += _leaves(evidence, commit)
        count = sum(part.num_rows for part in parts)
        if count >= _STEP_LEAVES or (count and commit.version == evidence.version):
            tip = replace(tip, at=max(tip.at, clock()))
            tip, parts = _commit(leaves, tiles, tip, pa.concat_tables(parts), chain), []
    return tip


def _leaves(evidence: Log, commit: Commit) -> Iterator[pa.Table]:
    """Item, leaf hash (bytes) and version of what a commit landed, in ledger order."""
    for group in gathered(_landed(evidence, commit), rows=_AT_ONCE):
        try:
            yield _leaves_of(pa.concat_tables([rows for rows, _ in group]), commit.version)
        except (ValueError, pa.ArrowException):
            for rows, path in group:
                yield _leaves_of_file(rows, path, commit.version)


def _landed(evidence: Log, commit: Commit) -> Iterator[tuple[pa.Table, Path]]:
    for add in commit.adds:
        if add.data_change:
            path = evidence.place.local(add.path)
            table = read_rows(path, add.partition, LEAF_COLUMNS)
            for part in table.to_batches(max_chunksize=_AT_ONCE):
                yield pa.Table.from_batches([part]), path


def _leaves_of(rows: pa.Table, version: int) -> pa.Table:
    hashes = _wide(b"".join(digests(leaf_data_of(rows), LEAF_PREFIX)), 32)
    versions = pa.repeat(pa.scalar(version, pa.int64()), rows.num_rows)
    return pa.table(
        [rows["item_id"], hashes, versions], ["item_id", "leaf_hash", "evidence_version"]
    )


def _wide(content: bytes, width: int) -> Any:
    """The bytes as an Arrow array of values of one width."""
    kind = pa.binary(width)
    return pa.Array.from_buffers(kind, len(content) // width, [None, pa.py_buffer(content)])


def _leaves_of_file(rows: pa.Table, path: Path, version: int) -> pa.Table:
    """Where the files are of several forms, or one of them is damaged."""
    try:
        return _leaves_of(rows, version)
    except ValueError as error:
        raise LakeError(f"cannot seal {path}: {error}; run `headwater verify`") from error


def _commit(leaves: Table, tiles: Tiles, tip: Tip, rows: pa.Table, chain: LogChain) -> Tip:
    """The leaves first, then their tiles: a crash leaves the tiles behind, never ahead.

    The commit is refused if another integrator, working without the lock, landed leaves meanwhile.
    """
    made: list[Any] = rows["leaf_hash"].to_pylist()
    hashes = b"".join(made)
    growth = tip.edge.grow(hashes)
    edge = growth.edge
    columns = {
        "leaf_index": pa.array(np.arange(tip.edge.size, edge.size)),
        "item_id": rows["item_id"],
        "leaf_hash": _wide(hexlify(hashes), 64).cast(pa.string()),
        "evidence_version": rows["evidence_version"],
    }
    table = pa.Table.from_arrays([columns[name] for name in LEAVES.names], schema=LEAVES)
    nodes = [node.hex() for node in edge.hashes]
    metadata = {"size": edge.size, "edge": nodes, "chain": chain.digest.hex()}
    metadata |= {"sealed_at": stamp(tip.at)}
    leaves.commit([table], app=APP, marker=chain.version, metadata=metadata)
    tiles.append(tip.edge.size, growth.tops)
    return Tip(edge, chain, tip.at)
