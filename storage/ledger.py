"""The ledger: a Merkle log over landed items in the order they landed, sealed by checkpoints.

The checkpoints also seal the logs of the tables that follow (`storage.followers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from evidence.errors import LakeConflict, LakeError, VerificationFailed
from storage.canonical_rows import digests, leaf_data_of
from storage.delta import Commit, Table
from storage.files import read_rows
from storage.followers import follower_chains
from storage.keys import Signer
from storage.lake import Lake, locked, write_durably
from storage.merkle import LEAF_PREFIX, Edge
from storage.note import Checkpoint, LogChain, VerifierKey, open_note, parse_note
from storage.schema import LEAF_COLUMNS, LEAVES

__all__ = ["Checkpoint", "integrate", "read_checkpoint"]

APP = "ledger"
_STEP_LEAVES = 50_000


@dataclass(frozen=True, slots=True)
class _Tip:
    """Where the ledger ends: the tree's right edge, and the evidence log it was made from."""

    edge: Edge = field(default_factory=Edge)
    chain: LogChain = field(default_factory=LogChain)


def integrate(
    lake: Lake, signer: Signer, *, witness: Path | None = None, anew: Sequence[str] = ()
) -> Checkpoint:
    """Append leaves for everything that landed since, then sign what the log now holds.

    `witness` is a file outside the lake that gets a copy of the checkpoint. Nothing is signed over
    a log that does not continue the last checkpoint or the witness copy: raises VerificationFailed.
    `anew` names followers that were made again, whose old log need not go on.
    Raises LakeError if the lake cannot be read or written. One integrator works at a time; a crash
    leaves the ledger behind, never wrong.
    """
    with locked(lake.path / "log" / ".lock"):
        evidence, leaves = lake.table("evidence"), lake.table("leaves")
        tip = _tip(leaves)
        seals = list(_seals(lake, signer.verifier, witness))
        for seal in seals:
            _refuse_rewrite(evidence, leaves, tip, seal)
        tip = _append(evidence, leaves, tip)
        followers = follower_chains(lake, seals, anew=anew)
        head = signer.sign(tip.edge.size, tip.edge.root(), tip.chain, followers)
        _publish(lake, head, witness)
    return head


def read_checkpoint(lake: Lake) -> Checkpoint:
    """The last checkpoint as it lies in the lake, signature unchecked. Raises LakeError if none."""
    path = checkpoint_path(lake.path)
    text = _read(path)
    if text is None:
        raise LakeError(f"the ledger has no checkpoint yet at {path}")
    return parse_note(text, what=str(path))


def checkpoint_path(lake: Path) -> Path:
    """Where the last checkpoint of the lake in this folder lies."""
    return lake / "log" / "checkpoint"


def history_path(lake: Path, size: int) -> Path:
    """Where the checkpoint of a size is kept for good."""
    return lake / "log" / "checkpoints" / f"{size:020}"


def history_sizes(lake: Path) -> list[int]:
    """The sizes at which checkpoints were kept, ascending."""
    names = (path.name for path in (lake / "log" / "checkpoints").glob("*"))
    return sorted(int(name) for name in names if name.isdecimal())


def open_checkpoint(path: Path, key: VerifierKey, *, what: str) -> Checkpoint | None:
    """A checkpoint file with its signature checked, None if it is not there.

    Raises VerificationFailed.
    """
    text = _read(path)
    return None if text is None else open_note(text, key, what=what)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise LakeError(f"{path} cannot be read: {error}") from error


def _tip(leaves: Table) -> _Tip:
    """The tip that the last leaves were committed with."""
    commit = leaves.latest(APP)
    if commit is None:
        return _Tip()
    try:
        hashes = tuple(bytes.fromhex(text) for text in commit.metadata["edge"])
        chain = LogChain(commit.transactions[APP], bytes.fromhex(commit.metadata["chain"]))
        return _Tip(Edge(commit.metadata["size"], hashes), chain)
    except (KeyError, TypeError, ValueError) as error:
        raise LakeError(f"the ledger's log entry {commit.version} is damaged: {error}") from error


def _seals(lake: Lake, key: VerifierKey, witness: Path | None) -> Iterator[Checkpoint]:
    """What was signed before: the lake's own checkpoint and the copy outside it."""
    own = open_checkpoint(checkpoint_path(lake.path), key, what="the lake's checkpoint")
    if own is None and (sizes := history_sizes(lake.path)):
        own = open_checkpoint(history_path(lake.path, sizes[-1]), key, what="the last checkpoint")
    if own is not None:
        yield own
    kept = open_checkpoint(witness, key, what="the witness copy") if witness else None
    if kept is not None:
        yield kept


def _refuse_rewrite(evidence: Table, leaves: Table, tip: _Tip, seal: Checkpoint) -> None:
    """A crash may leave leaves that no checkpoint covers yet; the other way round is a rewrite."""
    size, version = tip.edge.size, tip.chain.version
    if seal.size > size or seal.chain.version > version:
        raise VerificationFailed(
            (f"{seal.size} items were sealed, but the ledger holds {size}: it was cut",)
        )
    root = tip.edge.root() if seal.size == size else _root_at(leaves, seal.size)
    if root != seal.root:
        raise VerificationFailed(
            (f"the first {seal.size} leaves are not those that were sealed: history was rewritten",)
        )
    at_seal = seal.chain.version == version
    chain = tip.chain if at_seal else _chain_at(evidence, seal.chain.version)
    if chain != seal.chain:
        raise VerificationFailed(
            (f"the log up to version {seal.chain.version} was rewritten since it was sealed",)
        )


def _root_at(leaves: Table, size: int) -> bytes:
    return Edge().extend(leaf_hashes(leaves, size)).root()


def _chain_at(evidence: Table, version: int) -> LogChain:
    chain = LogChain()
    for commit in evidence.commits(-1):
        if commit.version > version:
            break
        chain = chain.then(commit.version, commit.digest)
    return chain


def leaf_hashes(leaves: Table, size: int) -> list[bytes]:
    """The hashes of the first `size` leaves in order. Raises LakeError if one is missing."""
    found: list[bytes | None] = [None] * size
    for file in leaves.files():
        rows = read_rows(file.path, {}, ["leaf_index", "leaf_hash"])
        for index, text in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            if index < size:
                found[index] = bytes.fromhex(text)
    hashes = [leaf for leaf in found if leaf is not None]
    if len(hashes) < size:
        raise LakeError(f"{size - len(hashes)} of the first {size} leaves are missing")
    return hashes


def _append(evidence: Table, leaves: Table, tip: _Tip) -> _Tip:
    """Leaves for the versions after the tip; log entries without rows wait for the next rows."""
    if tip.chain.version > evidence.version:
        raise VerificationFailed(
            (f"version {tip.chain.version} was sealed, but the evidence is at {evidence.version}: "
             "it was cut",)
        )  # fmt: skip
    rows: list[pa.Table] = []
    chain = tip.chain
    for commit in evidence.commits(chain.version):
        chain = chain.then(commit.version, commit.digest)
        rows += _leaves(evidence, commit)
        count = sum(part.num_rows for part in rows)
        if count >= _STEP_LEAVES or (count and commit.version == evidence.version):
            tip, rows = _commit(leaves, tip, rows, chain), []
    return tip


def _leaves(evidence: Table, commit: Commit) -> Iterator[pa.Table]:
    """Item, leaf hash and version of what a commit landed, in ledger order."""
    for add in commit.adds:
        if add.data_change:
            path = evidence.root / add.path
            table = read_rows(path, add.partition, LEAF_COLUMNS)
            for part in table.to_batches(max_chunksize=_STEP_LEAVES):
                hashes = _hashes(pa.Table.from_batches([part]), path)
                version = pa.repeat(pa.scalar(commit.version, pa.int64()), part.num_rows)
                columns = [part["item_id"], hashes, version]
                yield pa.table(columns, ["item_id", "leaf_hash", "evidence_version"])


def _hashes(rows: pa.Table, path: Path) -> pa.StringArray:
    try:
        return pa.array([leaf.hex() for leaf in digests(leaf_data_of(rows), LEAF_PREFIX)])
    except ValueError as error:
        raise LakeError(f"cannot seal {path}: {error}; run `headwater verify`") from error


def _commit(leaves: Table, tip: _Tip, parts: Sequence[pa.Table], chain: LogChain) -> _Tip:
    rows = pa.concat_tables(parts)
    edge = tip.edge.extend(bytes.fromhex(str(text)) for text in rows["leaf_hash"].to_pylist())
    places = pa.array(range(tip.edge.size, edge.size), pa.int64())
    table = rows.append_column("leaf_index", places).select(LEAVES.names).cast(LEAVES)
    nodes = [node.hex() for node in edge.hashes]
    metadata = {"size": edge.size, "edge": nodes, "chain": chain.digest.hex()}
    leaves.commit([table], app=APP, marker=chain.version, metadata=metadata)
    if leaves.marker(APP) != chain.version:
        raise LakeConflict("another integrator works on this ledger without its lock")
    return _Tip(edge, chain)


def _publish(lake: Lake, head: Checkpoint, witness: Path | None) -> None:
    """The history first, then the checkpoint, then its copy: each a whole file or none."""
    content = head.text.encode()
    kept = history_path(lake.path, head.size)
    try:
        kept.parent.mkdir(exist_ok=True)
        if not kept.exists():
            write_durably(kept, content)
        for path in (checkpoint_path(lake.path), witness):
            if path is not None and _read(path) != head.text:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_durably(path, content)
    except OSError as error:
        raise LakeError(f"the checkpoint cannot be written: {error}") from error
