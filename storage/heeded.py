"""Whether each disposal heeded the holds that were sealed before it, as far as rows can tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evidence.errors import HeadwaterError
from evidence.own import ACTION_KIND, OWN_SOURCE
from evidence.times import parse
from storage.case import Case
from storage.disposed import Disposal, Gone, rows_of_kind
from storage.holds import FREEZE, HOLD, RELEASE, Hold, hold_of
from storage.leaves import Finder, Leaves, id_key


@dataclass(slots=True)
class _Set:
    """A hold with the ledger's places of the act that set it and of that which lifted it."""

    act: str
    hold: Hold
    place: int
    lifted: int | None = None


def check_holds(
    case: Case, truth: Leaves, records: Sequence[Disposal], paths: Sequence[Path]
) -> None:
    """Say which records were made while a hold was in force that they do not name, or that names
    an item of theirs. What else a hold selected cannot be told once the rows are gone."""
    finder = Finder(truth.ids)
    holds = _holds(case, finder, paths)
    for record in records:
        at = _place(finder, record.item_id)
        for one in holds:
            lifted = one.lifted is not None and one.lifted < at
            if one.place > at or lifted or not one.hold.active(parse(record.at)):
                continue
            named = [item for item in record.items if _fits(item, one.hold)]
            alone = not (one.hold.kinds or one.hold.systems or one.hold.subjects)
            if one.act not in record.holds:
                case.say("hold", f"the record of disposal {record.item_id} passed over the hold "
                                 f"{one.hold.name} by {one.hold.by} (act {one.act})")  # fmt: skip
            elif alone and named:
                case.say("hold", f"the record of disposal {record.item_id} names {len(named)} "
                                 f"items that the hold {one.hold.name} by {one.hold.by} kept "
                                 f"(act {one.act})")  # fmt: skip


def _fits(item: Gone, hold: Hold) -> bool:
    """Whether what a record tells of an item fits the hold, as far as it can be told."""
    if not (hold.item_ids or hold.first):
        return False
    inside = not hold.first or item.leaf_index < hold.first
    return inside and (not hold.item_ids or item.item_id in hold.item_ids)


def _holds(case: Case, finder: Finder, paths: Sequence[Path]) -> list[_Set]:
    found: dict[str, _Set] = {}
    lifts: list[tuple[str, int]] = []
    for item_id, subject, facts in _acts(case, paths):
        place = _place(finder, item_id)
        if place < 0:
            continue  # not sealed: rows that are in no ledger are named elsewhere
        if subject == RELEASE:
            lifts.append((str(facts), place))
        elif isinstance(facts, Hold):
            found[item_id] = _Set(item_id, facts, place)
    for act, place in lifts:
        if act in found:
            found[act].lifted = min(place, found[act].lifted or place)
    return list(found.values())


def _acts(case: Case, paths: Sequence[Path]) -> Iterator[tuple[str, str, Hold | str]]:
    for path in paths:
        for row in rows_of_kind(path, ACTION_KIND):
            if row["source"] != OWN_SOURCE or row["subject"] not in {HOLD, FREEZE, RELEASE}:
                continue
            try:
                facts = json.loads(row["payload"])["facts"]
                told = facts["lifts"] if row["subject"] == RELEASE else hold_of(facts)
            except (HeadwaterError, ValueError, KeyError, TypeError, RecursionError) as error:
                case.say("hold", f"the act {row['item_id']} cannot be read ({error}): what it held "
                                 "is not known", item_id=str(row["item_id"]))  # fmt: skip
                continue
            yield str(row["item_id"]), str(row["subject"]), told


def _place(finder: Finder, item_id: str) -> int:
    return int(finder.places(np.frombuffer(id_key(item_id), np.uint8).reshape(1, 32))[0])
