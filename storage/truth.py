"""Which list of leaves the seal confirms: the ledger's own, else one made of what else there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from evidence.errors import LakeBusy, LakeError, LakeRefused
from storage.case import Case
from storage.files import has_bytes
from storage.history import check_history
from storage.leaves import Finder, Grown, Hashes, Leaves, grow, id_key
from storage.note import Checkpoint
from storage.rescan import scan
from storage.survey import Listed
from storage.tiles import WIDTH, Tiles


def read_leaves(case: Case, listed: Sequence[Listed]) -> Leaves:
    """The ledger's own list, as far as the seal goes."""
    leaves = Leaves.empty(case.seal.size if case.seal else 0)
    place = case.place.at("leaves")
    there = set(place.names())
    for file in listed:
        if file.path not in there:
            continue
        try:
            with place.fresh(file.path) as path:
                if not has_bytes(path, file.sha256, file.added.size):
                    told = f"the file leaves/{file.path} does not have the bytes that were written"
                    case.say("file", told)
                leaves.read(path, file.added.rows)
        except (LakeBusy, LakeRefused):
            raise
        except (LakeError, OSError) as error:
            case.say("leaves", f"the ledger's file leaves/{file.path} is damaged: {error}")
    return leaves


def find_truth(case: Case, seal: Checkpoint, leaves: Leaves, evidence: Sequence[Listed]) -> Leaves:
    """The leaves that the seal confirms; where none does, the ledger's list, and that is said."""
    sizes = [held.head.size for held in case.held]
    for truth, what in _lists(case, seal, leaves, evidence):
        grown = grow(truth, sizes)
        if grown.roots.get(seal.size) == seal.root:
            if what:
                told = f"the ledger's own list was altered; {what} still fits the seal"
                case.say("leaves", told)
            _check_tiles(case, truth, grown)
            check_history(case, grown.roots)
            return truth
    _say_altered(case, seal, leaves)
    check_history(case, grow(leaves, sizes).roots)
    return leaves


def _lists(
    case: Case, seal: Checkpoint, leaves: Leaves, evidence: Sequence[Listed]
) -> Iterator[tuple[Leaves, str]]:
    yield leaves, ""
    rows = _from_rows(case, evidence)
    if rows.size >= seal.size:
        yield rows.first(seal.size), "the evidence"
    try:
        content = Tiles(case.place.at("log")).level(seal.size)
    except LakeError:
        return
    yield _from_tiles(content, leaves, rows), "its tree of tiles"


def _from_rows(case: Case, listed: Sequence[Listed]) -> Leaves:
    """The leaves that the rows make in the order of the log, as far as they were never moved."""
    ids, hashes, versions = bytearray(), bytearray(), list[npt.NDArray[np.int64]]()
    for part in scan(case.place.at("evidence"), listed, []):
        keys, leaves = part.ids.copy(), part.leaves.copy()
        for place, row in part.single.items():
            keys[place] = np.frombuffer(id_key(row.item_id), np.uint8)
            leaves[place] = np.frombuffer(row.leaf or bytes(32), np.uint8)
        ids += keys.tobytes()
        hashes += leaves.tobytes()
        versions.append(part.versions)
    return Leaves(
        ids=_hashes(bytes(ids)),
        hashes=_hashes(bytes(hashes)),
        versions=np.concatenate([np.zeros(0, np.int64), *versions]),
        held=np.ones(len(ids) // 32, np.bool_),
    )


def _from_tiles(content: bytes, leaves: Leaves, rows: Leaves) -> Leaves:
    """The leaves of the tiles; their items by the rows that make them, else by the ledger."""
    hashes = _hashes(content)
    places = Finder(rows.hashes).places(hashes)
    found = places >= 0
    made = Leaves(
        leaves.ids.copy(), hashes, leaves.versions.copy(), found | leaves.held, dict(leaves.odd)
    )
    made.ids[found], made.versions[found] = rows.ids[places[found]], rows.versions[places[found]]
    return made


def _check_tiles(case: Case, truth: Leaves, grown: Grown) -> None:
    """The tiles are made of the leaves, and nobody's proof may fail because one was altered."""
    tiles = Tiles(case.place.at("log"))
    missing, false = list[str](), list[str]()
    rows = {0: truth.hashes} | {level: _hashes(row) for level, row in grown.levels.items()}
    for level, row in rows.items():
        due = (row[at : at + WIDTH].tobytes() for at in range(0, len(row), WIDTH))
        lacking, wrong = tiles.differ(level, due)
        missing += lacking
        false += wrong
    again = "`headwater rebuild tiles` makes them again from the leaves"
    if false:
        case.say("tiles", f"{len(false)} tiles of the tree are not what its leaves make, first "
                          f"log/{false[0]}: {again}")  # fmt: skip
    if missing:
        case.say("tiles", f"{len(missing)} tiles of the tree are missing or cut, first "
                          f"log/{missing[0]}: {again}", fatal=False)  # fmt: skip


def _hashes(content: bytes | bytearray) -> Hashes:
    return np.frombuffer(content, np.uint8).reshape(-1, 32)


def _say_altered(case: Case, seal: Checkpoint, leaves: Leaves) -> None:
    held = int(np.count_nonzero(leaves.held))
    if held < seal.size:
        case.say("leaves", f"the ledger lists {held} of the {seal.size} sealed items: it was cut")
    else:
        case.say("rewrite", f"the {seal.size} leaves are not those that were sealed: "
                            "history was rewritten")  # fmt: skip
