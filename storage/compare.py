"""Each sealed leaf has its row, each row its leaf, and they agree: joined by the item's id."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from storage.case import Case
from storage.excused import excused
from storage.leaves import Finder, Leaves, id_key
from storage.rescan import Part, Row
from storage.survey import Survey, runs

_NAMED = 20


class Comparison:
    """Takes the rows part by part, then says what is missing, twice or not covered yet."""

    def __init__(self, case: Case, truth: Leaves) -> None:
        self._case, self._truth = case, truth
        self._finder = Finder(truth.ids)
        self._seen = np.zeros(truth.size, np.int32)
        self._sealed_until = int(truth.versions[truth.held].max(initial=0))
        self._unsealed = 0
        self._records = set[str]()

    def take(self, part: Part) -> None:
        """Compare some rows with their leaves."""
        self._records |= part.records
        whole = np.ones(len(part.ids), np.bool_)
        whole[list(part.single)] = False
        places = self._places(part.ids)
        found = whole & (places >= 0)
        np.add.at(self._seen, places[found], 1)
        differ = (self._truth.hashes[places[found]] != part.leaves[found]).any(axis=1)
        for place in places[found][differ].tolist():
            self._edited(self._truth.name(place), "its columns differ from its leaf")
        self._strange(part, whole & ~found)
        for place, row in part.single.items():
            self._judge(row, int(part.versions[place]))

    def _places(self, ids: Any) -> npt.NDArray[np.int64]:
        places = self._finder.places(ids)
        places[places >= 0] = np.where(
            self._truth.held[places[places >= 0]], places[places >= 0], -1
        )
        return places

    def _strange(self, part: Part, absent: npt.NDArray[np.bool_]) -> None:
        new = absent & (part.versions > self._sealed_until)
        self._unsealed += int(np.count_nonzero(new))
        for place in np.flatnonzero(absent & ~new).tolist():
            self._extra(part.ids[place].tobytes().hex(), "it was added behind the seal")

    def _judge(self, row: Row, version: int) -> None:
        place = int(self._places(np.frombuffer(id_key(row.item_id), np.uint8).reshape(1, 32))[0])
        if place >= 0:
            self._seen[place] += 1
            if row.problem:
                self._edited(row.item_id, row.problem)
            elif row.leaf != self._truth.hashes[place].tobytes():
                self._edited(row.item_id, "its columns differ from its leaf")
        elif version > self._sealed_until and not row.problem:
            self._unsealed += 1
        else:
            self._extra(row.item_id, row.problem or "it was added behind the seal")

    def _edited(self, item_id: str, problem: str) -> None:
        self._case.say("edited", f"item {item_id} was edited: {problem}", item_id=item_id)

    def _extra(self, item_id: str, why: str) -> None:
        self._case.say("extra", f"item {item_id} is in no ledger: {why}", item_id=item_id)

    def finish(self, evidence: Survey) -> None:
        """Say what only all rows together can show."""
        gone = excused(self._case, self._truth, self._seen, evidence, self._records)
        for place in np.flatnonzero(self._seen > 1).tolist():
            item_id, times = self._truth.name(place), int(self._seen[place])
            self._case.say("twice", f"item {item_id} is there {times} times", item_id=item_id)
        for first, last in runs(np.flatnonzero((self._seen == 0) & ~gone).tolist()):
            _missing(self._case, self._truth, first, last)
        if self._unsealed:
            told = f"{self._unsealed} items landed after the last seal: not covered yet"
            self._case.say("unsealed", told, fatal=False)


def _missing(case: Case, truth: Leaves, first: int, last: int) -> None:
    known = [place for place in range(first, last + 1) if truth.held[place]]
    ids = [truth.name(place) for place in known[:_NAMED]]
    named = ", ".join(ids) + (f" and {len(known) - _NAMED} more" if known[_NAMED:] else "")
    told = f"{last - first + 1} sealed items are missing {_where(first, last, truth.size)}"
    told += f" (leaves {first} to {last}): {named or 'their ids are lost as well'}"
    case.say("missing", told, item_id=ids[0] if len(known) == 1 else "")


def _where(first: int, last: int, size: int) -> str:
    if first == 0 and last == size - 1:
        return "everywhere: everything is gone"
    if first == 0:
        return "at the head"
    return "at the tail" if last == size - 1 else "in the middle"
