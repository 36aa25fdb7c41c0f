"""Maintenance: many small commits do not slow the lake down, and nothing that counts is lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence.errors import LakeError
from storage.checkpoints import own_seal
from storage.commits import checkpoint_name, checkpoints
from storage.compact import Compacted, compact
from storage.delta import Table
from storage.lake import Lake
from storage.log_packs import pack_entries, packs
from storage.note import Checkpoint, VerifierKey
from storage.sweep import Swept, sweep

KEEP = timedelta(days=30)
LEAST_KEPT = timedelta(hours=1)
"""Readers and writers under way need the files of the snapshot that they began with."""
_LATE = 20  # versions after the last checkpoint: a writer died before it wrote the next one
_NEWEST, _SPACED = 3, 500  # checkpoints that stay: the last few, and one in so many versions


@dataclass(frozen=True, slots=True)
class Tidied:
    """What became of one table: its files before and after, what was rewritten, moved, deleted."""

    table: str
    files_before: int
    files_after: int
    compacted: Compacted
    swept: Swept
    packed: int
    log_entries: int

    @property
    def refused(self) -> tuple[str, ...]:
        """What was left as it is, and why."""
        return (*self.compacted.refused, *self.swept.refused)


def maintain(lake: Lake, key: VerifierKey, *, keep: timedelta = KEEP) -> tuple[Tidied, ...]:
    """Compact every table, delete what was replaced longer ago than `keep`, and pack its old log.

    Columns that came since the lake was made are added first.

    Works beside writers and readers, may die at any moment and is run again. Seal before: of the
    evidence only what is sealed is touched. What does not look as it was sealed is left as it is
    and named in the result. Raises LakeError, VerificationFailed for a seal that does not hold,
    and LakeConflict when another process replaces files at the same moment.
    """
    if keep < LEAST_KEPT:
        raise LakeError(f"older files must be kept for an hour at least, not {keep}")
    with lake.place.locked("log/.maintain"):
        seal = own_seal(lake.place, key)
        lake.evolve()
        return tuple(_tidy(lake, name, seal, keep) for name in lake.tables)


def _tidy(lake: Lake, name: str, seal: Checkpoint | None, keep: timedelta) -> Tidied:
    table, now = lake.table(name), lake.clock()
    table.keep_deleted(keep)
    before, sealed = len(table.files()), _sealed(name, seal, table)
    compacted = compact(table, lake.table("leaves"), sealed=sealed, now=now)
    if seal is None and name == "evidence":
        compacted.refused.append("nothing is sealed yet, so the evidence is left as it is")
    swept = sweep(table, before=now - keep, sealed=sealed)
    packed = shorten_log(table, now - keep)
    left = table.version + 1 - sum(pack.last - pack.first + 1 for pack in packs(table.place))
    return Tidied(name, before, len(table.files()), compacted, swept, packed, left)


def _sealed(name: str, seal: Checkpoint | None, table: Table) -> int:
    """Up to which version of a table's log the seal reaches; `leaves` is sealed by its root."""
    if name == "leaves":
        return table.version
    if seal is None:
        return -1
    chains = {chain.table: chain.version for chain in (seal.chain, *seal.followers)}
    return chains.get(name, -1)


def shorten_log(table: Table, before: datetime) -> int:
    """Pack the log entries that no snapshot since `before` needs; how many entries left the log.

    A checkpoint at or before that moment stays, shown to open, with everything after it.
    """
    if table.version - max(checkpoints(table.place), default=0) > _LATE:
        table.fold()
    until = table.version_at(before)
    old = [version for version in checkpoints(table.place) if version <= until]
    base = next((version for version in reversed(old) if table.opens_at(version)), 0)
    if base:
        table.place.settle([checkpoint_name(base)])
    packed = pack_entries(table.place, base)
    _thin(table, base)
    return packed


def _thin(table: Table, base: int) -> None:
    """Of the checkpoints keep the base, the last few and some between, for readers of the past."""
    found = checkpoints(table.place)
    last = 0
    for version in found[:-_NEWEST]:
        if version == base or (version > base and version - last >= _SPACED):
            last = version
        else:
            table.place.remove(checkpoint_name(version))
