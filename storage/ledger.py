"""The ledger: a Merkle log over landed items in the order they landed, sealed by checkpoints.

The checkpoints also seal the logs of the tables that follow (`storage.followers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from evidence.errors import LakeConflict, LakeError, VerificationFailed
from storage.checkpoints import keep_checkpoint, own_seal, read_checkpoint
from storage.commits import read_commit
from storage.delta import Table
from storage.followers import follower_chains, lasting
from storage.growth import APP, Tip, append_leaves, chain_digest, tip_of
from storage.keys import Signer
from storage.lake import Lake
from storage.leaves import leaf_hashes
from storage.log import Log
from storage.merkle import EMPTY, Edge, consistency_path, roots_from_consistency
from storage.note import Checkpoint, LogChain
from storage.publication import last_seals, publish
from storage.tiles import Tiles
from storage.witness import FileWitness, Witness

_STEP_LEAVES = 65_536
_RECENT = 100
_TRIES = 5


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
    known = last_seals(outside, signer.verifier)
    held = [lasting(kept.head) for kept in known.held]
    with lake.place.locked("log/.lock"):
        head = _sealed(lake, signer, held, anew)
    newest = partial(read_checkpoint, lake)
    publish(lake.place.at("log"), newest, outside, known.unread, lake.clock())
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
    leaves, tiles = lake.table("leaves"), tiles_of(lake)
    own = own_seal(lake.place, signer.verifier)
    tip, seals = tip_of(leaves), [*([own] if own else []), *held]
    evidence = lake.log("evidence", since=tip.chain.version)
    _follow(tiles, leaves, tip.edge, seals)
    for seal in seals:
        _refuse_rewrite(evidence, leaves, tiles, tip, seal)
    tip = append_leaves(evidence, leaves, tiles, tip, lake.clock)
    followers = follower_chains(lake, seals, anew=anew)
    head = signer.sign(tip.edge.size, tip.edge.root(), tip.chain, followers)
    keep_checkpoint(lake.place, head)
    return head


def remake_tiles(lake: Lake) -> int:
    """Make all tiles again from the list of leaves; returns how many leaves they hold.

    Raises VerificationFailed, and makes no tile, if the list is not the one that the ledger was
    extended with. Raises LakeError.
    """
    with lake.place.locked("log/.lock"):
        leaves, tiles = lake.table("leaves"), tiles_of(lake)
        edge = tip_of(leaves).edge
        _remake(tiles, leaves, edge, 0)
    return edge.size


def tiles_of(lake: Lake) -> Tiles:
    """The tiles of a lake's ledger."""
    return Tiles(lake.place.at("log"))


def _refuse_rewrite(evidence: Log, leaves: Table, tiles: Tiles, tip: Tip, seal: Checkpoint) -> None:
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


def _continues(tiles: Tiles, tip: Tip, seal: Checkpoint) -> bool:
    """Whether the sealed tree is the beginning of the tip's, proved by the hashes between them."""
    size, root = tip.edge.size, tip.edge.root()
    if seal.size in {0, size}:
        return seal.root == (root if seal.size else EMPTY)
    try:
        path = consistency_path(tiles.root, seal.size, size)
    except LakeError:
        return False
    return roots_from_consistency(seal.size, size, seal.root, path) == (seal.root, root)


def _chain_at(evidence: Log, leaves: Table, version: int) -> LogChain:
    """The log's chain after a version: as the leaves were committed with it, else computed anew."""
    for commit in reversed(range(max(0, leaves.version - _RECENT), leaves.version + 1)):
        held = read_commit(leaves.place, commit)
        if held is not None and held.transactions.get(APP) == version:
            return LogChain(version, chain_digest(held))
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
