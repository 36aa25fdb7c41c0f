"""Disposal: a signed record is sealed first, only then the items go; a crash is finished later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evidence.canonical import digest
from evidence.errors import LakeError, LakeRefused
from evidence.model import EvidenceItem, Outcome
from evidence.own import DISPOSAL_KIND, OWN_SOURCE
from evidence.times import stamp
from storage.actions import land_own
from storage.board_copy import forget_copy
from storage.checkpoints import own_seal
from storage.delta import DISPOSAL, Table
from storage.disposed import FORM, Disposal, read_disposals, signed_text
from storage.files import DataFile, read_rows
from storage.holds import held_ids, holds_in_force
from storage.kept import forget
from storage.keys import Signer
from storage.lake import Bookmark, Lake
from storage.living import bound
from storage.retention import Due, Plan, Planned
from storage.same import check_bytes
from storage.streamed import write_stream
from storage.views import connect

_STEP_ROWS = 50_000
_IN_RECORD = 5_000
"""Items named by one record: more than these and a row of the lake becomes unwieldy."""


Seal = Callable[[], object]
Planning = Callable[[], Plan]


@dataclass(frozen=True, slots=True)
class Done:
    """What a disposal did: items that went, files rewritten, older copies deleted."""

    items: int = 0
    rewritten: int = 0
    deleted: int = 0

    def and_then(self, other: Done) -> Done:
        """Both together."""
        return Done(
            self.items + other.items, self.rewritten + other.rewritten, self.deleted + other.deleted
        )


def dispose(
    lake: Lake, signer: Signer, planning: Planning, *, by: str, reason: str, seal: Seal
) -> Done:
    """Land the signed records of a plan, seal them, then take the items out of every file.

    First finishes what a crash left. `planning` is asked at the very state of Headwater's own
    source that the records land on: a hold that was set before them cannot be missed. `seal` brings
    the ledger up to date with all witnesses. Raises LakeRefused where the place keeps what is
    deleted, LakeError, VerificationFailed; whatever was not done yet is done by the next run.
    """
    if lake.redactor.reveals(by) or lake.redactor.reveals(reason):
        raise LakeError("by or reason holds a secret; a record of disposal may not: say it again")
    _refuse_versions(lake)
    with lake.place.locked("log/.maintain"):
        finished = _finish(lake, signer)
        landed: list[EvidenceItem] = []

        def make(_: Bookmark) -> tuple[tuple[EvidenceItem, ...], None]:
            due = planning()
            landed[:] = [r for one in due.classes for r in _records(signer, one, due, by, reason)]
            return tuple(landed), None

        land_own(lake, make)
        if landed:
            seal()
        done = finished.and_then(_finish(lake, signer))
        if done.items:
            seal()
    return done


def finish(lake: Lake, signer: Signer, seal: Seal) -> Done:
    """Take out what valid, sealed records name, what is on hold excepted; may be run at any time.

    Nobody has to decide it: that is in the records. Raises as `dispose`.
    """
    _refuse_versions(lake)
    with lake.place.locked("log/.maintain"):
        done = _finish(lake, signer)
        if done.items:
            seal()
    return done


def _refuse_versions(lake: Lake) -> None:
    facts = lake.place.facts("lake.json")
    if facts is not None and facts.version:
        raise LakeRefused(
            f"{lake.place} keeps older versions of its objects (versioning or object lock): what "
            "is disposed of would still lie beneath; nothing was disposed of. Move the lake to a "
            "bucket without versions, or keep the items"
        )


def _records(
    signer: Signer, planned: Planned, plan: Plan, by: str, reason: str
) -> Iterator[EvidenceItem]:
    kept, now = planned.retention, plan.at
    for start in range(0, len(planned.due), _IN_RECORD):
        items = planned.due[start : start + _IN_RECORD]
        payload: dict[str, Any] = {
            "form": FORM, "class": kept.name, "kinds": list(kept.kinds),
            "keep_seconds": int(kept.keep.total_seconds()), "rule": kept.reason,
            "basis": kept.basis, "by": by, "reason": reason, "at": stamp(now),
            "holds": sorted(plan.holds),
            "number": len(items), "items": [_named(item) for item in items],
        }  # fmt: skip
        sealed = digest(payload)
        payload |= {"digest": sealed, "signature": signer.sign_text(signed_text(signer, sealed))}
        yield EvidenceItem(
            source=OWN_SOURCE, kind=DISPOSAL_KIND, subject=f"{kept.name}/{sealed[:16]}",
            observed_from=now, observed_to=now, collected_at=now, payload=payload, actor=by,
            outcome=Outcome.PASSED, title=f"{len(items)} items disposed of under class {kept.name}",
        )  # fmt: skip


def _named(item: Due) -> dict[str, Any]:
    return {
        "item_id": item.item_id, "leaf_index": item.leaf_index,
        "content_sha256": item.content_sha256,
    }  # fmt: skip


def unfinished(lake: Lake, signer: Signer) -> int:
    """How many items of valid, sealed records lie there still, what is on hold excepted: in the
    files of today, else in older copies of them."""
    _, ids = _to_go(lake, signer)
    if not len(ids):
        return 0
    table = lake.table("evidence")
    there = sum(_holds(file.path, ids) for file in table.files())
    return there or max((count for _, count in _copies(table, ids)), default=0)


def _finish(lake: Lake, signer: Signer) -> Done:
    """`finish` by who holds the lock of maintenance."""
    table = lake.table("evidence")
    table.append_only(True)
    records, ids = _to_go(lake, signer)
    if not len(ids):
        return Done()
    held = [(file, count) for file in table.files() if (count := _holds(file.path, ids))]
    if held:
        _take_out(table, [file for file, _ in held], ids, records)
    deleted = _delete_copies(lake.table("evidence"), ids)
    forget(lake)
    forget_copy(lake)
    return Done(sum(count for _, count in held), len(held), deleted)


def _to_go(lake: Lake, signer: Signer) -> tuple[list[Disposal], Any]:
    """The records that hold and are sealed, and the ids they name that no hold keeps, sorted."""
    paths = lake.local_files("evidence")
    records = _sealed(lake, signer, read_disposals(paths, signer.verifier)[0])
    named = {item.item_id for record in records for item in record.items}
    if named:
        with connect(lake) as connection:
            holds = holds_in_force(connection, now=lake.clock())
            named -= held_ids(connection, list(holds.values()))
            named -= bound(connection, named)
    return records, pa.array(sorted(named), pa.string())


def _sealed(lake: Lake, signer: Signer, records: Sequence[Disposal]) -> list[Disposal]:
    """The records that the last checkpoint covers with the very leaf that their rows make."""
    head = own_seal(lake.place, signer.verifier)
    if head is None:
        return []
    wanted = {record.item_id: record for record in records}
    names, found = pa.array(list(wanted), pa.string()), list[Disposal]()
    for path in lake.local_files("leaves") if wanted else ():
        rows = read_rows(path, {})
        for row in rows.filter(pc.is_in(rows["item_id"], value_set=names)).to_pylist():
            covered = row["leaf_index"] < head.size
            if covered and wanted[row["item_id"]].leaf.hex() == row["leaf_hash"]:
                found.append(wanted[row["item_id"]])
    return found


def _holds(path: Path, ids: Any) -> int:
    rows = read_rows(path, {}, ["item_id"])
    return int(rows.filter(pc.is_in(rows["item_id"], value_set=ids)).num_rows)


def _take_out(
    table: Table, files: Sequence[DataFile], ids: Any, records: Sequence[Disposal]
) -> None:
    check_bytes(table, files)
    written = [
        new for file in files
        for new in write_stream(table.place, table.spec, file.partition, _without(file, ids))
    ]  # fmt: skip
    told = [{"item_id": record.item_id, "at": record.at} for record in records]
    table.append_only(False)
    try:
        table.replace(files, written, metadata={DISPOSAL: told}, data_change=True)
    finally:
        table.append_only(True)


def _without(file: DataFile, ids: Any) -> Iterator[pa.Table]:
    with pq.ParquetFile(file.path) as parquet:
        for batch in parquet.iter_batches(_STEP_ROWS):
            rows = pa.Table.from_batches([batch])
            kept = rows.filter(pc.invert(pc.is_in(rows["item_id"], value_set=ids)))
            if kept.num_rows:
                yield kept


def _delete_copies(table: Table, ids: Any) -> int:
    """Delete files of no present version that still hold what is disposed of: gone means gone."""
    deleted = 0
    for name, _ in _copies(table, ids):
        try:
            table.place.remove(name)
            deleted += 1
        except OSError as error:
            raise LakeError(
                f"{table.place.shown(name)} still holds what is disposed of and cannot be deleted: "
                f"{error}; run `headwater dispose --finish`"
            ) from error
    return deleted


def _copies(table: Table, ids: Any) -> Iterator[tuple[str, int]]:
    """The files of no present version that hold some of these items, and how many."""
    present = {file.name for file in table.files()}
    for name in sorted(table.place.names()):
        if name.startswith("_") or name in present or not name.endswith(".parquet"):
            continue
        try:
            count = _holds(table.place.local(name), ids)
        except LakeError as error:
            if isinstance(error.__cause__, pa.ArrowInvalid):
                continue  # it is being written: a landing under way holds nothing disposed of
            raise
        if count:
            yield name, count
