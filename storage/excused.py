"""Which missing items a verification excuses: those of records that are signed and sealed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from storage.case import Case
from storage.disposed import Disposal, read_disposals, told
from storage.heeded import check_holds
from storage.leaves import Finder, Leaves, id_key
from storage.survey import Survey


def excused(
    case: Case, truth: Leaves, seen: npt.NDArray[np.int32], evidence: Survey,
    holding: Collection[str],
) -> npt.NDArray[np.bool_]:  # fmt: skip
    """For each leaf whether its item was disposed of; what was and how goes into the case.

    `holding` are the files in which a record of disposal was seen.

    A record counts if its signature holds, its own row is a sealed leaf, and it names the items by
    the very places that the ledger has them at. What is done in its name and not by it is a
    finding.
    """
    place = case.place.at("evidence")
    names = [file.path for file in evidence.files]
    good, bad = read_disposals(place.locals(n for n in names if n in holding), case.key)
    for item_id, why in bad:
        case.say("disposal", f"the record of disposal {item_id} excuses nothing: {why}",
                 item_id=item_id)  # fmt: skip
    gone = np.zeros(truth.size, np.bool_)
    valid = {record.item_id: record for record in good if _sealed(case, truth, seen, record)}
    for record in valid.values():
        gone[_places(case, truth, record)] = True
    if valid:
        _tell(case, valid.values(), seen)
        check_holds(case, truth, list(valid.values()), place.locals(names))
    _check_dropped(case, valid, evidence)
    return gone


def _sealed(case: Case, truth: Leaves, seen: npt.NDArray[np.int32], record: Disposal) -> bool:
    wanted = np.frombuffer(id_key(record.item_id), np.uint8).reshape(1, 32)
    place = int(Finder(truth.ids).places(wanted)[0])
    same = place >= 0 and truth.hashes[place].tobytes() == record.leaf
    if not same or not truth.held[place] or not seen[place]:
        case.say("disposal", f"the record of disposal {record.item_id} is not sealed: it excuses "
                             "nothing yet", fatal=False)  # fmt: skip
        return False
    return True


def _places(case: Case, truth: Leaves, record: Disposal) -> list[int]:
    """The places of the items that the record names, where the ledger has these items."""
    found, wrong = list[int](), 0
    for item in record.items:
        inside = 0 <= item.leaf_index < truth.size and truth.held[item.leaf_index]
        if inside and truth.name(item.leaf_index) == item.item_id:
            found.append(item.leaf_index)
        else:
            wrong += 1
    if wrong:
        case.say("disposal", f"the record of disposal {record.item_id} names {wrong} items that "
                             "the ledger has elsewhere")  # fmt: skip
    return found


def _tell(case: Case, records: Iterable[Disposal], seen: npt.NDArray[np.int32]) -> None:
    for record in records:
        there = sum(
            bool(0 <= item.leaf_index < len(seen) and seen[item.leaf_index])
            for item in record.items
        )
        if len(record.items) > there:
            case.say("disposed", told(record, len(record.items) - there), fatal=False)
        if there:
            case.say("disposal", f"{there} items of the record of disposal {record.item_id} are "
                                 "still there: run `headwater dispose --finish`, unless they "
                                 "are on hold", fatal=False)  # fmt: skip


def _check_dropped(case: Case, valid: dict[str, Disposal], evidence: Survey) -> None:
    """What versions took out is, all together, no more than the records that they name."""
    out = 0
    for version in evidence.dropped:
        out += version.rows
        named = sum(len(valid[name].items) for name in set(version.records) & valid.keys())
        if out > named:
            case.say("log", f"the evidence lost {out} rows by version {version.version}; valid "
                            f"records name {named}")  # fmt: skip
            return
