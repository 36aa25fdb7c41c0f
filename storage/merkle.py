"""RFC 6962 Merkle trees over SHA-256: roots, right edges, inclusion and consistency proofs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

EMPTY = hashlib.sha256(b"").digest()
LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"
TILE_HEIGHT = 8


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's data (RFC 6962 §2.1)."""
    return hashlib.sha256(LEAF_PREFIX + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


@dataclass(frozen=True, slots=True)
class Growth:
    """What appending leaves made: the edge after it, and the new hashes of each level of tiles.

    Level n of the tiles holds the nodes whose subtrees have 256^n leaves (c2sp.org/tlog-tiles);
    `tops[n]` are those that were made whole just now, 32 bytes each, left to right.
    """

    edge: Edge
    tops: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Edge:
    """All that is needed to append: the roots of the whole subtrees, largest first."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} has {self.size.bit_count()} whole subtrees")

    def grow(self, leaves: bytes) -> Growth:
        """Append leaf hashes, 32 bytes each: level by level, one node a leaf."""
        waiting = dict(zip(heights(self.size), self.hashes, strict=True))
        new, tops, height = leaves, {}, 0
        while new:
            if height % TILE_HEIGHT == 0:
                tops[height // TILE_HEIGHT] = new
            row = waiting.pop(height, b"") + new
            whole = len(row) // 64 * 64
            if row[whole:]:
                waiting[height] = row[whole:]
            new, height = _parents(row[:whole]), height + 1
        hashes = tuple(waiting[height] for height in sorted(waiting, reverse=True))
        return Growth(Edge(self.size + len(leaves) // 32, hashes), tops)

    def extend(self, leaves: Iterable[bytes]) -> Edge:
        """The edge after appending leaf hashes."""
        return self.grow(b"".join(leaves)).edge

    def root(self) -> bytes:
        """The root of the whole tree."""
        if not self.hashes:
            return EMPTY
        node = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            node = node_hash(left, node)
        return node


def heights(size: int) -> list[int]:
    """The heights of the whole subtrees that a tree of `size` leaves consists of, largest first."""
    return [height for height in reversed(range(size.bit_length())) if size >> height & 1]


def _parents(row: bytes) -> bytes:
    begun, whole, found = hashlib.sha256(NODE_PREFIX).copy, memoryview(row), list[bytes]()
    for at in range(0, len(row), 64):
        node = begun()  # a copy is cheaper than a new one, and the prefix is in it
        node.update(whole[at : at + 64])
        found.append(node.digest())
    return b"".join(found)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    return Edge().extend(leaves).root()


Roots = Callable[[int, int], bytes]
"""The root over the leaves from the first place up to (not with) the last."""


def inclusion_path(roots: Roots, index: int, size: int) -> tuple[bytes, ...]:
    """The audit path of leaf `index` (RFC 6962 §2.1.1). Raises ValueError outside the tree."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} lies outside a tree of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        split = low + split_at(high - low)
        if index < split:
            path.append(roots(split, high))
            high = split
        else:
            path.append(roots(low, split))
            low = split
    return tuple(reversed(path))


def split_at(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a path leads to (RFC 9162 §2.1.3.2). Raises ValueError for a false length."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} lies outside a tree of {size}")
    node, last, at = leaf, size - 1, index
    for other in path:
        if last == 0:
            raise ValueError("the path is too long")
        if at & 1 or at == last:
            node = node_hash(other, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, other)
        at, last = at >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")
    return node


def consistency_path(roots: Roots, old: int, size: int) -> tuple[bytes, ...]:
    """That the tree of `old` leaves begins that of `size` (RFC 6962 §2.1.2). Raises ValueError."""
    if not 0 < old <= size:
        raise ValueError(f"no tree of {old} leaves lies in one of {size}")
    path: list[bytes] = []
    low, high, whole = 0, size, True
    while old != high:
        split = low + split_at(high - low)
        if old <= split:
            path.append(roots(split, high))
            high = split
        else:
            path.append(roots(low, split))
            low, whole = split, False
    return tuple(reversed(path if whole else [*path, roots(low, high)]))


def roots_from_consistency(
    old: int, new: int, old_root: bytes, path: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """The roots of both trees that a proof leads to (RFC 9162 §2.1.4.2). Raises ValueError.

    The proof holds when they equal the roots that were signed.
    """
    if not 0 < old <= new:
        raise ValueError(f"no tree of {old} leaves lies in one of {new}")
    if old == new and not path:
        return old_root, old_root
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    if not hashes or old == new:
        raise ValueError("the proof has a false length")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = hashes[0]
    for other in hashes[1:]:
        if last == 0:
            raise ValueError("the proof is too long")
        if at & 1 or at == last:
            first, second = node_hash(other, first), node_hash(other, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, other)
        at, last = at >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    return first, second
