"""The ledger: a Merkle log over landed items in the order they landed, sealed by checkpoints.

The checkpoints also seal the logs of the tables that follow (`storage.followers`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from evidence.errors import LakeConflict, LakeError, VerificationFailed
from evidence.times import parse, stamp
from storage.canonical_rows import digests, leaf_data_of
from storage.delta import Commit, Table, read_commit
from storage.files import read_rows
from storage.followers import follower_chains, lasting
from storage.keys import Signer
from storage.lake import Lake
from storage.leaves import leaf_hashes
from storage.merkle import EMPTY, LEAF_PREFIX, Edge, consistency_path, roots_from_consistency
from storage.note import Checkpoint, LogChain, VerifierKey, open_note, parse_note
from storage.place import Place
from storage.publication import last_seals, publish
from storage.schema import LEAF_COLUMNS, LEAVES
from storage.tiles import Tiles
from storage.witness import FileWitness, Witness

__all__ = ["Checkpoint", "integrate", "read_checkpoint"]

APP = "ledger"
_STEP_LEAVES = 65_536
_AT_ONCE = 20_000
_RECENT = 100
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_TRIES = 5
CHECKPOINT = "log/checkpoint"
"""The last seal. It may lag behind the kept ones: two integrators may write it in either order."""
HISTORY = "log/checkpoints"


@dataclass(frozen=True, slots=True)
class _Tip:
    """Where the ledger ends: the tree's right edge, and the evidence log it was made from.

    `at` is when the last leaves were taken in; it never goes back, also where the clock did.
    """

    edge: Edge = field(default_factory=Edge)
    chain: LogChain = field(default_factory=LogChain)
    at: datetime = _NEVER


def integrate(
    lake: Lake,
    signer: Signer,
    *,
    witness: Path | None = None,
    witnesses: Sequence[Witness] = (),
    anew: Sequence[str] = (),
) -> Checkpoint:
    """Append leaves for everything that landed since, then sign what the log now holds.

    `witnesses` are shown the checkpoint; `witness`, a file outside the lake, is one more. One that
    cannot be reached is remembered (`publication.silent`) and shown the next seal. Nothing is
    signed over a log that does not continue the last checkpoint and what each witness that answers
    was shown: raises VerificationFailed. `anew` names followers that were made again, whose old
    log need not go on. Raises LakeError if the lake cannot be read or written. One integrator
    works at a time: in a folder by a lock, in a bucket because the commit of its leaves is refused
    when another landed first. A crash leaves the ledger behind, never wrong.
    """
    outside = (*([FileWitness(witness)] if witness else []), *witnesses)
    held = [lasting(kept.head) for kept in last_seals(outside, signer.verifier)]
    with lake.place.locked("log/.lock"):
        head = _sealed(lake, signer, held, anew)
    publish(lake.place.at("log"), lambda: read_checkpoint(lake), outside, lake.clock())
    return head


def _sealed(
    lake: Lake, signer: Signer, held: Sequence[Checkpoint], anew: Sequence[str]
) -> Checkpoint:
    """The next checkpoint, made and kept; begun again when another integrator was quicker."""
    for left in reversed(range(_TRIES)):
        try:
            return _integrate(lake, signer, held, anew)
        except LakeConflict:
            if not left:
                raise
    raise AssertionError("unreachable")


def _integrate(
    lake: Lake, signer: Signer, held: Sequence[Checkpoint], anew: Sequence[str]
) -> Checkpoint:
    evidence, leaves, tiles = lake.table("evidence"), lake.table("leaves"), tiles_of(lake)
    own = own_seal(lake.place, signer.verifier)
    tip, seals = _tip(leaves), [*([own] if own else []), *held]
    _follow(tiles, leaves, tip.edge, seals)
    for seal in seals:
        _refuse_rewrite(evidence, leaves, tiles, tip, seal)
    tip = _append(evidence, leaves, tiles, tip, lake.clock)
    followers = follower_chains(lake, seals, anew=anew)
    head = signer.sign(tip.edge.size, tip.edge.root(), tip.chain, followers)
    _keep(lake.place, head)
    return head


def remake_tiles(lake: Lake) -> int:
    """Make all tiles again from the list of leaves; returns how many leaves they hold.

    Raises VerificationFailed, and makes no tile, if the list is not the one that the ledger was
    extended with. Raises LakeError.
    """
    with lake.place.locked("log/.lock"):
        leaves, tiles = lake.table("leaves"), tiles_of(lake)
        edge = _tip(leaves).edge
        _remake(tiles, leaves, edge, 0)
    return edge.size


def tiles_of(lake: Lake) -> Tiles:
    """The tiles of a lake's ledger."""
    return Tiles(lake.place.at("log"))


def read_checkpoint(lake: Lake) -> Checkpoint:
    """The last checkpoint as it lies in the lake, signature unchecked. Raises LakeError if none."""
    text = read_note(lake.place, CHECKPOINT)
    head = parse_note(text, what=lake.place.shown(CHECKPOINT)) if text else None
    if sizes := history_sizes(lake.place, after=head.size if head else -1):
        name = history_name(sizes[-1])
        head = parse_note(read_note(lake.place, name) or "", what=lake.place.shown(name))
    if head is None:
        raise LakeError(f"the ledger has no checkpoint yet at {lake.place.shown(CHECKPOINT)}")
    return head


def checkpoint_of(lake: Lake, size: int | None) -> Checkpoint:
    """The kept checkpoint of `size` items (None: the last), signature unchecked.

    Raises LakeError if none was kept.
    """
    if size is None:
        return read_checkpoint(lake)
    name = history_name(size)
    if (text := read_note(lake.place, name)) is None:
        raise LakeError(f"no checkpoint of {size} items was kept at {lake.place.shown(name)}")
    return parse_note(text, what=lake.place.shown(name))


def history_name(size: int) -> str:
    """Where the checkpoint of a size is kept for good."""
    return f"{HISTORY}/{size:020}"


def history_sizes(place: Place, after: int = -1) -> list[int]:
    """The sizes beyond `after` at which checkpoints were kept, ascending."""
    since = history_name(after) if after >= 0 else ""
    names = (name.rpartition("/")[2] for name in place.names(HISTORY, after=since))
    return sorted(int(name) for name in names if name.isdecimal())


def open_checkpoint(place: Place, name: str, key: VerifierKey, *, what: str) -> Checkpoint | None:
    """A checkpoint file with its signature checked, None if it is not there.

    Raises VerificationFailed.
    """
    text = read_note(place, name)
    return None if text is None else open_note(text, key, what=what)


def own_seal(place: Place, key: VerifierKey) -> Checkpoint | None:
    """The last checkpoint that the lake itself has, its signature checked; None if there is none.

    Raises VerificationFailed.
    """
    own = open_checkpoint(place, CHECKPOINT, key, what="the lake's checkpoint")
    if sizes := history_sizes(place, after=own.size if own else -1):
        own = open_checkpoint(place, history_name(sizes[-1]), key, what="the last checkpoint")
    return own


def read_note(place: Place, name: str) -> str | None:
    """The text of a note, None if it is not there. Raises LakeError if it is no text."""
    content = place.read(name)
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError as error:
        raise LakeError(f"{place.shown(name)} is no text: {error}") from error


def _tip(leaves: Table) -> _Tip:
    """The tip that the last leaves were committed with."""
    commit = leaves.latest(APP)
    if commit is None:
        return _Tip()
    try:
        hashes = tuple(bytes.fromhex(text) for text in commit.metadata["edge"])
        chain = LogChain(commit.transactions[APP], bytes.fromhex(commit.metadata["chain"]))
        at = parse(commit.metadata.get("sealed_at", stamp(_NEVER)))
        return _Tip(Edge(commit.metadata["size"], hashes), chain, at)
    except (KeyError, TypeError, ValueError) as error:
        raise LakeError(f"the ledger's log entry {commit.version} is damaged: {error}") from error


def _refuse_rewrite(
    evidence: Table, leaves: Table, tiles: Tiles, tip: _Tip, seal: Checkpoint
) -> None:
    """A crash may leave leaves that no checkpoint covers yet; the other way round is a rewrite."""
    size, version = tip.edge.size, tip.chain.version
    if seal.size > size or seal.chain.version > version:
        raise VerificationFailed(
            (f"{seal.size} items were sealed, but the ledger holds {size}: it was cut",)
        )
    if not _continues(tiles, tip, seal):
        _remake(tiles, leaves, tip.edge, 0)
    if not _continues(tiles, tip, seal):
        raise VerificationFailed(
            (f"the first {seal.size} leaves are not those that were sealed: history was rewritten",)
        )
    at_seal = seal.chain.version == version
    if seal.chain != (tip.chain if at_seal else _chain_at(evidence, leaves, seal.chain.version)):
        raise VerificationFailed(
            (f"the log up to version {seal.chain.version} was rewritten since it was sealed",)
        )


def _continues(tiles: Tiles, tip: _Tip, seal: Checkpoint) -> bool:
    """Whether the sealed tree is the beginning of the tip's, proved by the hashes between them."""
    size, root = tip.edge.size, tip.edge.root()
    if seal.size in {0, size}:
        return seal.root == (root if seal.size else EMPTY)
    try:
        path = consistency_path(tiles.root, seal.size, size)
    except LakeError:
        return False
    return roots_from_consistency(seal.size, size, seal.root, path) == (seal.root, root)


def _chain_at(evidence: Table, leaves: Table, version: int) -> LogChain:
    """The log's chain after a version: as the leaves were committed with it, else computed anew."""
    for commit in reversed(range(max(0, leaves.version - _RECENT), leaves.version + 1)):
        held = read_commit(leaves.place, commit)
        if held is not None and held.transactions.get(APP) == version:
            return LogChain(version, bytes.fromhex(held.metadata["chain"]))
    chain = LogChain()
    for entry in evidence.commits(-1):
        if entry.version > version:
            break
        chain = chain.then(entry.version, entry.digest)
    return chain


def _follow(tiles: Tiles, leaves: Table, edge: Edge, seals: Sequence[Checkpoint]) -> None:
    """Bring the tiles up to the tip: a crash, an older Headwater or damage left them behind."""
    if tiles.stand(edge.size, edge.root()):
        return
    start = max((s.size for s in seals if s.size < edge.size and _stands(tiles, s)), default=0)
    _remake(tiles, leaves, edge, start)


def _remake(tiles: Tiles, leaves: Table, edge: Edge, start: int) -> None:
    """Make the tiles from `start` on out of the list of leaves."""
    grown, hashes = tiles.edge(start), leaf_hashes(leaves, start, edge.size)
    if grown.grow(hashes).edge != edge:
        raise VerificationFailed(
            (f"the ledger's list of {edge.size} leaves is not the one it was extended with: it was "
             "altered",)
        )  # fmt: skip
    if start == 0:
        tiles.clear()
    for at in range(0, len(hashes), 32 * _STEP_LEAVES):
        growth = grown.grow(hashes[at : at + 32 * _STEP_LEAVES])
        tiles.append(grown.size, growth.tops)
        grown = growth.edge


def _stands(tiles: Tiles, seal: Checkpoint) -> bool:
    return tiles.stand(seal.size, seal.root)


def _append(
    evidence: Table, leaves: Table, tiles: Tiles, tip: _Tip, clock: Callable[[], datetime]
) -> _Tip:
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


def _leaves(evidence: Table, commit: Commit) -> Iterator[pa.Table]:
    """Item, leaf hash (bytes) and version of what a commit landed, in ledger order."""
    for add in commit.adds:
        if add.data_change:
            path = evidence.place.local(add.path)
            table = read_rows(path, add.partition, LEAF_COLUMNS)
            for part in table.to_batches(max_chunksize=_AT_ONCE):
                hashes = _hashes(pa.Table.from_batches([part]), path)
                version = pa.repeat(pa.scalar(commit.version, pa.int64()), part.num_rows)
                columns = [part["item_id"], hashes, version]
                yield pa.table(columns, ["item_id", "leaf_hash", "evidence_version"])


def _hashes(rows: pa.Table, path: Path) -> Any:
    try:
        return pa.array(digests(leaf_data_of(rows), LEAF_PREFIX), pa.binary(32))
    except ValueError as error:
        raise LakeError(f"cannot seal {path}: {error}; run `headwater verify`") from error


def _commit(leaves: Table, tiles: Tiles, tip: _Tip, rows: pa.Table, chain: LogChain) -> _Tip:
    """The leaves first, then their tiles: a crash leaves the tiles behind, never ahead."""
    hashes: list[Any] = rows["leaf_hash"].to_pylist()
    growth = tip.edge.grow(b"".join(hashes))
    edge = growth.edge
    columns = {
        "leaf_index": pa.array(range(tip.edge.size, edge.size), pa.int64()),
        "item_id": rows["item_id"],
        "leaf_hash": pa.array([leaf.hex() for leaf in hashes]),
        "evidence_version": rows["evidence_version"],
    }
    table = pa.Table.from_arrays([columns[name] for name in LEAVES.names], schema=LEAVES)
    nodes = [node.hex() for node in edge.hashes]
    metadata = {"size": edge.size, "edge": nodes, "chain": chain.digest.hex()}
    metadata |= {"sealed_at": stamp(tip.at)}
    leaves.commit([table], app=APP, marker=chain.version, metadata=metadata)
    if leaves.marker(APP) != chain.version:
        raise LakeConflict("another integrator works on this ledger without its lock")
    tiles.append(tip.edge.size, growth.tops)
    return _Tip(edge, chain, tip.at)


def _keep(place: Place, head: Checkpoint) -> None:
    """The history first, then the checkpoint: each a whole file or none."""
    content = head.text.encode()
    name = history_name(head.size)
    if not place.put_new(name, content):
        other = parse_note(read_note(place, name) or "", what=place.shown(name))
        if other.root != head.root:
            raise VerificationFailed(
                (f"another seal of {head.size} items lies at {place.shown(name)}: "
                 "history was rewritten",)
            )  # fmt: skip
    if read_note(place, CHECKPOINT) != head.text:
        place.replace(CHECKPOINT, content)
