"""When the ledger took in which items: the seals, found by time or by size without a search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from evidence.errors import InvalidItem, LakeError
from evidence.times import parse, utc
from storage.commits import read_commit
from storage.delta import Table
from storage.lake import Lake

APP = "ledger"


@dataclass(frozen=True, slots=True)
class Seal:
    """The ledger held `size` items at `at`: all that landed up to `version` of the evidence.

    `at` never goes back, also where the clock did, and lies after every landing that it covers.
    """

    size: int
    version: int
    at: datetime


def seal_by(lake: Lake, moment: datetime) -> Seal | None:
    """The last seal made before `moment`, None if there was none. Raises LakeError.

    Not at it: whoever asks at that very moment must not see another one come.
    """
    moment = utc(moment, what="as of")
    last, _ = _around(lake.table("leaves"), lambda seal: seal.at < moment)
    return last


def seal_of(lake: Lake, size: int) -> Seal:
    """The seal that first covered `size` items. Raises LakeError if none did yet."""
    _, first = _around(lake.table("leaves"), lambda seal: seal.size < size)
    if first is None:
        raise LakeError(f"{size} items are not sealed yet: run the ledger first")
    return first


def _around(leaves: Table, holds: Callable[[Seal], bool]) -> tuple[Seal | None, Seal | None]:
    """The last seal for which `holds`, as it does for all before it, and the first after that."""
    last: Seal | None = None
    first: Seal | None = None
    low, high = 1, leaves.version
    while low <= high:
        middle = at = (low + high) // 2
        seal = _seal(leaves, at)
        while seal is None and at > low:  # other commits, such as compaction, seal nothing
            at -= 1
            seal = _seal(leaves, at)
        if seal is None:
            low = middle + 1
        elif holds(seal):
            last, low = seal, middle + 1
        else:
            first, high = seal, at - 1
    return last, first


def _seal(leaves: Table, version: int) -> Seal | None:
    commit = read_commit(leaves.place, version)
    if commit is None:
        raise LakeError(f"table leaves: log file {version} is gone; run `headwater verify`")
    if APP not in commit.transactions:
        return None
    try:
        told = commit.metadata.get("sealed_at")
        at = parse(told) if told else commit.written_at
        return Seal(commit.metadata["size"], commit.transactions[APP], at)
    except (KeyError, InvalidItem) as error:
        raise LakeError(f"the ledger's log entry {version} is damaged: {error}") from error
