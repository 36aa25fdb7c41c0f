"""The tree as tiles of 256 hashes (c2sp.org/tlog-tiles): proofs read a few files, not all leaves.

Tiles follow the leaves. They are written before the checkpoint that needs them, and made anew from
the leaves when they are missing or damaged. Entry bundles are not kept: the items are the lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from evidence.errors import LakeError
from storage.merkle import EMPTY, TILE_HEIGHT, Edge, heights, node_hash
from storage.place import Place

WIDTH = 1 << TILE_HEIGHT
_BYTES = 32 * WIDTH
_KEPT = 1024


class Tiles:
    """The tiles in a ledger's folder. What was read once is taken from memory the next time."""

    def __init__(self, log: Place) -> None:
        self._log = log
        self._read: dict[tuple[int, int], bytes] = {}

    def append(self, size: int, tops: Mapping[int, bytes]) -> None:
        """Add what growing a tree of `size` leaves made. Raises LakeError if it cannot be written.

        Of a tile that is not full yet only the last width is kept.
        """
        files, grown = dict[str, bytes](), list[tuple[int, int]]()
        for level, new in tops.items():
            number, width = divmod(size >> TILE_HEIGHT * level, WIDTH)
            row = (self._hashes(level, number, width) if width else b"") + new
            for at in range(0, len(row), _BYTES):
                files |= self._file(level, number + at // _BYTES, row[at : at + _BYTES])
            if width:
                grown.append((level, number))
        self._log.replace_all(files)
        for level, number in grown:
            self._tidy(level, number)

    def clear(self) -> None:
        """Take all tiles away, before they are made anew from the leaves."""
        self._read.clear()
        for name in list(self._log.names("tile")):
            self._log.remove(name)

    def stand(self, size: int, root: bytes) -> bool:
        """Whether the tiles of a tree of `size` leaves are there and lead to this root."""
        try:
            return self.root(0, size) == root
        except LakeError:
            return False

    def differ(self, level: int, due: Iterable[bytes]) -> tuple[list[str], list[str]]:
        """Of one level that should have these tiles: those missing or cut, and false ones."""
        missing, false = [], []
        for number, wanted in enumerate(due):
            try:
                held = self._load(level, number, len(wanted) // 32)
            except LakeError:
                missing.append(tile_path(level, number))
                continue
            if held[: len(wanted)] != wanted:
                false.append(tile_path(level, number))
        return missing, false

    def level(self, size: int) -> bytes:
        """The leaf hashes of the tree of `size` leaves. Raises LakeError if a tile is missing."""
        numbers = range(-(-size // WIDTH))
        widths = (min(WIDTH, size - number * WIDTH) for number in numbers)
        parts = zip(numbers, widths, strict=True)
        return b"".join(self._load(0, n, width)[: 32 * width] for n, width in parts)

    def edge(self, size: int) -> Edge:
        """The right edge of the tree of `size` leaves. Raises LakeError if a tile is missing."""
        return Edge(size, self._whole(0, size))

    def root(self, first: int, last: int) -> bytes:
        """The root over the leaves from `first` up to (not with) `last`; a `merkle.Roots`.

        Raises LakeError if a tile is missing or no tile.
        """
        if first == last:
            return EMPTY
        *lefts, node = self._whole(first, last)
        for left in reversed(lefts):
            node = node_hash(left, node)
        return node

    def _whole(self, first: int, last: int) -> tuple[bytes, ...]:
        nodes = []
        for height in heights(last - first):
            nodes.append(self._subtree(first, height))
            first += 1 << height
        return tuple(nodes)

    def _subtree(self, first: int, height: int) -> bytes:
        """The root of the whole subtree of 2^height leaves that begins at `first`."""
        level, rest = divmod(height, TILE_HEIGHT)
        number, start = divmod(first >> TILE_HEIGHT * level, WIDTH)
        row = self._hashes(level, number, start + (1 << rest))[32 * start :]
        return Edge().grow(row).edge.root()

    def _hashes(self, level: int, number: int, width: int) -> bytes:
        """The first `width` hashes of a tile, from the whole tile or any that is wide enough."""
        row = self._read.get((level, number), b"")
        if len(row) < 32 * width:
            row = self._load(level, number, width)
            if len(self._read) >= _KEPT:
                self._read.clear()
            self._read[level, number] = row
        return row[: 32 * width]

    def _load(self, level: int, number: int, width: int) -> bytes:
        whole = tile_path(level, number)
        row = self._log.read(whole)
        forms = [(WIDTH, whole, row)] if row is not None else self._wide_enough(whole, width)
        for wide, held, row in forms:
            if row is not None:
                if len(row) == 32 * wide:
                    return row
                shown = self._log.shown(held)
                raise LakeError(f"the tile {shown} has {len(row)} bytes, not {32 * wide}")
        raise LakeError(f"the tile {self._log.shown(whole)} is missing")

    def _wide_enough(self, whole: str, width: int) -> Iterator[tuple[int, str, bytes | None]]:
        for wide, name in self._partial(whole):
            if wide >= width:
                yield wide, name, self._log.read(name)

    def _partial(self, whole: str) -> list[tuple[int, str]]:
        """The partial forms of a tile, widest first."""
        names = [name.rpartition("/")[2] for name in self._log.names(f"{whole}.p")]
        widths = sorted((int(name) for name in names if name.isdecimal()), reverse=True)
        return [(width, f"{whole}.p/{width}") for width in widths]

    def _file(self, level: int, number: int, row: bytes) -> dict[str, bytes]:
        """A tile's name and bytes; what was read of it before is forgotten."""
        self._read.pop((level, number), None)
        name = tile_path(level, number)
        return {name if len(row) == _BYTES else f"{name}.p/{len(row) // 32}": row}

    def _tidy(self, level: int, number: int) -> None:
        """Narrower forms of a tile that grew. They are no harm: what keeps them may keep them."""
        whole = tile_path(level, number)
        held = self._partial(whole)
        for _, narrow in held if self._log.read(whole) is not None else held[1:]:
            with suppress(LakeError):
                self._log.remove(narrow)


def tile_path(level: int, number: int) -> str:
    """Where a whole tile lies: groups of three digits, all but the last with an `x` before them."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03}")
    return f"tile/{level}/" + "/".join(reversed(groups))
